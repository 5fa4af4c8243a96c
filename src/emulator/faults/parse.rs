//! Faults as text: `429=0.05,500@3,fail:content_policy_violation@7,seed=4`.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::kind::{FAULT_NAMES, Fault, Kind, Site};
use super::{Faults, Rule, When};

/// A fault rule could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseFaultsError {
    /// No fault has this name.
    #[error("unknown fault `{name}`{suggestion}")]
    UnknownFault {
        /// The name as written.
        name: String,
        /// A help text, ready to append.
        suggestion: String,
    },
    /// The part behind `=` is not a probability.
    #[error("`{rule}`: `{text}` is not a probability from 0 to 1")]
    Probability {
        /// The whole rule.
        rule: String,
        /// The offending part.
        text: String,
    },
    /// The part behind `@` is not a position.
    #[error("`{rule}`: `{text}` is not a position such as `3` or `3-5`, counted from 1")]
    Position {
        /// The whole rule.
        rule: String,
        /// The offending part.
        text: String,
    },
    /// The argument is missing or makes no sense for this fault.
    #[error("`{rule}`: {wanted}")]
    Argument {
        /// The whole rule.
        rule: String,
        /// What the fault wants.
        wanted: &'static str,
    },
    /// `seed=` wants a whole number.
    #[error("`{0}`: the seed is a whole number")]
    Seed(String),
}

impl FromStr for Faults {
    type Err = ParseFaultsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut faults = Self::default();
        for rule in text.split(',').map(str::trim).filter(|rule| !rule.is_empty()) {
            if let Some(seed) = rule.strip_prefix("seed=") {
                faults.seed = seed.parse().map_err(|_| ParseFaultsError::Seed(rule.to_owned()))?;
            } else if let Some(wait) = rule.strip_prefix("retry-after=") {
                check_retry_after(rule, wait)?;
                faults.retry_after = Some(wait.to_owned());
            } else {
                faults.rules.push(parse_rule(rule)?);
            }
        }
        Ok(faults)
    }
}

fn parse_rule(rule: &str) -> Result<Rule, ParseFaultsError> {
    let (head, when) = if let Some((head, text)) = rule.split_once('@') {
        let range = parse_range(text)
            .ok_or_else(|| ParseFaultsError::Position { rule: rule.into(), text: text.into() })?;
        (head, When::Numbers(range))
    } else if let Some((head, text)) = rule.rsplit_once('=') {
        let probability = text.parse().ok().filter(|p| (0.0..=1.0).contains(p));
        let probability = probability
            .ok_or_else(|| ParseFaultsError::Probability { rule: rule.into(), text: text.into() })?;
        (head, When::Probability(probability))
    } else {
        (rule, When::Probability(1.0))
    };
    let (name, argument) = match head.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (head, None),
    };
    let fault = parse_fault(name, argument)?;
    check_argument(rule, &fault)?;
    Ok(Rule { fault, when })
}

fn parse_range(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = first.parse().ok()?..=last.parse().ok()?;
    (*range.start() > 0 && !range.is_empty()).then_some(range)
}

/// A fault by name; a download fault may end in `-once`.
pub(super) fn parse_fault(name: &str, argument: Option<&str>) -> Result<Fault, ParseFaultsError> {
    let (kind, once) = match (Kind::parse(name), name.strip_suffix("-once")) {
        (Some(kind), _) => (Some(kind), false),
        (None, Some(base)) => (Kind::parse(base).filter(|kind| kind.site() == Site::Download), true),
        (None, None) => (None, false),
    };
    let kind = kind.ok_or_else(|| ParseFaultsError::UnknownFault {
        name: name.to_owned(),
        suggestion: suggestion(name),
    })?;
    Ok(Fault { kind, argument: argument.map(str::to_owned), once })
}

/// What the files host answers (section 7).
const UPLOAD_CODES: [&str; 5] = ["40001", "40002", "40003", "40004", "50001"];

fn takes_number(kind: Kind) -> bool {
    let seconds = [Kind::Slow, Kind::SlowBytes, Kind::Unlisted, Kind::CallbackLate];
    let counts = [Kind::NoLinks, Kind::Fewer, Kind::CallbackTwice];
    seconds.contains(&kind) || counts.contains(&kind)
}

fn check_argument(rule: &str, fault: &Fault) -> Result<(), ParseFaultsError> {
    let bad = |wanted| Err(ParseFaultsError::Argument { rule: rule.to_owned(), wanted });
    match (fault.kind, fault.argument()) {
        (Kind::Fail | Kind::Refuse, None | Some("")) => {
            bad("name the error code, as in `fail:service_error`")
        }
        (Kind::Throttle, Some(wait)) => check_retry_after(rule, wait),
        (Kind::Internal | Kind::BadGateway | Kind::GatewayTimeout, Some(text)) if text != "billed" => {
            bad("the only argument is `billed`")
        }
        (Kind::CallbackForged, Some(text)) if !["completed", "failed"].contains(&text) => {
            bad("the argument is `completed` or `failed`")
        }
        (Kind::RefuseUpload, Some(text)) if !UPLOAD_CODES.contains(&text) => {
            bad("the argument is 40001, 40002, 40003, 40004 or 50001")
        }
        (kind, Some(text)) if takes_number(kind) && text.parse::<u32>().is_err() => {
            bad("the argument is a whole number, as in `slow:120`")
        }
        _ => Ok(()),
    }
}

fn check_retry_after(rule: &str, text: &str) -> Result<(), ParseFaultsError> {
    let known = ["date", "none", "negative", "huge"].contains(&text) || text.parse::<u32>().is_ok();
    if known {
        return Ok(());
    }
    let wanted = "retry-after is seconds, `date`, `none`, `negative` or `huge`";
    Err(ParseFaultsError::Argument { rule: rule.to_owned(), wanted })
}

fn suggestion(name: &str) -> String {
    let nearest = FAULT_NAMES
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 1 + name.len() / 4);
    match nearest {
        Some((_, known)) => format!(", did you mean `{known}`?"),
        None => format!("; the faults are: {}", FAULT_NAMES.join(" ")),
    }
}
