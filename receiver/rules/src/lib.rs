//! audit-rules
