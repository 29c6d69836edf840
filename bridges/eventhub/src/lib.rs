//! Carries the audit log of AKS clusters from Event Hubs to a receiver.

pub mod convert;
