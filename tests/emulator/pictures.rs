//! Pictures: repeatable, edited from a reference, and kept where a mask says.

use imgbatch::emulator::Options;
use serde_json::{Value, json};

use crate::client::{Client, encode, options, order, start};

/// A reference with a left half that the mask keeps and a right half that it gives away.
async fn edit(client: &Client, mask: Option<image::RgbaImage>) -> (image::RgbaImage, Value) {
    let reference =
        image::RgbaImage::from_fn(1024, 1024, |x, y| image::Rgba([x as u8, y as u8, (x / 4) as u8, 255]));
    let mut body = order("a blue vase");
    body["size"] = "1024x1024".into();
    body["image_urls"] = json!([client.upload(encode(&reference)).await]);
    if let Some(mask) = mask {
        body["mask_url"] = client.upload(encode(&mask)).await.into();
    }
    (reference, client.finished(&body).await)
}

#[tokio::test(start_paused = true)]
async fn a_mask_leaves_every_opaque_pixel_alone() {
    let (_emulator, client) = start(options()).await;
    let keep = |x| if x < 512 { 255 } else { 0 };
    let mask = image::RgbaImage::from_fn(1024, 1024, |x, _| image::Rgba([0, 0, 0, keep(x)]));
    let (reference, task) = edit(&client, Some(mask)).await;
    let result = image::load_from_memory(&client.picture(&task, 0).await).unwrap().to_rgba8();
    let differ = |x: u32, y: u32| reference.get_pixel(x, y) != result.get_pixel(x, y);
    let left = (0..512).flat_map(|x| (0..1024).map(move |y| (x, y))).filter(|&(x, y)| differ(x, y)).count();
    let right =
        (512..1024).flat_map(|x| (0..1024).map(move |y| (x, y))).filter(|&(x, y)| differ(x, y)).count();
    assert_eq!(left, 0);
    assert!(right > 500_000, "only {right} pixels changed");
}

/// Where a mask gives way.
fn hole(x: u32, y: u32) -> bool {
    (160..480).contains(&x) && (128..384).contains(&y)
}

#[tokio::test(start_paused = true)]
async fn a_mask_scales_with_its_reference() {
    let (_emulator, client) = start(options()).await;
    let reference = image::RgbaImage::from_fn(640, 512, |x, y| image::Rgba([x as u8, y as u8, 90, 255]));
    let photo = client.upload(encode(&reference)).await;
    let result = async |alpha: fn(u32, u32) -> u8| {
        let mask = image::RgbaImage::from_fn(640, 512, |x, y| image::Rgba([0, 0, 0, alpha(x, y)]));
        let mut body = order("a blue vase");
        body["size"] = "1280x1024".into();
        body["image_urls"] = json!([photo]);
        body["mask_url"] = client.upload(encode(&mask)).await.into();
        let task = client.finished(&body).await;
        image::load_from_memory(&client.picture(&task, 0).await).unwrap().to_rgba8()
    };
    let untouched = result(|_, _| 255).await;
    let scaled = image::imageops::resize(&reference, 1280, 1024, image::imageops::FilterType::Triangle);
    assert_eq!(untouched, scaled);
    let edited = result(|x, y| if hole(x, y) { 0 } else { 255 }).await;
    for (x, y, pixel) in edited.enumerate_pixels() {
        assert!(hole(x / 2, y / 2) || pixel == scaled.get_pixel(x, y), "{x},{y} changed");
    }
}

async fn failure(client: &Client, reference: &str, mask: Option<&str>) -> (Value, Value) {
    let mut body = order("a vase");
    body["image_urls"] = json!([reference]);
    body["mask_url"] = mask.into();
    let task = client.finished(&body).await;
    (task["error"]["code"].clone(), task["error"]["message"].clone())
}

fn rgb(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 9]));
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[tokio::test(start_paused = true)]
async fn masks_fail_with_the_documented_messages() {
    let (_emulator, client) = start(options()).await;
    let photo = client.upload(encode(&image::RgbaImage::new(64, 64))).await;
    let message = async |mask: Vec<u8>| failure(&client, &photo, Some(&client.upload(mask).await)).await.1;
    assert_eq!(
        message(encode(&image::RgbaImage::new(64, 32))).await,
        "Invalid mask image format - mask size does not match image size"
    );
    assert_eq!(
        message(rgb(64, 64, image::ImageFormat::Png)).await,
        "Invalid mask image format - mask image missing alpha channel"
    );
    assert_eq!(
        message(rgb(64, 64, image::ImageFormat::Jpeg)).await,
        "Invalid mask image format - mask image is not a PNG"
    );
    let mut torn = encode(&image::RgbaImage::new(64, 64));
    torn.truncate(torn.len() / 2);
    assert_eq!(message(torn).await, "Invalid mask image format - mask image is damaged");
}

