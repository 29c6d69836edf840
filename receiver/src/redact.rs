//! Secrets on command lines are not to be kept.

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Names whose values are secrets, in part or whole.
const TELLING: [&str; 9] =
    ["password", "passwd", "pwd", "token", "secret", "apikey", "api-key", "api_key", "credential"];

/// The text with values that look like secrets left out: what follows `password=`, `--token`, `Bearer` and their like, and
/// JSON Web Tokens.
pub fn text(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    // Whether the word before this one names a secret that comes next.
    let mut named = false;
    for word in text.split_inclusive([' ', '\t', '\n', '\r']) {
        let (word, space) = word.split_at(word.trim_end_matches([' ', '\t', '\n', '\r']).len());
        if word.is_empty() {
            kept.push_str(space);
            continue;
        }
        let (shown, names_next) = self::word(word, named);
        kept.push_str(&shown);
        kept.push_str(space);
        named = names_next;
    }
    kept
}

fn word(word: &str, named: bool) -> (String, bool) {
    let scheme = word.trim_matches(['"', '\'']).to_ascii_lowercase();
    if matches!(scheme.as_str(), "bearer" | "basic") || scheme.ends_with(":bearer") {
        return (word.to_owned(), true);
    }
    if named {
        return (REDACTED.to_owned(), false);
    }
    if let Some((name, value)) = word.split_once(['=', ':'])
        && tells(name)
    {
        return match value {
            "" => (word.to_owned(), true),
            _ if value.starts_with("//") => (word.to_owned(), false),
            _ => (word.split_at(name.len() + 1).0.to_owned() + REDACTED, false),
        };
    }
    if let Some(at) = web_token(word) {
        return (word.split_at(at).0.to_owned() + REDACTED, false);
    }
    (word.to_owned(), word.starts_with("--") && tells(word))
}

fn tells(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|telling| name.contains(telling))
}

/// Where a JSON Web Token begins: three parts, the first of which is the object `{"`.
fn web_token(word: &str) -> Option<usize> {
    let at = word.find("eyJ")?;
    let (_, token) = word.split_at(at);
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=.".contains(&byte);
    let length = token.bytes().take_while(|byte| part(*byte)).count();
    let token = token.get(..length)?;
    (token.len() >= 20 && token.bytes().filter(|byte| *byte == b'.').count() >= 2).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn what_looks_like_a_secret_is_left_out_and_the_rest_is_as_it_was() {
        for (given, kept) in [
            ("ls -la /var\n", "ls -la /var\n"),
            ("mysql --password=hunter2 -u root", "mysql --password=[redacted] -u root"),
            ("vault login --token s.123  now", "vault login --token [redacted]  now"),
            ("PGPASSWORD=x psql", "PGPASSWORD=[redacted] psql"),
            ("curl -H 'Authorization: Bearer abc' h", "curl -H 'Authorization: Bearer [redacted] h"),
            ("cat eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "cat [redacted]"),
            ("kubectl get secret db", "kubectl get secret db"),
            (
                "cat /run/secrets/kubernetes.io/serviceaccount/token",
                "cat /run/secrets/kubernetes.io/serviceaccount/token",
            ),
            ("é secret=ü", "é secret=[redacted]"),
        ] {
            assert_eq!(text(given), kept);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(given: String) {
            text(&given);
        }
    }
}
