//! Alerts alike as one: the first goes out at once, then how many more there were.

use serde_json::Value as Json;
use uuid::Uuid;

use crate::identity;
use crate::store::Alert;

/// What alerts alike share: rule, cluster, user and target.
pub(crate) fn key(alert: &Alert) -> String {
    let parts = [&alert.rule, &alert.cluster, &alert.subject.user, &alert.subject.target];
    let mut told = Vec::new();
    for part in parts {
        told.extend_from_slice(&(part.len() as u64).to_be_bytes());
        told.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&identity::NATIVE, &told).simple().to_string()
}

/// The document of the last of `count` alerts alike within `millis`, which speaks for all of them.
pub(crate) fn summary(document: &str, count: i64, millis: i64) -> String {
    let Ok(Json::Object(mut document)) = serde_json::from_str(document) else { return document.to_owned() };
    let seconds = millis / 1000;
    let over = if seconds % 60 == 0 { format!("{} min", seconds / 60) } else { format!("{seconds} s") };
    if let Some(Json::String(output)) = document.get_mut("output") {
        output.push_str(&format!(" ({count} more in {over})"));
    }
    if let Some(Json::Object(fields)) = document.get_mut("output_fields") {
        fields.insert("alerts.more".to_owned(), count.into());
    }
    Json::Object(document).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_how_many_it_speaks_for() {
        let document = r#"{"output":"o","output_fields":{},"uuid":"u"}"#;
        let said = r#"{"output":"o (3 more in 5 min)","output_fields":{"alerts.more":3},"uuid":"u"}"#;
        assert_eq!(summary(document, 3, 300_000), said);
        assert!(summary(document, 3, 61_000).contains("in 61 s"));
    }
}
