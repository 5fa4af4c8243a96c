//! MiniJinja with strict variables, a limit of fuel and of output, and no
//! access to files or the environment.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;

use minijinja::{AutoEscape, Environment, Error, ErrorKind, Template, UndefinedBehavior, Value};

use crate::manifest::nearest;

use super::scope::Scope;

/// Instructions that one rendering may take.
const FUEL: u64 = 200_000;
/// Bytes that one rendering may yield: far more than the longest prompt.
const OUTPUT: usize = 1 << 20;

/// Functions of the engine, which are no variables.
const FUNCTIONS: [&str; 4] = ["range", "dict", "debug", "namespace"];

/// Compiles templates.
#[derive(Debug)]
pub(super) struct Engine<'s>(Environment<'s>);

impl<'s> Engine<'s> {
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        Self(environment)
    }

    /// A text without marks is kept as it is: most are.
    pub(super) fn compile<'e>(&'e self, text: &'s str) -> Result<Text<'e, 's>, TemplateError> {
        if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
            return Ok(Text::Literal(without_newline(text)));
        }
        match self.0.template_from_named_str("template", text) {
            Ok(template) => {
                let inserts = Inserts::of(text, &variables(&template));
                Ok(Text::Template(Box::new(template), inserts))
            }
            Err(error) => Err(TemplateError { message: described(&error), help: None }),
        }
    }
}

/// One newline at the end belongs to the file and not to the text: templates
/// drop it too.
fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// A text that may hold variables.
#[derive(Debug)]
pub(super) enum Text<'e, 's> {
    Literal(&'s str),
    Template(Box<Template<'e, 's>>, Option<Inserts<'s>>),
}

/// A template that does nothing but insert variables, as most do. It is put
/// together without the engine, which takes longer to begin than to render.
#[derive(Debug)]
pub(super) struct Inserts<'s> {
    /// What stands before a variable, and its name.
    parts: Vec<(&'s str, &'s str)>,
    end: &'s str,
}

impl<'s> Inserts<'s> {
    /// `variables` are those that the engine found: anything else between the
    /// marks is an expression.
    fn of(text: &'s str, variables: &BTreeSet<String>) -> Option<Self> {
        if ["{%", "{#"].iter().any(|mark| text.contains(mark)) {
            return None;
        }
        let (mut parts, mut rest) = (vec![], text);
        while let Some((before, marked)) = rest.split_once("{{") {
            let (name, after) = marked.split_once("}}")?;
            parts.push((before, variables.get(name.trim()).map(|_| name.trim())?));
            rest = after;
        }
        Some(Self { parts, end: without_newline(rest) })
    }

    /// `None` where the engine has to say what is wrong.
    fn render(&self, scope: &Scope) -> Option<String> {
        let mut output = String::new();
        for (before, name) in &self.parts {
            output.push_str(before);
            write!(output, "{}", scope.get(name)?).ok()?;
        }
        output.push_str(self.end);
        (output.len() <= OUTPUT).then_some(output)
    }
}

/// Why a text can't be compiled or rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TemplateError {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Text<'_, '_> {
    pub(super) fn render(&self, scope: &Scope) -> Result<String, TemplateError> {
        let template = match self {
            Self::Literal(text) => return Ok((*text).to_owned()),
            Self::Template(template, inserts) => {
                if let Some(text) = inserts.as_ref().and_then(|inserts| inserts.render(scope)) {
                    return Ok(text);
                }
                template
            }
        };
        let mut output = Limited(vec![]);
        match template.render_captured_to(Value::from_object(scope.clone()), &mut output) {
            Ok(_) => Ok(String::from_utf8_lossy(&output.0).into_owned()),
            Err(error) => Err(explained(&error, template, scope)),
        }
    }

    /// The variables that it reads.
    pub(super) fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Literal(_) => BTreeSet::new(),
            Self::Template(template, _) => variables(template),
        }
    }
}

/// Variables that a template reads from outside, by name.
fn variables(template: &Template<'_, '_>) -> BTreeSet<String> {
    let names = template.undeclared_variables(false).into_iter();
    names.filter(|name| !FUNCTIONS.contains(&name.as_str())).collect()
}

