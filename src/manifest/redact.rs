//! Hides secrets in the lines that a diagnostic shows: a key that was written
//! into a manifest must not travel on into logs and bug reports.

/// Names of keys whose values are never shown and never accepted.
pub(super) const SECRETS: [&str; 12] = [
    "api_key",
    "apikey",
    "api-key",
    "key",
    "token",
    "api_token",
    "secret",
    "password",
    "bearer",
    "authorization",
    "access_token",
    "credentials",
];

/// `line` with the values of secret keys replaced by `*`, byte for byte.
pub(super) fn redacted(line: &str) -> String {
    let mut shown = line.as_bytes().to_vec();
    for (at, _) in line.match_indices([':', '=']) {
        if is_secret(key_before(&line[..at])) {
            let (start, end) = value_after(line, at + 1);
            shown[start..end].fill(b'*');
        }
    }
    String::from_utf8(shown).unwrap_or_default()
}

fn is_secret(key: &str) -> bool {
    SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(key))
}

/// The word before a separator, without quotes and dotted parents.
fn key_before(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches(['"', '\'']);
    let start = text
        .rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}

/// The bytes of the value that begins after a separator: to its closing
/// quote, or to the end of the line.
fn value_after(line: &str, from: usize) -> (usize, usize) {
    let start = from + (line[from..].len() - line[from..].trim_start().len());
    let end = match line[start..].chars().next() {
        Some(quote @ ('"' | '\'')) => line[start + 1..].find(quote).map_or(line.len(), |at| start + at + 2),
        _ => line.len(),
    };
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_keys_are_hidden_in_every_format() {
        for (line, shown) in [
            ("api_key = \"sk-1\" # é", "api_key = ****** # é"),
            ("provider.token = 'x'", "provider.token = ***"),
            ("  key: sk-1", "  key: ****"),
            (
                r#"{"provider":{"api_key":"sk-1","base_url":"u"}}"#,
                r#"{"provider":{"api_key":******,"base_url":"u"}}"#,
            ),
            ("API_KEY = sk", "API_KEY = **"),
            ("api_key_env = \"NAME\"", "api_key_env = \"NAME\""),
            ("prompt = \"a key\"", "prompt = \"a key\""),
            ("api_key =", "api_key ="),
            ("api_key = \"schlüssel", "api_key = ***********"),
        ] {
            assert_eq!(redacted(line), shown);
        }
    }
}
