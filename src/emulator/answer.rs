//! Answers in the API's shapes: errors with a code and a request id, JSON, HTML.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Carries the request id that support would ask for.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request that is answered with an error (section 5 of the API facts).
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) param: Option<&'static str>,
    pub(super) retry_after: Option<String>,
}

/// The code of a refusal, left on the response for the statistics.
#[derive(Clone, Debug)]
pub(super) struct RefusedCode(pub(super) String);

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), param: None, retry_after: None }
    }

    /// 400 for a body that can't be understood.
    pub(super) fn request(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", message)
    }

    /// 400 for a property with an impossible value.
    pub(super) fn parameter(param: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(param), ..Self::new(400, "invalid_parameters", message) }
    }

    /// For a request that broke before anyone looked at it.
    pub(super) fn unreadable(status: StatusCode) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(413, "request_too_large", "The body is too large"),
            _ => Self::new(status.as_u16(), "invalid_request", "The request can't be read"),
        }
    }

    /// 429, with what `Retry-After` says.
    pub(super) fn throttled(retry_after: Option<String>) -> Self {
        let refusal = Self::new(429, "rate_limit_exceeded", "Too many requests, slow down");
        Self { retry_after, ..refusal }
    }

    fn kind(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            402 => "insufficient_quota_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let id = request_id();
        let mut error = json!({
            "code": self.code, "message": self.message, "type": self.kind(), "request_id": id,
        });
        if let Some(param) = self.param {
            error["param"] = param.into();
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        set_header(&mut response, REQUEST_ID, &id);
        if let Some(wait) = &self.retry_after {
            set_header(&mut response, header::RETRY_AFTER, wait);
        }
        response.extensions_mut().insert(RefusedCode(self.code));
        response
    }
}

/// Sets a header whose text is known to be printable; anything else is left out.
pub(super) fn set_header(response: &mut Response, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
}

/// A request id in the look of the gateway's.
pub(super) fn request_id() -> String {
    format!("req-{}", random_text(20))
}

/// So many of `a-z0-9`.
pub(super) fn random_text(len: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..len).map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())])).collect()
}

/// A page such as proxies answer with.
pub(super) fn html(status: StatusCode, title: &str) -> Response {
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

/// A complete answer of 200 whose JSON document stops half way.
pub(super) fn half(document: &Value) -> Response {
    let text = document.to_string();
    let cut = text.floor_char_boundary(text.len() / 2);
    let body = Body::from(text[..cut].to_owned());
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
