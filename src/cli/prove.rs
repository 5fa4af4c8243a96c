//! `imgbatch doctor --prove-idempotency`: the same submission twice under one
//! key, with the cheapest picture there is.

use bytes::Bytes;
use jiff::Zoned;

use super::Usage;
use super::ask::{confirm, is_terminal};
use super::connect::Provider;
use crate::account::{Account, AccountError, Limits, Proof, Spent, state_folder};
use crate::api::{self, Client, Submission};
use crate::job::Request;
use crate::model::Prices;

/// The cheapest picture: 0.11383 credits for its pixels, and a few words.
const PRICE: &str = "0.11 credits (at worst 0.23)";

/// Buys, asks again, and remembers what that showed. What it may cost is
/// reserved in the account of all runs, and must be within its limits.
pub(super) async fn prove(
    client: &Client,
    provider: &Provider,
    limits: &Limits,
    yes: bool,
) -> anyhow::Result<Proof> {
    let question = format!("Buy the cheapest picture for about {PRICE} from {}?", provider.base_url);
    if !yes && !is_terminal() {
        return Err(Usage::error(format!(
            "this costs about {PRICE}, and there is no terminal to ask on: pass --yes"
        )));
    }
    if !yes && !confirm(&question)? {
        return Err(Usage::error("nothing was bought"));
    }
    // Where the answer can't be kept, nothing is bought for it.
    let folder = state_folder(|name| std::env::var_os(name)).ok_or(AccountError::Nowhere)?;
    let account = Account::open(&folder)?;
    let request = cheapest();
    let price = Prices::published().estimate(&request).unwrap_or_default();
    let body = Bytes::from(api::body(&request, |_| String::new()));
    let key = format!("imgbatch-proof-{:032x}", fastrand::u128(..));
    if let Some(short) = account.reserve(&key, price.times(2), limits, &Zoned::now())? {
        return Err(Usage::error(format!("nothing was bought: {short}")));
    }
    let first = match client.submit(body.clone(), &key).await {
        Submission::Accepted(accepted) => accepted,
        other => {
            if !may_be_billed(&other) {
                account.release(&key)?;
            }
            return Err(Usage::error(format!(
                "the first submission was not taken, so nothing is proven: {}",
                said(&other)
            )));
        }
    };
    let repeat = client.submit(body, &key).await;
    let (honoured, why) = judge(&first.task.id, &repeat);
    let now = jiff::Timestamp::now().as_millisecond();
    if honoured || !(may_be_billed(&repeat) || matches!(repeat, Submission::Accepted(_))) {
        let amount = first.task.used.or(first.task.reserved).unwrap_or(price);
        account.follow([Spent { key: &key, at: now, amount }].into_iter())?;
    }
    let proof = Proof { honoured, why, at: now };
    account.set_proof(&provider.base_url, &proof)?;
    Ok(proof)
}

/// Nobody knows whether this one was paid for.
fn may_be_billed(submission: &Submission) -> bool {
    matches!(submission, Submission::Unknown(_) | Submission::Undecided(_) | Submission::Conflict(_))
}

/// What a repeat says about the key of the task `first`. Pure.
fn judge(first: &str, repeat: &Submission) -> (bool, String) {
    match repeat {
        Submission::Accepted(again) if again.task.id == first && again.replayed => {
            (true, "keys are honoured: a repeat named the original task".into())
        }
        Submission::Accepted(again) if again.task.id == first => {
            (false, "a repeat named the original task and did not say that it was one: not relied on".into())
        }
        Submission::Accepted(again) => {
            (false, format!("keys are ignored: a repeat of {first} made {}", again.task.id))
        }
        other => (false, format!("a repeat of {first} was answered with: {}", said(other))),
    }
}

fn said(submission: &Submission) -> String {
    match submission {
        Submission::Accepted(accepted) => format!("task {}", accepted.task.id),
        Submission::Refused(refusal)
        | Submission::BalanceRefused(refusal)
        | Submission::KeyRefused(refusal)
        | Submission::Conflict(refusal) => format!("HTTP {} {}", refusal.http_status, refusal.code),
        Submission::Throttled(delay) | Submission::Unavailable(delay) | Submission::Undecided(delay) => {
            format!("HTTP {} {}", delay.refusal.http_status, delay.refusal.code)
        }
        Submission::NeverSent { why } => why.clone(),
        Submission::Unknown(doubt) => doubt.why.clone(),
    }
}

/// Size, tier and quality of the cheapest published price.
fn cheapest() -> Request {
    Request {
        model: "gpt-image-2".into(),
        prompt: "a grey stone".into(),
        size: "3:1".into(),
        resolution: Some("1K".into()),
        quality: "low".into(),
        n: 1,
        background: None,
        images: vec![],
        mask: None,
        callback_url: None,
    }
}
