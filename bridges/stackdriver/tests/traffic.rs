//! Events of a busy cluster, made into log entries as GKE does, come back as they were.

use audit_fakes::gcp;
use audit_fakes::traffic::Traffic;
use serde_json::Value;
use stackdriver_bridge::convert::{Converted, convert};

fn path(event: &Value) -> Option<&str> {
    event["requestURI"].as_str()?.split('?').next()
}

#[test]
fn events_survive_the_way_through_cloud_logging() {
    for line in Traffic::new(11).with_incidents(200).lines(1_780_000_000_000, 5).take(3000) {
        let sent: Value = serde_json::from_str(&line.text).unwrap();
        let entry = gcp::entry(&sent);
        let Ok(Converted::Event(event)) = convert(&entry.to_string()) else { panic!("{entry}") };
        let seen: Value = serde_json::from_str(&event).unwrap();
        for key in [
            "kind",
            "apiVersion",
            "level",
            "auditID",
            "stage",
            "verb",
            "sourceIPs",
            "userAgent",
            "objectRef",
            "requestObject",
            "responseObject",
            "stageTimestamp",
        ] {
            assert_eq!(seen[key], sent[key], "{key} of {event}");
        }
        assert_eq!(path(&seen), path(&sent), "{event}");
        assert_eq!(seen["user"]["username"], sent["user"]["username"], "{event}");
        assert_eq!(seen["responseStatus"]["code"], sent["responseStatus"]["code"], "{event}");
        for (key, value) in sent["annotations"].as_object().unwrap() {
            assert_eq!(seen["annotations"][key], *value, "{event}");
        }
    }
}
