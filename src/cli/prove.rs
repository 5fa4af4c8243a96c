//! `imgbatch doctor --prove-idempotency`: the same submission twice under one
//! key, with the cheapest picture there is.

use bytes::Bytes;

use super::Usage;
use super::ask::{confirm, is_terminal};
use super::connect::Provider;
use crate::account::{Account, AccountError, Proof, state_folder};
use crate::api::{self, Client, Submission};
use crate::job::Request;

/// The cheapest picture: 0.11383 credits for its pixels, and a few words.
const PRICE: &str = "0.11 credits (at worst 0.23)";

/// Buys, asks again, and remembers what that showed.
pub(super) async fn prove(client: &Client, provider: &Provider, yes: bool) -> anyhow::Result<Proof> {
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
    let body = Bytes::from(api::body(&cheapest(), |_| String::new()));
    let key = format!("imgbatch-proof-{:032x}", fastrand::u128(..));
    let first = match client.submit(body.clone(), &key).await {
        Submission::Accepted(accepted) => accepted,
        other => {
            return Err(Usage::error(format!(
                "the first submission was not taken, so nothing is proven: {}",
                said(&other)
            )));
        }
    };
    let (honoured, why) = judge(&first.task.id, &client.submit(body, &key).await);
    let proof = Proof { honoured, why, at: jiff::Timestamp::now().as_millisecond() };
    account.set_proof(&provider.base_url, &proof)?;
    Ok(proof)
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
