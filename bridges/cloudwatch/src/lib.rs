//! cloudwatch-bridge
