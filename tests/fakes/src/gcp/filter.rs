//! The part of the Logging query language that readers of audit logs use: comparisons of fields with values, `AND`
//! (also by standing beside each other), `OR`, `NOT` or `-`, parentheses, and lists of values. `NOT` binds before
//! `OR`, and `OR` before `AND`. Anything else is refused, so that nothing can rely on what this fake doesn't have.

use jiff::Timestamp;
use serde_json::Value;

use super::GcpError;

/// A query, ready to be held against entries.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Compare { path: Vec<String>, operator: Operator, value: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Has,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Minus,
    Operator(Operator),
    Word(String),
    Text(String),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, GcpError> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0 };
        let filter = parser.all()?;
        match parser.peek() {
            None => Ok(filter),
            Some(token) => Err(unparsable(&format!("unexpected {token:?}"))),
        }
    }

    /// The times between which everything lies that matches, both included, as far as the query says so plainly.
    pub(super) fn span(&self) -> (Timestamp, Timestamp) {
        let (mut from, mut to) = (Timestamp::MIN, Timestamp::MAX);
        let Self::All(filters) = self else { return (from, to) };
        for filter in filters {
            let Self::Compare { path, operator, value } = filter else { continue };
            let (["timestamp"], Ok(time)) =
                (&path.iter().map(String::as_str).collect::<Vec<_>>()[..], value.parse::<Timestamp>())
            else {
                continue;
            };
            match operator {
                Operator::Greater | Operator::GreaterOrEqual => from = from.max(time),
                Operator::Less | Operator::LessOrEqual => to = to.min(time),
                _ => {}
            }
        }
        (from, to)
    }

    pub(super) fn matches(&self, entry: &Value) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(entry)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(entry)),
            Self::Not(filter) => !filter.matches(entry),
            Self::Compare { path, operator, value } => {
                let field = path.iter().try_fold(entry, |value, key| value.get(key));
                field.is_some_and(|field| compare(field, *operator, value))
            }
        }
    }
}

