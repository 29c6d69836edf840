//! Carries the audit log of AKS clusters from Event Hubs to a receiver.

pub mod amqp;
pub mod convert;
pub mod credentials;
pub mod hub;
pub mod source;
