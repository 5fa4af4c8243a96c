//! The client against a server that counts: one call, one request.

use bytes::Bytes;

use super::stub::{CANARY, Script, Stub, client};
use super::*;
use crate::job::Credits;

const TASK: &str = "HTTP/1.1 200 OK\r\nidempotency-replayed: true\r\nx-request-id: r-1\r\ncontent-length: 62\r\n\r\n\
    {\"id\":\"t-1\",\"status\":\"pending\",\"usage\":{\"credits_reserved\":2}}";

fn ok(body: &str) -> &'static str {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).leak()
}

async fn submit(stub: &Stub) -> Submission {
    stub.client().submit(Bytes::from_static(b"{\"n\":1}"), "key-0123456789abcdef").await
}

fn doubt(outcome: Submission) -> Doubt {
    match outcome {
        Submission::Unknown(doubt) => doubt,
        other => panic!("{other:?} is no doubt"),
    }
}

#[tokio::test]
async fn a_submission_is_the_given_bytes_once_with_both_keys() {
    let stub = Stub::start(Script::Answer(ok(r#"{"id":"t-1","status":"completed","results":["u"]}"#))).await;
    let Submission::Accepted(accepted) = submit(&stub).await else { panic!("not accepted") };
    assert_eq!(accepted.task.status, Status::Completed { links: vec!["u".into()] });
    assert!(!accepted.replayed);
    let requests = stub.requests();
    assert_eq!(requests.len(), 1);
    let request = requests[0].to_ascii_lowercase();
    assert!(request.starts_with("post /v1/images/generations http/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"n\":1}"), "{request}");
    for header in [
        format!("\r\nauthorization: bearer {CANARY}\r\n"),
        "\r\nidempotency-key: key-0123456789abcdef\r\n".into(),
        "\r\ncontent-type: application/json\r\n".into(),
        concat!("\r\nuser-agent: imgbatch/", env!("CARGO_PKG_VERSION"), "\r\n").into(),
    ] {
        assert!(request.contains(&header), "{header} is not in {request}");
    }
}

#[tokio::test]
async fn every_fault_after_sending_is_one_request_and_a_doubt() {
    let here = |status: &str| {
        let answer =
            format!("HTTP/1.1 {status}\r\nlocation: /v1/images/generations\r\ncontent-length: 0\r\n\r\n");
        Script::Answer(answer.leak())
    };
    for (name, script) in [
        ("reset", Script::Reset),
        ("no answer", Script::AnswerAndClose("")),
        ("half a head", Script::AnswerAndClose("HTTP/1.1 200 OK\r\nconte")),
        (
            "half a body",
            Script::AnswerAndClose("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"id\":\"t-1\"}"),
        ),
        (
            "broken chunks",
            Script::AnswerAndClose("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id"),
        ),
        ("no HTTP", Script::AnswerAndClose("hello\r\n\r\n")),
        ("301", here("301 Moved")),
        ("302", here("302 Found")),
        ("307", here("307 Temporary Redirect")),
        ("308", here("308 Permanent Redirect")),
        ("408", Script::AnswerAndClose("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")),
        ("421", Script::Answer("HTTP/1.1 421 Misdirected\r\ncontent-length: 0\r\n\r\n")),
        ("503", Script::Answer("HTTP/1.1 503 Sorry\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n")),
    ] {
        let stub = Stub::start(script).await;
        let _ = doubt(submit(&stub).await);
        assert_eq!((stub.requests().len(), stub.connections()), (1, 1), "{name}");
    }
}

/// Another host, another port, another scheme: nobody there hears a word.
#[tokio::test]
async fn no_redirect_takes_the_key_elsewhere() {
    let away = Stub::start(Script::Answer(TASK)).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    for code in [301, 302, 303, 307, 308] {
        for place in 0..3 {
            let stub = Stub::redirecting(code, |here| match place {
                0 => here.replace("127.0.0.1", "localhost"),
                1 => away.url.clone(),
                _ => here.replace("http:", "https:"),
            })
            .await;
            let client = stub.client();
            let _ = client.submit(Bytes::from_static(b"{}"), "key-0123456789abcdef").await;
            let _ = client.read("t-1").await;
            let _ = client.read_many(&["t-1".to_owned()]).await;
            let _ = client.credits().await;
            let _ = client.list(&Filter::default()).await;
            let _ = client.upload(file.path(), "x.png", "image/png").await;
            assert_eq!(stub.requests().len(), 6, "{code} to place {place}");
            // Where the place is the stub itself, a follower would come as a seventh.
            assert_eq!((stub.connections(), away.connections()), (6, 0), "{code} to place {place}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_closes_at_once_is_not_opened_again() {
    let stub = Stub::start(Script::CloseAtOnce).await;
    let _ = doubt(submit(&stub).await);
    assert_eq!(stub.connections(), 1);
}

#[tokio::test]
async fn half_an_answer_is_kept_as_evidence() {
    let stub = Stub::start(Script::AnswerAndClose(
        "HTTP/1.1 200 OK\r\nx-request-id: r-7\r\ncontent-length: 99\r\n\r\n{\"id\":\"t-1\"}",
    ))
    .await;
    let doubt = doubt(submit(&stub).await);
    assert_eq!((doubt.http_status, doubt.request_id.as_deref()), (Some(200), Some("r-7")));
    assert_eq!(doubt.response.as_deref(), Some("{\"id\":\"t-1\"}"));
}

#[tokio::test]
async fn submissions_share_no_connection() {
    let stub = Stub::start(Script::Answer(TASK)).await;
    let client = stub.client();
    for _ in 0..3 {
        let outcome = client.submit(Bytes::from_static(b"{}"), "key-0123456789abcdef").await;
        assert!(matches!(outcome, Submission::Accepted(task) if task.replayed && task.request_id.is_some()));
    }
    assert_eq!(stub.connections(), 3);
}

#[tokio::test]
async fn a_closed_port_and_a_bad_key_are_never_sent() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = client(&format!("http://{port}")).submit(Bytes::new(), "key").await;
    assert!(matches!(outcome, Submission::NeverSent { .. }), "{outcome:?}");
    let stub = Stub::start(Script::Answer(TASK)).await;
    let outcome = stub.client().submit(Bytes::new(), "a\nb").await;
    assert!(matches!(outcome, Submission::NeverSent { .. }), "{outcome:?}");
    assert_eq!(stub.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tls_handshake_that_hangs_is_never_sent() {
    let stub = Stub::start(Script::Deaf).await;
    let before = tokio::time::Instant::now();
    let outcome = client(&stub.url.replace("http:", "https:")).submit(Bytes::new(), "key").await;
    assert!(matches!(outcome, Submission::NeverSent { .. }), "{outcome:?}");
    // Not at once: without TLS in the build, https would fail before it connects.
    assert_eq!((before.elapsed().as_secs(), stub.connections()), (15, 1));
}

#[tokio::test]
async fn a_failed_tls_handshake_is_never_sent() {
    let stub = Stub::start(Script::CloseAtOnce).await;
    let outcome = client(&stub.url.replace("http:", "https:")).submit(Bytes::new(), "key").await;
    assert!(matches!(outcome, Submission::NeverSent { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_a_doubt_after_the_timeout() {
    let stub = Stub::start(Script::Hang).await;
    let before = tokio::time::Instant::now();
    let _ = doubt(submit(&stub).await);
    assert_eq!(before.elapsed().as_secs(), 120);
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn an_endless_answer_is_cut_at_its_bound() {
    let body = " ".repeat(1024 * 1024) + "{\"id\":\"t-1\"}";
    let stub = Stub::start(Script::Answer(ok(&body))).await;
    let doubt = doubt(submit(&stub).await);
    assert_eq!(doubt.http_status, Some(200));
    assert!(doubt.response.unwrap().len() <= 4096);
}

#[tokio::test]
async fn the_key_is_in_no_answer_error_or_debug_output() {
    let echo = format!(
        "HTTP/1.1 401 No\r\ncontent-length: {}\r\n\r\n{{\"error\":{{\"code\":\"unauthorized\",\"message\":\"bad key {CANARY}\"}}}}",
        63 + CANARY.len() - 8
    );
    let stub = Stub::start(Script::AnswerAndClose(echo.leak())).await;
    let client = stub.client();
    let outcome = client.submit(Bytes::new(), "key").await;
    let look = client.read("t-1").await;
    let html = Stub::start(Script::AnswerAndClose(
        format!("HTTP/1.1 500 No\r\ncontent-length: {}\r\n\r\n{CANARY}", CANARY.len()).leak(),
    ))
    .await;
    let page = submit(&html).await;
    let printed = format!("{client:?} {outcome:?} {look:?} {page:?}");
    assert!(printed.contains("[key]"), "{printed}");
    assert!(!printed.contains("canary"), "{printed}");
}

#[test]
fn keys_that_no_header_carries_are_refused_without_printing_them() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for key in ["", "canary\n", "canary key", "canaré"] {
        let config = Config::new("https://h".parse().unwrap(), key.into());
        assert!(!format!("{config:?}").contains("cana"));
        let error = Client::new(config).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("cana"));
    }
}

#[tokio::test]
async fn a_look_is_about_the_task_that_was_asked_for() {
    for (body, good) in [
        (r#"{"id":"t-1","status":"processing","progress":40}"#, true),
        (r#"{"status":"processing"}"#, true),
        (r#"{"id":"t-1","status":"failed","error":{"code":7,"message":"m"}}"#, true),
        (r#"{"id":"t-2","status":"processing"}"#, false),
        (r#"{"id":5,"status":"processing"}"#, false),
        (r#"{"error":{"code":"x"}}"#, false),
        ("[]", false),
        ("<html>", false),
        ("{\"id\":\"t-1\"", false),
    ] {
        let stub = Stub::start(Script::Answer(ok(body))).await;
        let look = stub.client().read("t-1").await;
        assert_eq!(look.is_ok(), good, "{body}: {look:?}");
        assert!(matches!(look, Ok(_) | Err(LookError::Transient { .. })));
        assert!(stub.requests()[0].starts_with("GET /v1/tasks/t-1 "));
    }
}

#[tokio::test]
async fn only_the_api_itself_says_that_a_task_is_gone() {
    let error = |status: &str, headers: &str, body: &str| {
        let text = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
        Script::Answer(text.leak())
    };
    let shape = r#"{"error":{"code":"task_not_found","message":"m"}}"#;
    for (script, expected) in [
        (error("404", "", shape), "NotFound"),
        (error("400", "", r#"{"error":{"code":"invalid_task_id"}}"#), "NotFound"),
        (error("404", "", "<html>"), "Transient"),
        (error("401", "", shape), "KeyRefused"),
        (error("402", "", shape), "KeyRefused"),
        (error("403", "", shape), "KeyRefused"),
        (error("403", "", "<html>"), "Transient"),
        (error("429", "retry-after: 9\r\n", ""), "Throttled { retry_after: Some(9s)"),
        (error("500", "", shape), "Transient"),
        (error("307", "location: /v1/credits\r\n", ""), "Transient"),
    ] {
        let stub = Stub::start(script).await;
        let look = format!("{:?}", stub.client().read("t-1").await.unwrap_err());
        assert!(look.starts_with(expected), "{look} is no {expected}");
        assert_eq!(stub.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_batch_read_keeps_what_was_asked_for() {
    let wanted = ["a".to_owned(), "b".to_owned()];
    let rows = r#"{"data":[{"id":"b","status":"pending"},{"id":"foreign"},{"id":"b","status":"failed"},7]}"#;
    let stub = Stub::start(Script::Answer(ok(rows))).await;
    let ManyLooks::Tasks(tasks) = stub.client().read_many(&wanted).await else { panic!("no tasks") };
    assert_eq!(tasks.len(), 1);
    assert_eq!((tasks[0].id.as_str(), &tasks[0].status), ("b", &Status::Pending));
    assert!(stub.requests()[0].ends_with(r#"{"task_ids":["a","b"]}"#));
    for (answer, expected) in [
        ("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", "Unsupported"),
        ("HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n", "Unsupported"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "Unsupported"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n<h", "Failed(Transient"),
        ("HTTP/1.1 429 No\r\ncontent-length: 0\r\n\r\n", "Failed(Throttled"),
        ("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", "Failed(Transient"),
        ("", "Failed(Transient"),
    ] {
        let stub = Stub::start(Script::AnswerAndClose(answer)).await;
        let looks = format!("{:?}", stub.client().read_many(&wanted).await);
        assert!(looks.starts_with(expected), "{looks} is no {expected}");
        assert_eq!(stub.requests().len(), 1);
    }
}

#[tokio::test]
async fn the_balance_and_the_list_are_read() {
    let stub = Stub::start(Script::Answer(ok(r#"{"data":{"token":{"remaining_credits":1.5}}}"#))).await;
    assert_eq!(stub.client().credits().await.unwrap().key_remaining, Credits::from_f64(1.5));
    let stub = Stub::start(Script::Answer(ok(r#"{"data":[],"total":0}"#))).await;
    let filter = Filter { status: Some("processing".into()), ..Filter::default() };
    assert_eq!(stub.client().list(&filter).await.unwrap().total, Some(0));
    assert!(
        stub.requests()[0].starts_with("GET /v1/tasks?type=image&page=1&page_size=50&status=processing ")
    );
}

#[tokio::test]
async fn an_upload_needs_a_host_and_a_file() {
    let stub = Stub::start(Script::Answer(TASK)).await;
    let missing = stub.client().upload("/nowhere/x.png".as_ref(), "x.png", "image/png").await;
    assert!(matches!(missing, Err(UploadError::File(_))), "{missing:?}");
    let config = Config::new(stub.url.parse().unwrap(), CANARY.into());
    let nowhere = Client::new(config).unwrap().upload("x".as_ref(), "x", "image/png").await;
    assert!(matches!(nowhere, Err(UploadError::NoFilesUrl)), "{nowhere:?}");
    assert_eq!(stub.connections(), 0);
}

#[tokio::test]
async fn an_upload_streams_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"PICTURE").unwrap();
    for (body, expected) in [
        (
            r#"{"success":true,"data":{"file_url":"https://f/x.png","expires_at":"2026-11-25T00:00:00Z"}}"#,
            "Ok(Uploaded",
        ),
        (r#"{"success":true,"data":{}}"#, "Err(Failed(Transient"),
        (r#"{"success":false,"code":40001,"msg":"too large"}"#, "Err(Refused"),
        (r#"{"success":false,"code":50001,"msg":"storage"}"#, "Err(Failed(Transient"),
    ] {
        let stub = Stub::start(Script::Answer(ok(body))).await;
        let result = format!("{:?}", stub.client().upload(file.path(), "x.png", "image/png").await);
        assert!(result.starts_with(expected), "{result} is no {expected}");
        let request = stub.requests().remove(0);
        assert!(request.starts_with("POST /api/v1/files/upload/stream "), "{request}");
        assert!(
            request.contains("PICTURE") && request.contains("name=\"file\"; filename=\"x.png\""),
            "{request}"
        );
    }
}
