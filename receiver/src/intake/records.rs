//! Records that a bridge could not convert: `{"records":[{"reason":"...","source":"...","record":...}]}`.

use audit_event::json::{Kind, Raw};
use serde::Serialize;

use super::Refusal;
use crate::clusters::Scope;
use crate::store::Quarantined;

/// The body of a 200: all of them are durable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Answer {
    /// How many.
    pub quarantined: usize,
}

/// The records of a body. `record` may be any JSON value: a string is kept as its content, anything else as its text.
/// `scope` tells the clusters that they may be from; where it leaves a choice each record may name one.
pub(super) fn read(body: &str, scope: &Scope) -> Result<Vec<Quarantined>, Refusal> {
    let body = Raw::parse(body).map_err(Refusal::Malformed)?;
    let records = body.get("records").filter(|records| records.kind() == Kind::Array);
    let records = records.ok_or(Refusal::Record {
        index: 0,
        expected: "the body must be an object with an array `records`",
    })?;
    records.elements().enumerate().map(|(index, record)| one(index, record, scope)).collect()
}

fn one(index: usize, record: Raw<'_>, scope: &Scope) -> Result<Quarantined, Refusal> {
    let text = |key| record.get(key).and_then(Raw::string);
    let missing = |expected| Refusal::Record { index, expected };
    let content = record.get("record").ok_or(missing("`record` must be given"))?;
    Ok(Quarantined {
        reason: text("reason").ok_or(missing("`reason` must be a string"))?.into_owned(),
        source: text("source").ok_or(missing("`source` must be a string"))?.into_owned(),
        cluster: scope.allowed(&text("cluster").unwrap_or_default()).to_owned(),
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
        let read = super::read(body, &Scope::Any).unwrap();
        assert_eq!(read[0].record, br#"{"kind":"Ev"#);
        assert_eq!((read[1].record.as_slice(), read[1].cluster.as_str()), (&br#"{"a" : 1}"#[..], "dev"));
        assert_eq!(
            super::read(body, &Scope::One(Ids::default().cluster("prod"))).unwrap()[1].cluster,
            "prod"
        );
    }

    #[test]
    fn what_is_missing_is_told_by_index() {
        let wrong = |body| super::read(body, &Scope::Any).unwrap_err().to_string();
        assert!(wrong("[]").contains("`records`"));
        assert!(
            wrong(r#"{"records":[{"reason":"a","source":"b","record":1},{"reason":"a","source":"b"}]}"#)
                .starts_with("record 1:")
        );
        assert!(wrong("{").contains("byte 1"));
    }
}
