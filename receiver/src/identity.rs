//! Identities that make repeated deliveries harmless: unique in the store, and never the sender's to choose.

use audit_event::EventId;
use audit_rules::Matching;
use uuid::Uuid;

/// The namespace of alert identities. Published and fixed: another value would raise every alert again.
pub const ALERTS: Uuid = Uuid::from_u128(0x5f0d_6a3c_8f1e_4c52_9b7a_2d40_c1e6_73b8);

/// The namespace of the identities of requests into something.
pub const ACTIVITY: Uuid = Uuid::from_u128(0x91b3_5e02_c7d8_4f16_a04c_6e2d_83f9_17b5);

/// The namespace of the identities of quarantined records.
pub const QUARANTINE: Uuid = Uuid::from_u128(0xb06e_1c47_52d9_4f0b_8a35_e7f1_9dc2_0641);

/// The namespace of the identities of alerts that are the receiver's own, so that no rule's alert is ever one of them.
pub const NATIVE: Uuid = Uuid::from_u128(0x2c94_d07b_613e_4a8d_95f2_1b70_e8c3_46da);

/// The identity of an alert: `UUIDv5` in [`ALERTS`] over the 16 bytes of the event's identity and, when every matching rule
/// raises an alert, the rule's name behind them. When only the first does, the event alone decides, so that rules changed
/// between two deliveries of one event raise no second alert.
pub fn alert(event: EventId, rule: &str, matching: Matching) -> Uuid {
    let mut name = event.as_bytes().to_vec();
    if matching == Matching::All {
        name.extend_from_slice(rule.as_bytes());
    }
    Uuid::new_v5(&ALERTS, &name)
}

/// The identity of an alert of the receiver's own: `UUIDv5` in [`NATIVE`] over the 16 bytes of the identity of what it is
/// about and its rule's name, whichever rules raise alerts.
pub fn native(about: &[u8; 16], rule: &str) -> Uuid {
    Uuid::new_v5(&NATIVE, &[about, rule.as_bytes()].concat())
}

/// The identity of a quarantined record: `UUIDv5` in [`QUARANTINE`] over the cluster's name, a zero byte and the record.
pub fn quarantined(cluster: &str, record: &[u8]) -> Uuid {
    let mut name = Vec::with_capacity(cluster.len() + 1 + record.len());
    name.extend_from_slice(cluster.as_bytes());
    name.push(0);
    name.extend_from_slice(record);
    Uuid::new_v5(&QUARANTINE, &name)
}
