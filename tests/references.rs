//! Local pictures and masks, from the manifest to the provider.

mod support;

use image::{Rgba, RgbaImage};
use imgbatch::emulator::Options;
use support::{Scene, quick};

const EDIT: &str = r#"[provider]
files_url = "URL"
[[jobs]]
id = "cup"
prompt = "{{ art }}"
images = ["photo.png"]
mask = "mask.png"
size = "1024x768"
quality = "low"
matrix.art = { fern = "a fern", swan = "a swan" }
"#;

fn draw_mask(scene: &Scene, width: u32, height: u32) {
    let mask = RgbaImage::from_fn(width, height, |x, _| Rgba([0, 0, 0, if x < 128 { 255 } else { 0 }]));
    mask.save(scene.path("mask.png")).expect("the folder is there");
}

/// A photo, and a mask of half its size whose right half is given away.
fn scene() -> Scene {
    let scene = Scene::with(Options { cached_pictures: false, ..quick() });
    let photo = RgbaImage::from_fn(512, 384, |x, y| Rgba([(x / 2) as u8, (y / 2) as u8, 90, 255]));
    photo.save(scene.path("photo.png")).expect("the folder is there");
    draw_mask(&scene, 256, 192);
    scene
}

#[test]
fn a_mask_of_another_size_is_scaled_only_where_that_is_asked_for() {
    let scene = scene();
    let exact = EDIT.replace("URL", &scene.base_url);
    scene.manifest(&exact);
    scene.run(&[]).exits(2).says(&["the mask is 256x192, but the picture is 512x384", "fit = \"resize\""]);
    scene.manifest(&format!("{exact}fit = \"fill\"\n"));
    scene.run(&[]).exits(2).says(&["`fit` is `fill`", "`resize`"]);
    let mask = std::fs::read(scene.path("mask.png")).unwrap();

    scene.manifest(&format!("{exact}fit = \"resize\"\n"));
    scene.run(&[]).exits(0);
    // The photo and one copy of the mask, for two jobs.
    assert_eq!((scene.stats().uploads, scene.stats().tasks_created), (2, 2));
    assert_eq!(std::fs::read(scene.path("mask.png")).unwrap(), mask, "the user's file is as it was");
    let made = image::open(scene.picture("cup/art=fern.png")).unwrap().into_rgba8();
    let photo = image::open(scene.path("photo.png")).unwrap();
    let photo = photo.resize_exact(1024, 768, image::imageops::FilterType::Triangle).into_rgba8();
    let differs = |from: u32, to: u32| {
        let far =
            |x: u32, y: u32| (0..3).any(|c| made.get_pixel(x, y)[c].abs_diff(photo.get_pixel(x, y)[c]) > 3);
        (from..to)
            .step_by(4)
            .flat_map(|x| (0..768).step_by(4).map(move |y| (x, y)))
            .filter(|(x, y)| far(*x, *y))
            .count()
    };
    assert_eq!(differs(0, 500), 0, "the kept half is the photo");
    assert!(differs(530, 1024) > 1000, "the other half is painted anew");

    scene.run(&[]).exits(0);
    assert_eq!(scene.stats().tasks_created, 2);
    let plan = scene.call(&["plan", "m.toml", "--out", "out", "--json"]).exits(0).json();
    assert!(plan["jobs"].as_array().unwrap().iter().all(|job| job["action"] == "reuse"), "{plan}");
}

#[test]
fn a_mask_of_other_proportions_is_stretched_with_a_warning() {
    let scene = scene();
    draw_mask(&scene, 256, 256);
    scene.manifest(&format!("{}fit = \"resize\"\n", EDIT.replace("URL", &scene.base_url)));
    scene.run(&[]).exits(0).says(&["the mask of 256x256 is stretched to 512x384"]);
}

#[test]
fn a_damaged_picture_is_found_before_the_submission() {
    let scene = scene();
    let whole = std::fs::read(scene.path("photo.png")).unwrap();
    for (damage, said) in [(&whole[..whole.len() / 2], "it is cut short"), (&whole[..20], "photo.png")] {
        std::fs::write(scene.path("photo.png"), damage).unwrap();
        scene.manifest(&EDIT.replace("URL", &scene.base_url));
        scene.run(&[]).exits(2).says(&[said]);
    }
    assert_eq!(scene.stats().uploads, 0);
}

#[test]
fn a_bad_mask_does_not_hide_what_else_is_wrong() {
    let scene = scene();
    let text = EDIT.replace("URL", &scene.base_url).replace("\"low\"", "\"lo\"");
    scene.manifest(&text);
    scene.run(&[]).exits(2).says(&["mask.png: the mask is 256x192", "quality `lo`"]);
}

#[test]
fn a_picture_of_another_size_is_told_and_listed() {
    let scene = Scene::new("");
    scene.wishes(&[("odd", "wrong-size"), ("even", "")]);
    let done = scene.run(&[]).exits(0).json();
    assert_eq!(done["images"]["other_size"], 1);
    let status = scene.call(&["status", "out"]);
    assert!(status.stdout.contains("1 picture in another size than promised"), "{status}");
    let check = scene.call(&["check", "out"]);
    assert!(check.stdout.contains("other_size") && check.stdout.contains("odd.png"), "{check}");
    assert_eq!(check.code, 0, "{check}");
}

#[test]
fn a_failed_job_that_is_ordered_again_uploads_its_pictures_anew() {
    let scene = Scene::new("fail:image_processing_error@1");
    let photo = RgbaImage::from_pixel(512, 384, Rgba([9, 99, 199, 255]));
    photo.save(scene.path("photo.png")).unwrap();
    let job = EDIT.replace("mask = \"mask.png\"\n", "").replace("URL", &scene.base_url);
    scene.manifest(&job);
    scene.run(&[]).exits(3);
    assert_eq!(scene.stats().uploads, 1);
    scene.run(&["--only", "failed"]).exits(0);
    assert_eq!(scene.stats().uploads, 2);
}

#[test]
fn the_words_of_the_api_lead_to_those_of_a_manifest() {
    let scene = Scene::new("");
    scene.manifest("[[jobs]]\nprompt = \"a fox\"\nimage_urls = [\"https://example.com/a.png\"]\n");
    scene.run(&[]).exits(2).says(&["unknown key `image_urls`", "did you mean `images`?"]);
}
