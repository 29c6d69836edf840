//! audit-bridge
