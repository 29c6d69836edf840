//! The nodes that answer: `$cbs`, which takes tokens, and `$management`, which describes hubs and partitions.

use std::collections::HashMap;
use std::sync::Arc;

use fe2o3_amqp::acceptor::LinkEndpoint;
use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body, Message, MessageId, Properties};
use fe2o3_amqp::types::primitives::{Array, OrderedMap, SimpleValue, Symbol, Timestamp, Value};
use fe2o3_amqp::{Receiver, Sender};
use tokio::sync::Mutex;

use super::State;
use super::connection::Peer;

/// The links on which a connection's answers go out, by node.
#[derive(Debug, Default)]
pub(super) struct Nodes(Mutex<HashMap<&'static str, Vec<Way>>>);

#[derive(Debug)]
struct Way {
    name: String,
    target: String,
    sender: Sender,
}

type Map = OrderedMap<Value, Value>;
type Answer = Result<(i32, Value), (i32, &'static str, String)>;

pub(super) fn node(address: &str) -> Option<&'static str> {
    match address {
        "$cbs" => Some("$cbs"),
        address if address.ends_with("$management") => Some("$management"),
        _ => None,
    }
}

pub(super) fn join(endpoint: LinkEndpoint, node: &'static str, name: &str, target: &str, peer: &Arc<Peer>) {
    let peer = Arc::clone(peer);
    let (name, target) = (name.to_owned(), target.to_owned());
    match endpoint {
        LinkEndpoint::Sender(sender) => {
            tokio::spawn(async move {
                let way = Way { name, target, sender };
                peer.nodes.0.lock().await.entry(node).or_default().push(way);
            });
        }
        LinkEndpoint::Receiver(receiver) => {
            tokio::spawn(serve(receiver, node, peer));
        }
    }
}

async fn serve(mut receiver: Receiver, node: &'static str, peer: Arc<Peer>) {
    while let Ok(delivery) = receiver.recv::<Body<Value>>().await {
        let _ = receiver.accept(&delivery).await;
        let request = Request::of(delivery.into_message());
        let answer = match node {
            "$cbs" => put_token(&request, &peer),
            _ => describe(&request, &peer),
        };
        reply(node, &request, answer, &peer).await;
    }
}

struct Request {
    id: Option<MessageId>,
    reply_to: Option<String>,
    properties: HashMap<String, String>,
    body: String,
}

impl Request {
    fn of(message: Message<Body<Value>>) -> Self {
        let properties = message.application_properties.unwrap_or_default();
        let text = |value: &SimpleValue| match value {
            SimpleValue::String(text) => text.clone(),
            SimpleValue::Symbol(symbol) => symbol.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        let body = match message.body {
            Body::Value(AmqpValue(Value::String(text))) => text,
            _ => String::new(),
        };
        let head = message.properties;
        Self {
            id: head.as_ref().and_then(|head| head.message_id.clone()),
            reply_to: head.and_then(|head| head.reply_to),
            properties: properties.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
            body,
        }
    }

    fn get(&self, name: &str) -> &str {
        self.properties.get(name).map_or("", String::as_str)
    }
}

fn put_token(request: &Request, peer: &Peer) -> Answer {
    let audience = request.get("name");
    let mut state = peer.shared.lock();
    match state.issued.check(request.get("type"), &request.body, audience) {
        Ok(life) => {
            state.tokens_put += 1;
            drop(state);
            peer.authorise(audience, life);
            Ok((202, Value::Null))
        }
        Err(reason) => Err((401, "amqp:unauthorized-access", reason)),
    }
}

fn describe(request: &Request, peer: &Peer) -> Answer {
    let hub = request.get("name");
    if peer.authorised(hub).is_none() {
        return Err((401, "amqp:unauthorized-access", "no token was put for the hub".to_owned()));
    }
    let unknown = || (404, "amqp:not-found", format!("nothing is named `{hub}`"));
    let mut state = peer.shared.lock();
    let described = match request.get("type") {
        "com.microsoft:eventhub" => describe_hub(&mut state, hub),
        "com.microsoft:partition" => describe_partition(&mut state, hub, request.get("partition")),
        _ => None,
    };
    described.map(|map| (200, Value::Map(map))).ok_or_else(unknown)
}

fn describe_hub(state: &mut State, hub: &str) -> Option<Map> {
    let partitions = state.hubs.get(hub)?.partitions.len();
    let ids: Vec<Value> = (0..partitions).map(|id| Value::String(id.to_string())).collect();
    Some(map([
        ("name", Value::from(hub)),
        ("type", Value::from("com.microsoft:eventhub")),
        ("created_at", Value::Timestamp(Timestamp::from_milliseconds(1_700_000_000_000))),
        ("partition_count", Value::Int(i32::try_from(partitions).unwrap_or(i32::MAX))),
        ("partition_ids", Value::Array(Array(ids))),
        ("georeplication_factor", Value::Int(1)),
    ]))
}

fn describe_partition(state: &mut State, hub: &str, id: &str) -> Option<Map> {
    let partition = state.hubs.partition(hub, id)?;
    let last = partition.messages.back();
    Some(map([
        ("name", Value::from(hub)),
        ("type", Value::from("com.microsoft:partition")),
        ("partition", Value::from(id)),
        ("begin_sequence_number", Value::Long(partition.first())),
        ("last_enqueued_sequence_number", Value::Long(partition.next - 1)),
        ("last_enqueued_offset", Value::String(last.map_or("-1".to_owned(), |message| message.offset()))),
        (
            "last_enqueued_time_utc",
            Value::Timestamp(Timestamp::from_milliseconds(last.map_or(0, |message| message.enqueued_ms))),
        ),
        ("is_partition_empty", Value::Bool(partition.messages.is_empty())),
        ("begin_sequence_number_epoch", Value::Int(-1)),
        ("last_enqueued_sequence_number_epoch", Value::Int(-1)),
    ]))
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Map {
    entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect()
}

/// Answers on the link whose target or name the request gives, else on the node's last one: clients do either.
async fn reply(node: &'static str, request: &Request, answer: Answer, peer: &Peer) {
    let mut properties = ApplicationProperties::default();
    let mut insert = |key: &str, value: SimpleValue| properties.insert(key.to_owned(), value);
    let body = match answer {
        Ok((status, body)) => {
            insert("status-code", SimpleValue::Int(status));
            insert("status-description", SimpleValue::from("OK"));
            body
        }
        Err((status, condition, reason)) => {
            insert("status-code", SimpleValue::Int(status));
            insert("status-description", SimpleValue::from(reason.as_str()));
            insert("error-condition", SimpleValue::Symbol(Symbol::from(condition)));
            Value::Null
        }
    };
    let head = match &request.id {
        Some(id) => Properties::builder().correlation_id(id.clone()).build(),
        None => Properties::builder().build(),
    };
    let message =
        Message::builder().properties(head).application_properties(properties).body(AmqpValue(body)).build();
    let mut nodes = peer.nodes.0.lock().await;
    let Some(ways) = nodes.get_mut(node).filter(|ways| !ways.is_empty()) else { return };
    let wanted = request.reply_to.as_deref().unwrap_or_default();
    let at =
        ways.iter().rposition(|way| way.target == wanted || way.name == wanted).unwrap_or(ways.len() - 1);
    if ways[at].sender.send_batchable(message).await.is_err() {
        ways.remove(at);
    }
}
