//! `imgbatch doctor`: what stands between a user and a good run, each with
//! what to do about it. Asks the API one free question; buys only with
//! `--prove-idempotency`, after asking.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::connect::Provider;
use super::exit::Exit;
use super::settings::{self, PaceArgs};
use super::{print, prove, source};
use crate::account::Limits;
use crate::api::{Balance, Health, LookError};
use crate::events::{bytes, printable};
use crate::ledger::{FILE_NAME, Reader};
use crate::runner::left;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest whose provider and folder are checked.
    manifest: Option<PathBuf>,
    /// The output folder [default: the manifest's].
    #[arg(long, env = "IMGBATCH_OUT", value_name = "DIR")]
    out: Option<PathBuf>,
    /// The API's address, such as `https://api.example.com`.
    #[arg(long, env = "IMGBATCH_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// Buy the cheapest picture, once or at worst twice, to learn whether the API honours
    /// idempotency keys; the answer is remembered for its address.
    #[arg(long)]
    prove_idempotency: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    text: String,
    #[serde(skip)]
    exit: Exit,
}

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    exit_code: u8,
    checks: &'a [Check],
}

/// Less free room than this is worth a word.
const LITTLE_ROOM: u64 = 2 << 30;

/// A clock that is further off makes link and key deadlines wrong.
const CLOCK_WARN: Duration = Duration::from_secs(30);
const CLOCK_FAIL: Duration = Duration::from_mins(10);

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    let plan = args.manifest.as_deref().map(|manifest| source::load(manifest, None)).transpose()?;
    let out = match (&args.out, &plan) {
        (Some(out), _) => Some(out.clone()),
        (None, Some(plan)) => Some(source::out_dir(plan, None, false)),
        (None, None) => None,
    };
    let base_url = args.base_url.as_deref();
    let named = match &plan {
        Some(plan) => Provider::resolve(plan.manifest(), base_url, false),
        None => Provider::without_manifest(base_url),
    };
    let mut checks = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let limits = match &plan {
        Some(plan) => settings::limits(&PaceArgs::default(), &plan.manifest().budget, plan.prices())?,
        None => Limits::default(),
    };
    runtime.block_on(provider(args, named, &limits, &mut checks))?;
    let folder = out.unwrap_or_else(|| PathBuf::from("."));
    checks.push(disk(&folder));
    checks.push(permissions(&folder));
    checks.extend(ledger(&folder));
    let failed: Vec<Exit> =
        checks.iter().filter(|check| check.verdict == Verdict::Fail).map(|check| check.exit).collect();
    let exit = Exit::strongest(&failed);
    if args.json {
        let report = Report { version: 1, exit_code: exit.code(), checks: &checks };
        print(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        print(&checks.iter().map(Check::line).collect::<String>())?;
    }
    Ok(exit)
}

/// Address, key, and one free question.
async fn provider(
    args: &Args,
    named: anyhow::Result<Provider>,
    limits: &Limits,
    checks: &mut Vec<Check>,
) -> anyhow::Result<()> {
    let provider = match named {
        Ok(provider) => provider,
        Err(error) => {
            checks.push(Check::fail("address", Exit::Usage, own_words(&error)));
            return Ok(());
        }
    };
    checks.push(Check::ok("address", provider.base_url.clone()));
    let key = match provider.key() {
        Ok(key) => key,
        Err(error) => {
            checks.push(Check::fail("key", Exit::Usage, own_words(&error)));
            return Ok(());
        }
    };
    let client = provider.client(key)?;
    let health = client.health().await;
    checks.extend(key_and_balance(&health));
    checks.extend(clock(&health, SystemTime::now()));
    if args.prove_idempotency {
        let proof = prove::prove(&client, &provider, limits, args.yes).await?;
        let text = format!("{}; remembered for {}", proof.why, provider.base_url);
        checks.push(if proof.honoured { Check::ok("keys", text) } else { Check::warn("keys", text) });
    } else if provider.honours_keys() {
        checks.push(Check::ok(
            "keys",
            "a submission of unknown outcome is asked about under its own key".into(),
        ));
    } else {
        checks.push(Check::warn(
            "keys",
            "not known to be honoured, so a submission of unknown outcome waits for you; `imgbatch doctor --prove-idempotency` finds out for about 0.11 credits".into(),
        ));
    }
    Ok(())
}

/// A doctor has no emulator to fall back on.
fn own_words(error: &anyhow::Error) -> String {
    error.to_string().replace("; to try without a key, add --emulate", "")
}

