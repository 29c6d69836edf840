//! audit-receiver
