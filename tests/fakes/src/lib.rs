//! audit-fakes
