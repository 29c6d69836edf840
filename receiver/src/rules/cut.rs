//! Alerts of a size that outputs take: what a sender chose may be as long as a body.

use serde_json::Value as Json;

/// Most bytes of one text in an alert. Beyond what Kubernetes lets names, paths and user agents be, and small enough for what
/// takes alerts.
const LONGEST: usize = 32 << 10;

/// Cuts every text in `value` that is longer than that, and says so where it was cut.
pub(crate) fn cut(value: &mut Json) {
    match value {
        Json::String(text) => cut_text(text),
        Json::Array(values) => values.iter_mut().for_each(cut),
        Json::Object(fields) => fields.values_mut().for_each(cut),
        _ => {}
    }
}

/// The same for one text.
pub(crate) fn cut_text(text: &mut String) {
    if text.len() <= LONGEST {
        return;
    }
    let left_out = text.len() - text.floor_char_boundary(LONGEST);
    text.truncate(text.len() - left_out);
    text.push_str(&format!("... ({left_out} bytes left out)"));
    text.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_texts_are_cut_where_characters_end() {
        let long = "x".to_owned() + &"\u{fc}".repeat(LONGEST);
        let mut document = json!({"a": {"long": long, "short": "s", "list": ["x".repeat(LONGEST + 1)]}});
        cut(&mut document);
        let text = document["a"]["long"].as_str().unwrap();
        assert!(
            text.ends_with("\u{fc}... (32770 bytes left out)") && text.len() < LONGEST + 40,
            "{}",
            text.len()
        );
        assert_eq!(document["a"]["short"], "s");
        assert!(document["a"]["list"][0].as_str().unwrap().ends_with("x... (1 bytes left out)"));
    }
}