fn key_and_balance(health: &Health) -> Vec<Check> {
    let took = health.took.as_millis();
    match &health.balance {
        Ok(balance) => {
            let key = Check::ok("key", format!("accepted, answered in {took} ms"));
            vec![key, balance_of(balance)]
        }
        Err(LookError::KeyRefused(refusal)) if refusal.http_status == 402 => {
            vec![Check::fail(
                "balance",
                Exit::Paused,
                format!("used up ({}); top it up", printable(&refusal.code)),
            )]
        }
        Err(LookError::KeyRefused(refusal)) => vec![Check::fail(
            "key",
            Exit::Paused,
            format!(
                "refused: HTTP {} {}; check the key and the address",
                refusal.http_status,
                printable(&refusal.code)
            ),
        )],
        Err(LookError::NotFound(_)) => {
            vec![Check::warn("balance", format!("the API answers in {took} ms, but tells no balance"))]
        }
        Err(LookError::Throttled { .. }) => {
            vec![Check::warn("key", "the API asks for fewer requests; try again later".into())]
        }
        Err(LookError::Transient { why, .. }) => vec![Check::fail(
            "reach",
            Exit::Paused,
            format!("no answer ({}); check the address and the network", printable(why)),
        )],
    }
}

fn balance_of(balance: &Balance) -> Check {
    match left(balance) {
        Some(left) if left.micro() <= 0 => {
            Check::fail("balance", Exit::Paused, "nothing is left; top it up".into())
        }
        Some(left) => Check::ok("balance", format!("{left} credits left")),
        None => Check::ok("balance", "unlimited, or not told".into()),
    }
}

fn clock(health: &Health, now: SystemTime) -> Option<Check> {
    let server = health.server_time?;
    let off = now.duration_since(server).or_else(|_| server.duration_since(now)).unwrap_or_default();
    let text = format!("{} s off the API's", off.as_secs());
    let what = "set it by NTP: links die and keys expire by the clock";
    Some(match off {
        _ if off > CLOCK_FAIL => Check::fail("clock", Exit::Usage, format!("{text}; {what}")),
        _ if off > CLOCK_WARN => Check::warn("clock", format!("{text}; {what}")),
        _ => Check::ok("clock", text),
    })
}

fn disk(folder: &Path) -> Check {
    match rustix::fs::statvfs(existing(folder)) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} free", bytes(free));
            if free < LITTLE_ROOM {
                Check::warn("disk", format!("{text}; a thousand 2K pictures need about 4 GB"))
            } else {
                Check::ok("disk", text)
            }
        }
        Err(error) => Check::fail("disk", Exit::Usage, format!("{}: {error}", folder.display())),
    }
}

fn permissions(folder: &Path) -> Check {
    let place = existing(folder);
    match tempfile::tempfile_in(place) {
        Ok(_) => Check::ok("folder", format!("{} can be written", place.display())),
        Err(error) => Check::fail(
            "folder",
            Exit::Usage,
            format!("{} can't be written ({error}); name another with --out", place.display()),
        ),
    }
}

/// A folder that holds a ledger must be readable by this version.
fn ledger(folder: &Path) -> Option<Check> {
    if !folder.join(FILE_NAME).exists() {
        return None;
    }
    Some(match Reader::open(folder) {
        Ok(_) => Check::ok("ledger", format!("{} can be read", folder.join(FILE_NAME).display())),
        Err(error) => Check::fail("ledger", Exit::Usage, error.to_string()),
    })
}

/// The folder, or the nearest one above it that exists.
fn existing(folder: &Path) -> &Path {
    let exists = |path: &&Path| !path.as_os_str().is_empty() && fs::metadata(path).is_ok();
    folder.ancestors().find(exists).unwrap_or(Path::new("."))
}

impl Check {
    fn ok(name: &'static str, text: String) -> Self {
        Self { name, verdict: Verdict::Ok, text, exit: Exit::Success }
    }

    fn warn(name: &'static str, text: String) -> Self {
        Self { name, verdict: Verdict::Warn, text, exit: Exit::Success }
    }

    fn fail(name: &'static str, exit: Exit, text: String) -> Self {
        Self { name, verdict: Verdict::Fail, text, exit }
    }

    fn line(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        format!("{verdict:<5} {:<8} {}\n", self.name, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Credits;

    fn health(off: i64) -> (Health, SystemTime) {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let (now, server) = (at(1_800_000_000), at(1_800_000_000_u64.saturating_add_signed(off)));
        let balance = Ok(Balance::default());
        (Health { balance, took: Duration::ZERO, server_time: Some(server) }, now)
    }

    #[test]
    fn a_clock_that_is_off_either_way_is_told() {
        for (off, verdict) in [
            (0, Verdict::Ok),
            (-20, Verdict::Ok),
            (31, Verdict::Warn),
            (-31, Verdict::Warn),
            (-3600, Verdict::Fail),
        ] {
            let (health, now) = health(off);
            assert_eq!(clock(&health, now).map(|check| check.verdict), Some(verdict), "{off}");
        }
    }

    #[test]
    fn the_smaller_of_key_and_account_is_what_is_left() {
        let credits = |micro| Some(Credits::from_micro(micro));
        let balance = Balance { key_remaining: credits(0), user_remaining: credits(5), ..Balance::default() };
        assert_eq!(balance_of(&balance).verdict, Verdict::Fail);
        assert_eq!(balance_of(&Balance { unlimited: true, ..balance }).verdict, Verdict::Ok);
        assert_eq!(balance_of(&Balance::default()).verdict, Verdict::Ok);
    }
}
