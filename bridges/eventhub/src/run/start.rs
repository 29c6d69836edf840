//! Where the partitions begin that have no position of ours.

use std::collections::HashMap;
use std::sync::Arc;

use audit_bridge::checkpoint::{CheckpointStore, StoreFailed};
use audit_bridge::deliver::Backoff;
use audit_service::exit::{Failure, chain};
use audit_service::health::Condition;
use tokio::time::sleep;

use crate::blob::{Container, Unreadable};
use crate::config::{Config, Target};
use crate::source::Position;

/// Where those of `units` (with the ids of their partitions) begin that have no position, by id: where an earlier reader was;
/// else, beside others that have one, at the beginning, for the hub gained them since; else as configured, and they are not
/// among these. Without the earlier reader's positions a partition would begin elsewhere, so nothing is read until they are
/// there.
pub(super) async fn positions(
    config: &Config,
    target: &Target,
    store: &Arc<dyn CheckpointStore>,
    units: &[(String, String)],
    condition: &Condition,
    once: bool,
) -> Result<HashMap<String, Position>, Failure> {
    let fresh = fresh(store, units, condition, once).await?;
    let mut start = HashMap::new();
    if fresh.len() < units.len() {
        start.extend(fresh.iter().map(|id| ((*id).to_owned(), Position::default())));
    }
    let Some(options) = config.start_checkpoints.as_ref().filter(|_| !fresh.is_empty()) else {
        return Ok(start);
    };
    let container = Container::open(config, options, target)?;
    let mut backoff = Backoff::default();
    loop {
        match container.positions(target, &config.consumer_group, &fresh).await {
            Ok(positions) if positions.is_empty() && start.is_empty() => {
                tracing::warn!(
                    container = %container, of = fresh.len(),
                    "no position of the earlier reader was found, so what it left unread may be passed over: it must have read \
                     the same event hub by the same consumer group"
                );
                return Ok(start);
            }
            Ok(positions) => {
                tracing::info!(
                    container = %container, found = positions.len(), of = fresh.len(),
                    "going on where the earlier reader was"
                );
                start.extend(positions);
                return Ok(start);
            }
            Err(problem @ (Unreadable::Refused { .. } | Unreadable::Missing { .. })) if once => {
                return Err(problem.into());
            }
            Err(problem) => {
                let problem = chain(&problem);
                tracing::warn!(problem, "the positions of the earlier reader cannot be read yet");
                condition.not_ready(problem);
            }
        }
        sleep(backoff.next(None)).await;
    }
}

/// The ids of the partitions that have no position. All are asked for before any is begun: so the first of a first start
/// don't make the others look late.
async fn fresh<'a>(
    store: &Arc<dyn CheckpointStore>,
    units: &'a [(String, String)],
    condition: &Condition,
    once: bool,
) -> Result<Vec<&'a str>, StoreFailed> {
    let mut backoff = Backoff::default();
    let mut fresh = Vec::new();
    for (unit, id) in units {
        loop {
            match store.load(unit).await {
                Ok(Some((document, _))) if !document.position.is_null() => break,
                Ok(_) => {
                    fresh.push(id.as_str());
                    break;
                }
                Err(failed @ StoreFailed::Unavailable { .. }) if once => return Err(failed),
                Err(failed @ StoreFailed::Unavailable { .. }) => condition.not_ready(failed.to_string()),
                // It was begun; its own unit says what is wrong.
                Err(_) => break,
            }
            sleep(backoff.next(None)).await;
        }
    }
    Ok(fresh)
}
