//! Records that a bridge could not convert: `{"records":[{"reason":"...","source":"...","record":...}]}`.

use std::borrow::Cow;

use audit_event::json::{Kind, Raw};
use serde::Serialize;

use super::Refusal;
use crate::clusters::Scope;
use crate::rules;
use crate::store::Quarantined;

/// The body of a 200: all of them are durable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Answer {
    /// How many.
    pub quarantined: usize,
}

/// The records of a body. `record` may be any JSON value: a string is kept as its content, anything else as its text.
/// `scope` tells the clusters that they may be from; where it leaves a choice each record may name one. More than `most` are
/// refused.
pub(super) fn read(body: &str, scope: &Scope, most: usize) -> Result<Vec<Quarantined>, Refusal> {
    let body = Raw::parse(body).map_err(Refusal::Malformed)?;
    let records = body.get("records").filter(|records| records.kind() == Kind::Array);
    let records = records.ok_or(Refusal::Record {
        index: 0,
        expected: "the body must be an object with an array `records`",
    })?;
    let records = records.elements().enumerate();
    records.map(|(index, record)| one(index, record, scope, most)).collect()
}

fn one(index: usize, record: Raw<'_>, scope: &Scope, most: usize) -> Result<Quarantined, Refusal> {
    let text = |key| record.get(key).and_then(Raw::string);
    let missing = |expected| Refusal::Record { index, expected };
    if index >= most {
        return Err(missing("the body has too many records that are too short"));
    }
    let told = |text: Cow<'_, str>| {
        let mut text = text.into_owned();
        rules::cut_text(&mut text);
        text
    };
    let content = record.get("record").ok_or(missing("`record` must be given"))?;
    Ok(Quarantined {
        reason: told(text("reason").ok_or(missing("`reason` must be a string"))?),
        source: told(text("source").ok_or(missing("`source` must be a string"))?),
        cluster: told(scope.allowed(&text("cluster").unwrap_or_default()).into()),
        record: content.string().map_or_else(|| content.text().into(), |text| text.into_owned().into_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use crate::clusters::{Ids, Scope};

    #[test]
    fn records_are_kept_as_they_were() {
        let body = r#"{"records":[
            {"reason":"cut","source":"logs/a","record":"{\"kind\":\"Ev"},
            {"reason":"odd","source":"logs/b","cluster":"dev","record":{"a" : 1}}]}"#;
        let read = super::read(body, &Scope::Any, 2).unwrap();
        assert_eq!(read[0].record, br#"{"kind":"Ev"#);
        assert_eq!((read[1].record.as_slice(), read[1].cluster.as_str()), (&br#"{"a" : 1}"#[..], "dev"));
        assert_eq!(
            super::read(body, &Scope::One(Ids::default().cluster("prod")), 2).unwrap()[1].cluster,
            "prod"
        );
    }

    #[test]
    fn what_is_missing_is_told_by_index() {
        let wrong = |body| super::read(body, &Scope::Any, 9).unwrap_err().to_string();
        assert!(wrong("[]").contains("`records`"));
        assert!(
            wrong(r#"{"records":[{"reason":"a","source":"b","record":1},{"reason":"a","source":"b"}]}"#)
                .starts_with("record 1:")
        );
        assert!(wrong("{").contains("byte 1"));
    }

    #[test]
    fn neither_records_nor_what_is_said_of_them_are_without_bounds() {
        let record = format!(r#"{{"reason":"{}","source":"s","record":0}}"#, "x".repeat(1 << 20));
        let body = format!(r#"{{"records":[{record},{record}]}}"#);
        assert!(super::read(&body, &Scope::Any, 2).unwrap()[1].reason.len() < 33 << 10);
        assert!(super::read(&body, &Scope::Any, 1).unwrap_err().to_string().contains("too many"));
    }
}
