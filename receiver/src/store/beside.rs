//! What commands ask of a store beside the receiver that writes it.

use super::database::Database;
use super::erasure::{self, Erasure};
use super::{ActivityFilter, Backlog, Filter, Kept, Listed, Location, Shown, Silence, StoreError};

/// Quarantined records read at once.
const PAGE: u32 = 100;

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

/// Up to `limit` quarantined records after the place `after`, of one cluster if given, oldest first; without themselves.
///
/// # Errors
/// When the store can't be read.
pub async fn quarantine_list(
    location: &Location,
    after: i64,
    cluster: Option<&str>,
    limit: u32,
) -> Result<Vec<Listed>, StoreError> {
    Database::read_only(location).quarantine_list(after, cluster, limit).await
}

/// Up to `limit` quarantined records after the place `after`, of one cluster if given, oldest first: not as many when they
/// are large. None when there are no more.
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

/// Removes the alerts and the activity of a user, and the quarantined records that name it, and notes that `author` did.
///
/// # Errors
/// When the store can't be written. What was removed until then is not noted.
pub async fn erase(location: &Location, user: &str, author: &str, now: i64) -> Result<Erasure, StoreError> {
    let database = Database::attach(location);
    let (alerts, activity) = database.erase(user).await?;
    let (mut after, mut quarantined) = (0, 0);
    loop {
        let page = database.quarantined(after, None, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for kept in page.iter().filter(|kept| erasure::names(&kept.quarantined.record, user)) {
            quarantined += u64::from(database.erase_record(kept.seq).await?);
        }
    }
    let (author, user_digest) = (author.to_owned(), erasure::digest(user));
    let erasure = Erasure { at: now, author, user_digest, alerts, activity, quarantined };
    database.note_erasure(&erasure).await?;
    Ok(erasure)
}

/// Who had what is stored about somebody removed, oldest first.
///
/// # Errors
/// When the store can't be read.
pub async fn erasures(location: &Location) -> Result<Vec<Erasure>, StoreError> {
    Database::read_only(location).erasures().await
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
