use audit_event::Timestamp;
use fe2o3_amqp::types::messaging::{AmqpValue, Body};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};

use super::value::{self, Map};
use super::{Connection, Failure, Reply, Requests};

/// What a hub says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HubProperties {
    /// Its partitions, in the order of the service; they are numbers from 0, but need not stay so.
    pub partitions: Vec<String>,
}

/// What a partition says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionProperties {
    /// The sequence number of the oldest message that is kept; one behind the last when none is.
    pub first: i64,
    /// The sequence number of the newest message, -1 before the first.
    pub last: i64,
    /// The newest message's offset.
    pub last_offset: String,
    /// When the newest message came in.
    pub last_enqueued: Option<Timestamp>,
    /// Whether no message is kept.
    pub is_empty: bool,
}

/// The management node of a hub.
#[derive(Debug)]
pub struct Management {
    requests: Requests,
    hub: String,
}

impl Management {
    /// Attaches to it. The connection must be authorised for the hub.
    pub async fn attach(connection: &Connection, hub: &str) -> Result<Self, Failure> {
        let requests = Requests::attach(connection, "$management", "reading the hub's properties").await?;
        Ok(Self { requests, hub: hub.to_owned() })
    }

    /// The hub's partitions.
    pub async fn hub(&mut self, token: &str) -> Result<HubProperties, Failure> {
        let reply = self.read("com.microsoft:eventhub", None, token).await?;
        let partitions = reply.get("partition_ids").and_then(value::texts);
        partitions.map(|partitions| HubProperties { partitions }).ok_or_else(|| odd("`partition_ids`"))
    }

    /// What a partition holds.
    pub async fn partition(&mut self, partition: &str, token: &str) -> Result<PartitionProperties, Failure> {
        let reply = self.read("com.microsoft:partition", Some(partition), token).await?;
        let number = |name: &'static str| reply.get(name).and_then(value::integer).ok_or_else(|| odd(name));
        let offset =
            |value: &Value| value::text(value).or_else(|| value::integer(value).map(|n| n.to_string()));
        Ok(PartitionProperties {
            first: number("begin_sequence_number")?,
            last: number("last_enqueued_sequence_number")?,
            last_offset: reply.get("last_enqueued_offset").and_then(offset).unwrap_or_default(),
            last_enqueued: number("last_enqueued_time_utc").ok().map(milliseconds),
            is_empty: reply.get("is_partition_empty").and_then(value::boolean).unwrap_or(false),
        })
    }

    async fn read(&mut self, kind: &str, partition: Option<&str>, token: &str) -> Result<Answer, Failure> {
        let mut properties = vec![
            ("operation", SimpleValue::from("READ")),
            ("name", SimpleValue::from(self.hub.as_str())),
            ("type", SimpleValue::from(kind)),
            ("security_token", SimpleValue::from(token)),
        ];
        properties.extend(partition.map(|partition| ("partition", SimpleValue::from(partition))));
        let reply = self.requests.call(properties, AmqpValue(Value::Null)).await?;
        Answer::of(reply)
    }
}

/// The map in an answer.
struct Answer(Map);

impl Answer {
    fn of(reply: Reply) -> Result<Self, Failure> {
        match reply.body {
            Body::Value(AmqpValue(Value::Map(map))) => Ok(Self(map)),
            _ => Err(odd("a map")),
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        value::get(&self.0, key)
    }
}

fn odd(missing: &str) -> Failure {
    Failure::Lost { what: "reading the hub's properties", reason: format!("the answer is without {missing}") }
}

pub(super) fn milliseconds(milliseconds: i64) -> Timestamp {
    Timestamp::from_nanoseconds(i128::from(milliseconds) * 1_000_000)
}
