//! Whether another paid try may help after a task failed.

use std::time::Duration;

/// What the code of a failed task allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request fails again.
    Never,
    /// Another try may help, after this wait at least and a limited number
    /// of times.
    Paid {
        /// The least wait.
        after: Duration,
    },
    /// Another try may help, but only where the user asks for it.
    OnlyIfAsked,
}

/// The second table of section 5 of the API facts. A code that it does not
/// name never buys again.
#[must_use]
pub fn may_try_again(code: &str) -> Retry {
    match code {
        "service_error"
        | "generation_timeout"
        | "resource_exhausted"
        | "quota_exceeded"
        | "service_unavailable" => Retry::Paid { after: Duration::from_secs(30) },
        "generation_failed_no_content" => Retry::OnlyIfAsked,
        // content_policy_violation, invalid_parameters, image_processing_error,
        // image_dimension_mismatch, request_cancelled, resource_not_found,
        // unknown_error, and every code that nobody documented.
        _ => Retry::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_codes_buy_again() {
        for code in [
            "service_error",
            "generation_timeout",
            "resource_exhausted",
            "quota_exceeded",
            "service_unavailable",
        ] {
            assert_eq!(may_try_again(code), Retry::Paid { after: Duration::from_secs(30) }, "{code}");
        }
        assert_eq!(may_try_again("generation_failed_no_content"), Retry::OnlyIfAsked);
        for code in [
            "content_policy_violation",
            "invalid_parameters",
            "image_processing_error",
            "image_dimension_mismatch",
            "request_cancelled",
            "resource_not_found",
            "unknown_error",
            "",
            "SERVICE_ERROR",
            "500",
        ] {
            assert_eq!(may_try_again(code), Retry::Never, "{code}");
        }
    }
}
