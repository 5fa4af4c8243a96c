//! Faults that a prompt asks for: `[emulate: fail service_error]`.

use super::kind::{Fault, Site};
use super::parse::parse_fault;

const OPEN: &str = "[emulate:";

/// The faults of one site that a prompt names, in its order. Words that are no
/// fault are ignored: a prompt is never refused for them.
pub(in crate::emulator) fn in_prompt(prompt: &str, site: Site) -> Vec<Fault> {
    wishes(prompt)
        .filter_map(|(name, argument)| parse_fault(name, argument).ok())
        .filter(|fault| fault.kind.site() == site)
        .collect()
}

/// Name and argument of every `[emulate: name argument]`.
fn wishes(prompt: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    prompt.split(OPEN).skip(1).filter_map(|rest| {
        let inside = rest.split_once(']')?.0.trim();
        match inside.split_once([' ', ':']) {
            Some((name, argument)) => Some((name, Some(argument.trim()))),
            None => Some((inside, None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;

    #[test]
    fn words_in_brackets_are_faults() {
        let prompt =
            "a fox [emulate: fail content_policy_violation] [emulate: slow 120] [emulate: damaged-once]";
        let tasks = in_prompt(prompt, Site::Task);
        assert_eq!((tasks[0].kind, tasks[0].argument()), (Kind::Fail, Some("content_policy_violation")));
        assert_eq!((tasks[1].kind, tasks[1].number(0)), (Kind::Slow, 120));
        assert!(in_prompt(prompt, Site::Download)[0].once);
        assert!(in_prompt("[emulate: dance] [emulate: 429", Site::Create).is_empty());
    }
}