/// Collects output up to its limit.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT {
            return Err(io::Error::other("the text is longer than 1 MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn explained(error: &Error, template: &Template<'_, '_>, scope: &Scope) -> TemplateError {
    let missing = || variables(template).into_iter().find(|name| !scope.knows(name));
    if error.kind() == ErrorKind::UndefinedError
        && let Some(missing) = missing()
    {
        return TemplateError {
            help: Some(suggestion(&missing, scope)),
            message: format!("the variable `{missing}` is not defined"),
        };
    }
    TemplateError { message: described(error), help: None }
}

fn suggestion(missing: &str, scope: &Scope) -> String {
    let known = scope.names();
    match nearest(missing, known.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "define it in [vars], as an axis, or as a column of rows".into(),
        None => format!("known here are `{}`", known.iter().cloned().collect::<Vec<_>>().join("`, `")),
    }
}

fn described(error: &Error) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel => "the template takes too many steps".into(),
        ErrorKind::WriteFailure => "the template yields more than 1 MiB".into(),
        kind => {
            let detail = error.detail().map_or_else(|| kind.to_string(), ToString::to_string);
            match error.line().filter(|&line| line > 1) {
                Some(line) => format!("template: {detail} (its line {line})"),
                None => format!("template: {detail}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::scope::layer;

    fn render(text: &str) -> Result<String, TemplateError> {
        let vars = serde_json::json!({"colour": "sage", "count": 3, "half": 0.5, "yes": true, "html": "<b>&\"", "list": [1, 2]});
        let scope = Scope::new(layer(vars.as_object().unwrap()));
        Engine::new().compile(text)?.render(&scope)
    }

    #[test]
    fn variables_filters_and_conditions() {
        for (text, rendered) in [
            ("a {{ colour }} mug", "a sage mug"),
            ("{{ colour | upper }} {{ count + 1 }} {{ half }} {{ yes }}", "SAGE 4 0.5 True"),
            ("{% if count > 2 %}many{% else %}few{% endif %}", "many"),
            ("{{ html }}", "<b>&\""),
            ("plain\n", "plain"),
            ("{{ colour }}\n", "sage"),
            ("{{ nothing | default('x') }}", "x"),
            ("{% for n in list %}{{ n }},{% endfor %}", "1,2,"),
        ] {
            assert_eq!(render(text).as_deref(), Ok(rendered), "{text}");
        }
    }

    #[test]
    fn an_undefined_variable_is_an_error_with_a_suggestion() {
        let error = render("a {{ color }} mug").unwrap_err();
        assert_eq!(error.message, "the variable `color` is not defined");
        assert_eq!(error.help.as_deref(), Some("did you mean `colour`?"));
        assert!(render("{{ colour.shade }}").is_err());
    }

    #[test]
    fn nothing_endless_huge_or_outside() {
        for text in [
            "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}",
            "{{ 'x' * 2000000 }}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{% include 'Cargo.toml' %}",
            "{% import '/etc/passwd' as x %}",
            "{{ env('HOME') }}",
            "{{ colour",
            "{% if %}",
        ] {
            assert!(render(text).is_err(), "{text} passed");
        }
    }

    fn piece() -> impl Strategy<Value = String> {
        let names = "(colour|count|half|yes|html|list|nothing|none|True|loop|range|null|deep|big|self)";
        prop_oneof![
            4 => "(\\{\\{) ?-?[ \n]?".prop_map(|open| open),
            4 => names,
            4 => "[ \t]?-?\\}\\}",
            6 => names.prop_map(|name| format!("{{{{ {name} }}}}")),
            1 => "\\{%-? ?(raw|endraw|set a = 1|if yes|endif) ?%\\}|\\{#|#\\}",
            1 => "[|.\\[(]?(upper|length|0|'x')[)\\]]?",
            3 => "[a-c \n\r{}%#狐]{0,3}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_put_together_without_the_engine_is_what_the_engine_renders(
            pieces in proptest::collection::vec(piece(), 1..6),
        ) {
            let text = pieces.concat();
            let vars = serde_json::json!({
                "colour": "sage", "count": 3, "half": 0.5, "yes": true, "html": "<b>&\"", "list": [1, "a"],
                "null": null, "deep": {"a": [null, {"b": "c"}]}, "big": 1e300, "loop": -7, "self": "{{ colour }}",
            });
            let scope = Scope::new(layer(vars.as_object().unwrap()));
            let engine = Engine::new();
            if let Ok(Text::Template(template, Some(inserts))) = engine.compile(&text)
                && let Some(put_together) = inserts.render(&scope)
            {
                let rendered = Text::Template(template, None).render(&scope);
                prop_assert_eq!(Ok(put_together), rendered, "{:?}", text);
            }
        }
    }
}
