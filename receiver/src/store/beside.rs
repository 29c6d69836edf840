//! What commands ask of a store beside the receiver that writes it.

use super::database::Database;
use super::{ActivityFilter, Backlog, Filter, Kept, Location, Shown, Silence, StoreError};

/// Gives the stored alerts of a store that this process doesn't write, as [`Store::alerts`] does.
///
/// # Errors
/// When there is no such store or it can't be read.
pub async fn read_alerts(
    location: &Location,
    filter: &Filter,
    each: impl FnMut(String) -> bool,
) -> Result<(), StoreError> {
    Database::read_only(location).alerts(filter, each).await
}

/// Up to `limit` quarantined records after the place `after`, of one cluster if given, oldest first.
///
/// # Errors
/// When the store can't be read.
pub async fn quarantined(
    location: &Location,
    after: i64,
    cluster: Option<&str>,
    limit: u32,
) -> Result<Vec<Kept>, StoreError> {
    Database::read_only(location).quarantined(after, cluster, limit).await
}

/// How many quarantined records there are of each cluster, source and reason.
///
/// # Errors
/// When the store can't be read.
pub async fn quarantine_counts(
    location: &Location,
) -> Result<Vec<(String, String, String, i64)>, StoreError> {
    Database::read_only(location).quarantine_counts().await
}

/// The activity that fits, oldest first.
///
/// # Errors
/// When the store can't be read.
pub async fn activity(location: &Location, filter: &ActivityFilter) -> Result<Vec<Shown>, StoreError> {
    Database::read_only(location).activity(filter).await
}

/// Removes the alerts about a user; how many.
///
/// # Errors
/// When the store can't be written.
pub async fn erase(location: &Location, user: &str) -> Result<u64, StoreError> {
    Database::attach(location).erase(user).await
}

/// How each output stands for which anything waits or was refused.
///
/// # Errors
/// When the store can't be read.
pub async fn backlogs(location: &Location) -> Result<Vec<Backlog>, StoreError> {
    Database::read_only(location).backlogs().await
}

/// Lets what an output refused wait for it again; how many alerts.
///
/// # Errors
/// When the store can't be written.
pub async fn retry(location: &Location, output: &str) -> Result<u64, StoreError> {
    Database::attach(location).retry(output).await
}

/// Adds a silence to a store that another process may be writing. It counts for alerts that are stored from now on.
///
/// # Errors
/// When the store can't be written.
pub async fn add_silence(location: &Location, silence: &Silence) -> Result<(), StoreError> {
    Database::attach(location).add_silence(silence).await
}

/// All silences that there ever were, oldest first.
///
/// # Errors
/// When the store can't be read.
pub async fn silences(location: &Location) -> Result<Vec<Silence>, StoreError> {
    Database::read_only(location).silences().await
}

/// Ends a silence; whether it was in force.
///
/// # Errors
/// When the store can't be written.
pub async fn remove_silence(location: &Location, id: &str, by: &str, now: i64) -> Result<bool, StoreError> {
    Database::attach(location).remove_silence(id, by, now).await
}
