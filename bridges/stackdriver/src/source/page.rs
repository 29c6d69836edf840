//! A page of `entries:list` (REST JSON), taken apart without changing a byte of its entries.

use audit_bridge::sweep::driver::Page;
use audit_bridge::time::Time;
use audit_event::json::{Malformed, Raw};

use super::entry;

/// Reads a page. `served` is the time of the service's `Date` header; `from` is where the slice begins that was asked for.
pub(super) fn read(body: &str, served: Option<Time>, from: Time) -> Result<Page, Malformed> {
    let page = Raw::parse(body)?;
    let (mut found, mut token) = (Vec::new(), None);
    for (key, value) in page.members() {
        if key.is("entries") {
            found.extend(value.elements().map(|raw| entry::found(raw, from)));
        } else if key.is("nextPageToken") {
            token = value.string().filter(|token| !token.is_empty()).map(|token| token.into_owned());
        }
    }
    Ok(Page { found, token, served })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_page_apart() {
        let from = Time::from_millis(7);
        let one = r#"{"insertId":"a","timestamp":"2026-01-02T03:04:05.123999Z","receiveTimestamp":"2026-01-02T03:04:07Z",
            "operation":{"first":true},"protoPayload":{"n":1.50}}"#;
        let other = one.replace("first", "last");
        let page =
            read(&format!(r#"{{"entries":[{one},{other}],"nextPageToken":"t"}}"#), None, from).unwrap();
        let [first, last] = page.found.as_slice() else { panic!() };
        assert_eq!(first.record.text, one);
        assert_eq!(first.time.as_millis(), 1_767_323_045_123);
        assert_eq!(first.ingested.unwrap().as_millis(), 1_767_323_047_000);
        assert_ne!(first.id, last.id);
        assert_eq!(page.token.as_deref(), Some("t"));
        assert_eq!(read(r#"{"entries":[1]}"#, None, from).unwrap().found[0].time, from);
        for none in ["{}", r#"{"entries":[],"nextPageToken":""}"#] {
            let page = read(none, None, from).unwrap();
            assert_eq!((page.found.len(), page.token), (0, None));
        }
        assert!(read(r#"{"entries":[{}"#, None, from).is_err());
    }
}
