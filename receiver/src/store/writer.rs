//! The one writer: group commit.

use tokio::sync::{mpsc, watch};

use super::database::Writer;
use super::{Health, Recorded, Request, StoreError, Write};

/// Most requests in one transaction, so that the first doesn't wait for ever.
const MOST_IN_ONE: usize = 256;

/// Commits what waits, one transaction after another, until every sender is gone.
pub(super) async fn run(
    mut writer: Writer,
    mut requests: mpsc::Receiver<Request>,
    health: watch::Sender<Health>,
    commits: watch::Sender<u64>,
) {
    let mut group = Vec::new();
    while requests.recv_many(&mut group, MOST_IN_ONE).await > 0 {
        let results = match writer.commit(group.iter().map(|request| &request.write)).await {
            Ok(recorded) => recorded.into_iter().map(Ok).collect(),
            Err(error) if group.len() == 1 => vec![Err(error)],
            Err(_) => one_by_one(&mut writer, &group).await,
        };
        note(&health, &results);
        if results.iter().flatten().any(|recorded| recorded.new.contains(&true)) {
            commits.send_modify(|count| *count += 1);
        }
        if group.iter().any(|request| matches!(request.write, Write::Close)) {
            requests.close();
        }
        for (request, result) in group.drain(..).zip(results) {
            // A caller that has gone will send again; the identity makes that harmless.
            let _ = request.answer.send(result);
        }
    }
    writer.close().await;
}

/// Of a group that failed each on its own, so that one request that can't be stored doesn't fail the others.
async fn one_by_one(writer: &mut Writer, group: &[Request]) -> Vec<Result<Recorded, StoreError>> {
    let mut results = Vec::with_capacity(group.len());
    for request in group {
        let result = writer.commit(std::iter::once(&request.write)).await;
        results.push(result.map(|mut recorded| recorded.pop().unwrap_or_default()));
    }
    results
}

/// The store is healthy when the last write succeeded.
fn note(health: &watch::Sender<Health>, results: &[Result<Recorded, StoreError>]) {
    let Some(last) = results.last() else { return };
    let now = last.as_ref().map(drop).map_err(Clone::clone);
    health.send_if_modified(|before| {
        let changed = *before != now;
        *before = now;
        changed
    });
}
