//! One reader of one partition.

use std::sync::Arc;
use std::time::Instant;

use fe2o3_amqp::Sender;
use fe2o3_amqp::link::delivery::Sendable;
use fe2o3_amqp::types::definitions::{Error, ErrorCondition, Fields};
use fe2o3_amqp::types::messaging::{Data, FilterSet, Message, MessageAnnotations};
use fe2o3_amqp::types::primitives::{Binary, Symbol, Timestamp, Value};
use tokio::sync::{mpsc, watch};

use super::connection::Peer;
use super::hub::{MUTE, Selector, Stored};
use super::{Attached, State};

/// What a client attached for, or why that makes no sense.
#[derive(Debug)]
pub(super) struct Wish {
    address: String,
    attached: Result<Attached, &'static str>,
}

impl Wish {
    pub(super) fn of(address: &str, filter: Option<&FilterSet>, properties: Option<&Fields>) -> Self {
        let parts: Vec<&str> = address.split('/').collect();
        let attached = match parts.as_slice() {
            [hub, "ConsumerGroups", group, "Partitions", partition] => Ok(Attached {
                hub: (*hub).to_owned(),
                group: (*group).to_owned(),
                partition: (*partition).to_owned(),
                selector: Selector::Offset("@latest".to_owned()),
                epoch: properties.and_then(|properties| match properties.get("com.microsoft:epoch") {
                    Some(Value::Long(epoch)) => Some(*epoch),
                    Some(Value::Int(epoch)) => Some((*epoch).into()),
                    _ => None,
                }),
            }),
            _ => Err("amqp:not-found"),
        };
        let attached = attached.and_then(|attached| match filter.map(selector) {
            None => Ok(attached),
            Some(Some(selector)) => Ok(Attached { selector, ..attached }),
            Some(None) => Err("com.microsoft:argument-error"),
        });
        Self { address: address.to_owned(), attached }
    }
}

/// `amqp.annotation.x-opt-offset > '...'` and its like.
fn selector(filter: &FilterSet) -> Option<Selector> {
    let described = filter.get("apache.org:selector-filter:string")?;
    let text = match described {
        Value::Described(described) => match &described.value {
            Value::String(text) => text,
            _ => return None,
        },
        Value::String(text) => text,
        _ => return None,
    };
    let (name, rest) = text.strip_prefix("amqp.annotation.")?.split_once(' ')?;
    let (operator, bound) = rest.trim().split_once(' ')?;
    let bound = bound.trim().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
    match (name, operator) {
        ("x-opt-offset", ">") => Some(Selector::Offset(bound)),
        ("x-opt-sequence-number", ">" | ">=") => {
            Some(Selector::Sequence(bound.parse().ok()?, operator == ">="))
        }
        ("x-opt-enqueued-time", ">") => Some(Selector::Enqueued(bound.parse().ok()?)),
        _ => None,
    }
}

pub(super) async fn serve(sender: Sender, wish: Wish, peer: Arc<Peer>) {
    let condition = match (wish.attached, peer.authorised(&wish.address)) {
        (Err(condition), _) => condition.to_owned(),
        (Ok(_), None) => "amqp:unauthorized-access".to_owned(),
        (Ok(attached), Some(_)) => {
            let joined = join(&mut peer.shared.lock(), &attached);
            match joined {
                Err(condition) => condition,
                Ok(reading) => return read(sender, attached, reading, &peer, &wish.address).await,
            }
        }
    };
    close(sender, &condition).await;
}

struct Reading {
    next: i64,
    grown: watch::Receiver<i64>,
    kicked: mpsc::UnboundedReceiver<String>,
}

fn join(state: &mut State, attached: &Attached) -> Result<Reading, String> {
    state.attached.push(attached.clone());
    if let Some(condition) = state.refuse.pop_front() {
        return Err(condition);
    }
    if state.hubs.get(&attached.hub).is_some_and(|hub| hub.disabled) {
        return Err("com.microsoft:entity-disabled".to_owned());
    }
    let partition = state
        .hubs
        .partition(&attached.hub, &attached.partition)
        .ok_or_else(|| "amqp:not-found".to_owned())?;
    let next = partition.begin(&attached.selector).ok_or("com.microsoft:argument-out-of-range")?;
    let kicked = partition.join(&attached.group, attached.epoch)?;
    Ok(Reading { next, grown: partition.watch(), kicked })
}

/// Sends what there is as credit allows, until somebody ends it.
async fn read(mut sender: Sender, attached: Attached, mut reading: Reading, peer: &Peer, address: &str) {
    let condition = loop {
        let Some(until) = peer.authorised(address) else { break "amqp:unauthorized-access".to_owned() };
        let expired = tokio::time::sleep_until(until.into());
        let message = {
            let mut state = peer.shared.lock();
            state
                .hubs
                .partition(&attached.hub, &attached.partition)
                .and_then(|partition| partition.message(reading.next))
        };
        match message {
            Some(message) => {
                let sequence = message.sequence;
                tokio::select! {
                    biased;
                    Some(condition) = reading.kicked.recv() => break condition,
                    () = expired => {}
                    sent = sender.send_batchable(sendable(message)) => match sent {
                        Ok(_) => reading.next = sequence + 1,
                        Err(_) => return,
                    },
                }
            }
            None => {
                tokio::select! {
                    Some(condition) = reading.kicked.recv() => break condition,
                    () = expired => {}
                    _ = reading.grown.changed() => {}
                    _ = sender.on_detach() => return,
                }
            }
        }
    };
    drop(reading);
    if condition == MUTE {
        let _ = sender.on_detach().await;
        return;
    }
    close(sender, &condition).await;
}

async fn close(sender: Sender, condition: &str) {
    let said = Error::new(
        ErrorCondition::Custom(Symbol::from(condition)),
        format!("the fake says so at {:?}", Instant::now()),
        None,
    );
    let _ = sender.close_with_error(said).await;
}

fn sendable(stored: Stored) -> Sendable<Data> {
    let annotations = MessageAnnotations::builder()
        .insert("x-opt-sequence-number", stored.sequence)
        .insert("x-opt-offset", stored.offset())
        .insert("x-opt-enqueued-time", Timestamp::from_milliseconds(stored.enqueued_ms))
        .build();
    let message =
        Message::builder().message_annotations(annotations).data(Binary::from(stored.body.to_vec())).build();
    Sendable::builder().message(message).settled(true).build()
}