fn compare(field: &Value, operator: Operator, value: &str) -> bool {
    let text = field.as_str().map_or_else(|| field.to_string(), str::to_owned);
    let order = match (text.parse::<Timestamp>(), value.parse::<Timestamp>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        _ => text.cmp(&value.to_owned()),
    };
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::Different => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Has => text.to_lowercase().contains(&value.to_lowercase()),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn takes(&mut self, token: &Token) -> bool {
        let takes = self.peek() == Some(token);
        self.at += usize::from(takes);
        takes
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.takes(&Token::Word(word.to_owned()))
    }

    fn all(&mut self) -> Result<Filter, GcpError> {
        let mut filters = Vec::new();
        while self.peek().is_some_and(|token| *token != Token::Close) {
            filters.push(self.any()?);
            self.takes_word("AND");
        }
        Ok(Filter::All(filters))
    }

    fn any(&mut self) -> Result<Filter, GcpError> {
        let mut filters = vec![self.one()?];
        while self.takes_word("OR") {
            filters.push(self.one()?);
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::Any(filters) })
    }

    fn one(&mut self) -> Result<Filter, GcpError> {
        if self.takes_word("NOT") || self.takes(&Token::Minus) {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        match self.next() {
            Some(Token::Open) => {
                let filter = self.all()?;
                self.close()?;
                Ok(filter)
            }
            Some(Token::Word(path)) => {
                let path: Vec<String> = path.split('.').map(str::to_owned).collect();
                match self.next() {
                    Some(Token::Operator(operator)) => self.values(&path, operator),
                    other => Err(unparsable(&format!("`{}` is followed by {other:?}", path.join(".")))),
                }
            }
            other => Err(unparsable(&format!("unexpected {other:?}"))),
        }
    }

    fn values(&mut self, path: &[String], operator: Operator) -> Result<Filter, GcpError> {
        let compare = |value| Filter::Compare { path: path.to_vec(), operator, value };
        if !self.takes(&Token::Open) {
            return self.value().map(compare);
        }
        let mut filters = vec![compare(self.value()?)];
        while self.takes_word("OR") {
            filters.push(compare(self.value()?));
        }
        self.close()?;
        Ok(Filter::Any(filters))
    }

    fn value(&mut self) -> Result<String, GcpError> {
        match self.next() {
            Some(Token::Word(value) | Token::Text(value)) => Ok(value),
            other => Err(unparsable(&format!("expected a value, found {other:?}"))),
        }
    }

    fn close(&mut self) -> Result<(), GcpError> {
        if self.takes(&Token::Close) { Ok(()) } else { Err(unparsable("a parenthesis is not closed")) }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, GcpError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '-' => (Token::Minus, 1),
            '"' => quoted(rest)?,
            ':' => (Token::Operator(Operator::Has), 1),
            '=' | '!' | '<' | '>' => operator(rest)?,
            _ => {
                let end =
                    rest.find(|c: char| c.is_whitespace() || "()=!<>:\"".contains(c)).unwrap_or(rest.len());
                (Token::Word(rest.get(..end).unwrap_or_default().to_owned()), end)
            }
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

fn operator(text: &str) -> Result<(Token, usize), GcpError> {
    for (spelling, operator) in [
        ("!=", Operator::Different),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("=", Operator::Equal),
    ] {
        if text.starts_with(spelling) && !text.starts_with("=~") {
            return Ok((Token::Operator(operator), spelling.len()));
        }
    }
    Err(unparsable("this fake has no regular expressions"))
}

fn quoted(text: &str) -> Result<(Token, usize), GcpError> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((Token::Text(value), at + 1)),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    Err(unparsable("a string is not closed"))
}

fn unparsable(reason: &str) -> GcpError {
    GcpError::invalid(format!("Unparseable filter: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(filter: &str) -> bool {
        let entry = json!({
            "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
            "timestamp": "2026-01-02T03:04:05.123456Z",
            "resource": {"type": "k8s_cluster", "labels": {"cluster_name": "a\"b"}},
            "protoPayload": {"methodName": "io.k8s.coordination.v1.leases.update"},
        });
        Filter::parse(filter).unwrap().matches(&entry)
    }

    #[test]
    fn compares_and_joins() {
        for yes in [
            "",
            "resource.type=\"k8s_cluster\"",
            "resource.type = k8s_cluster AND resource.labels.cluster_name=\"a\\\"b\"",
            "resource.type=\"k8s_cluster\"\nprotoPayload.methodName:\"v1.leases.\"",
            "resource.type=(\"x\" OR \"k8s_cluster\")",
            "resource.type=x OR resource.type=k8s_cluster",
            "NOT resource.type=x",
            "-resource.type=x",
            "timestamp>=\"2026-01-02T03:04:05.123456Z\" timestamp<\"2026-01-02T03:04:05.1234561Z\"",
            "timestamp>=\"2026-01-02T04:04:05.1+01:00\"",
            "(resource.type=x AND logName=y) OR resource.type!=x",
            "NOT absent=x",
        ] {
            assert!(matches(yes), "{yes}");
        }
        for no in [
            "resource.type=x",
            "absent=x",
            "absent!=x",
            "timestamp<\"2026-01-02T03:04:05.123456Z\"",
            "timestamp>\"2026-01-02T03:04:05.123456Z\"",
            "NOT protoPayload.methodName:leases",
            // OR binds before AND
            "resource.type=k8s_cluster OR resource.type=x AND resource.type=y",
        ] {
            assert!(!matches(no), "{no}");
        }
    }

    #[test]
    fn says_between_which_times_to_look() {
        let span = |text| Filter::parse(text).unwrap().span();
        let (from, to) = ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z");
        let (start, end) = (from.parse().unwrap(), to.parse().unwrap());
        let both = format!("a=b timestamp>=\"{from}\"\ntimestamp<\"{to}\"");
        assert_eq!(span(&both), (start, end));
        let one = format!("timestamp>\"{from}\"");
        assert_eq!(span(&one), (start, Timestamp::MAX));
        for open in ["a=b", "NOT timestamp>\"2026-01-02T03:04:05Z\"", "timestamp>x"] {
            assert_eq!(span(open), (Timestamp::MIN, Timestamp::MAX), "{open}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_have() {
        for filter in ["a", "a=~\"x\"", "a=\"x", "(a=b", "a=b)", "a=", "=b", "a=(b c)"] {
            assert_eq!(Filter::parse(filter).unwrap_err().code, 400, "{filter}");
        }
    }
}