#[tokio::test(start_paused = true)]
async fn unusable_references_fail_the_task_and_cost_nothing() {
    let (emulator, client) = start(options()).await;
    let code = async |reference: &str| failure(&client, reference, None).await.0;
    assert_eq!(code(&format!("{}/files/file-unknown/x.png", client.base)).await, "resource_not_found");
    assert_eq!(code(&format!("{}/openapi.json", client.base)).await, "invalid_parameters");
    let gif = client.upload(b"GIF89a\x01\0\x01\0\0\0\0,".to_vec()).await;
    assert_eq!(code(&gif).await, "invalid_parameters");
    let mut torn = rgb(512, 512, image::ImageFormat::Png);
    torn.truncate(torn.len() - 300);
    assert_eq!(code(&client.upload(torn).await).await, "image_processing_error");
    assert!(emulator.bills().iter().all(|bill| (bill.credits_billed - bill.credits_refunded).abs() < 1e-9));
}

#[tokio::test(start_paused = true)]
async fn local_references_are_fetched_only_where_that_is_allowed() {
    let (_files, host) = start(options()).await;
    let photo = host.upload(rgb(64, 64, image::ImageFormat::Jpeg)).await;
    let status = async |allowed: bool| {
        let (_emulator, client) = start(Options { allow_local_references: allowed, ..options() }).await;
        let mut body = order("a vase");
        body["image_urls"] = json!([photo, client.upload(rgb(64, 64, image::ImageFormat::WebP)).await]);
        client.finished(&body).await["status"].clone()
    };
    assert_eq!((status(true).await, status(false).await), (json!("completed"), json!("failed")));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_leads_to_no_place_that_a_link_could_not_name() {
    let jump = async |axum::extract::Path(to): axum::extract::Path<String>| {
        axum::response::Redirect::temporary(if to == "away" {
            "http://192.0.2.1/fox.png"
        } else {
            "/jump/again"
        })
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/jump", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/jump/{to}", axum::routing::get(jump));
    tokio::spawn(axum::serve(listener, app).into_future());
    let (_emulator, client) = start(options()).await;
    for (to, why) in [("away", "allow_remote_hosts"), ("again", "redirects too often")] {
        let (code, message) = failure(&client, &format!("{base}/{to}"), None).await;
        assert_eq!(code, "resource_not_found");
        assert!(message.as_str().unwrap().contains(why), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn pictures_repeat_by_prompt_take_and_size() {
    let (_first, one) = start(options()).await;
    let (_second, two) = start(options()).await;
    let a = one.picture(&one.finished(&order("a fox")).await, 0).await;
    let b = two.picture(&two.finished(&order("a fox")).await, 0).await;
    assert_eq!(a, b);
    let second_take = one.picture(&one.finished(&order("a fox")).await, 0).await;
    assert_ne!(a, second_take);
}

#[tokio::test(start_paused = true)]
async fn cached_pictures_have_the_wanted_length() {
    let options = Options { cached_pictures: true, picture_bytes: Some(5_000_000), ..options() };
    let (_emulator, client) = start(options).await;
    let picture = client.picture(&client.finished(&order("a fox")).await, 0).await;
    assert_eq!(picture.len(), 5_000_000);
    image::load_from_memory(&picture).unwrap();
}

/// Mean difference of the colours of two pictures of one size.
fn difference(a: &image::RgbaImage, b: &image::RgbaImage) -> f64 {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

#[tokio::test(start_paused = true)]
async fn an_edit_without_a_mask_shows_its_reference() {
    let (_emulator, client) = start(options()).await;
    let (reference, task) = edit(&client, None).await;
    let result = image::load_from_memory(&client.picture(&task, 0).await).unwrap().to_rgba8();
    let mut plain = order("a blue vase");
    plain["size"] = "1024x1024".into();
    let plain = client.finished(&plain).await;
    let plain = image::load_from_memory(&client.picture(&plain, 0).await).unwrap().to_rgba8();
    assert!(difference(&result, &reference) > 5.0, "changed");
    assert!(difference(&result, &reference) < difference(&plain, &reference) * 0.6, "recognisable");
    assert_eq!(task["usage"]["image_input_tokens"], 1024);
}

#[tokio::test(start_paused = true)]
async fn other_machines_are_not_asked_unless_allowed() {
    let (_emulator, client) = start(options()).await;
    let mut body = order("a fox");
    body["image_urls"] = json!(["http://192.0.2.1/fox.png"]);
    let task = client.finished(&body).await;
    assert_eq!(task["error"]["code"], "resource_not_found");
    assert!(task["error"]["message"].as_str().unwrap().contains("allow_remote_hosts"));
}
