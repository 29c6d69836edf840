use std::fmt;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use audit_event::Timestamp;
use fe2o3_amqp::Receiver;
use fe2o3_amqp::link::RecvError;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::definitions::{Fields, SenderSettleMode};
use fe2o3_amqp::types::messaging::annotations::AnnotationKey;
use fe2o3_amqp::types::messaging::{AmqpValue, Body, FilterSet, MessageAnnotations, Source};
use fe2o3_amqp::types::primitives::{Symbol, Value};
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;

use super::management::milliseconds;
use super::{Connection, Failure, value, within};

/// The selector filter's name and code (<http://www.amqp.org/specification/1.0/filters>).
const SELECTOR: &str = "apache.org:selector-filter:string";

/// What is wrong with a message that was sent as a value of AMQP.
const STRUCTURE: &str = "a message whose body is a structure of AMQP, not bytes";

/// One partition as one consumer group sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// The event hub.
    pub hub: String,
    /// The consumer group.
    pub group: String,
    /// The partition's id.
    pub partition: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/ConsumerGroups/{}/Partitions/{}", self.hub, self.group, self.partition)
    }
}

/// Where reading begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// At the oldest message that is kept.
    Earliest,
    /// Behind the newest message.
    Latest,
    /// Behind the message of that offset, an opaque text.
    Behind(String),
    /// Behind the message of that sequence number.
    BehindSequence(i64),
    /// At the first message that came in after that time.
    Since(Timestamp),
}

impl Start {
    /// The selector of the attach.
    fn selector(&self) -> String {
        let (annotation, bound) = match self {
            Self::Earliest => ("x-opt-offset", "-1".to_owned()),
            Self::Latest => ("x-opt-offset", "@latest".to_owned()),
            Self::Behind(offset) => ("x-opt-offset", offset.replace('\'', "''")),
            Self::BehindSequence(number) => ("x-opt-sequence-number", number.to_string()),
            Self::Since(time) => ("x-opt-enqueued-time", time.as_milliseconds().to_string()),
        };
        format!("amqp.annotation.{annotation} > '{bound}'")
    }
}

/// A message with its place in the partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its number in the partition, one more than that of the message before.
    pub sequence: i64,
    /// Its offset, an opaque text.
    pub offset: String,
    /// When the hub took it.
    pub enqueued: Option<Timestamp>,
    /// What its sender sent.
    pub body: Vec<u8>,
    /// Why that can't be read: then the body is how it shows.
    pub unreadable: Option<&'static str>,
}

/// What a link brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// A message.
    Message(Message),
    /// Something that has no place in the partition that could be read.
    Undecodable {
        /// Why.
        reason: String,
        /// What could be had of it.
        text: String,
    },
}

/// The link to a partition, with a session of its own, so that what befalls one partition befalls no other.
#[derive(Debug)]
pub struct PartitionLink {
    receiver: Receiver,
    session: SessionHandle<()>,
    limit: Duration,
    unsettled: Option<DeliveryInfo>,
}

impl PartitionLink {
    /// Attaches. With an epoch, this reader takes the partition from readers of the same or a lower one, and from those
    /// without; the service tells them by [`super::Condition::Stolen`]. Nothing flows until [`PartitionLink::allow`].
    pub async fn attach(
        connection: &Connection,
        address: &Address,
        start: &Start,
        epoch: Option<i64>,
        name: &str,
    ) -> Result<Self, Failure> {
        const WHAT: &str = "attaching to the partition";
        let mut session = connection.session().await?;
        let selector = Described {
            descriptor: Descriptor::Name(Symbol::from(SELECTOR)),
            value: Value::String(start.selector()),
        };
        let mut filter = FilterSet::new();
        filter.insert(Symbol::from(SELECTOR), Value::Described(Box::new(selector)));
        let source = Source::builder().address(address.to_string()).filter(filter).build();
        let mut properties = Fields::new();
        properties.insert(Symbol::from("com.microsoft:receiver-name"), Value::String(name.to_owned()));
        if let Some(epoch) = epoch {
            properties.insert(Symbol::from("com.microsoft:epoch"), Value::Long(epoch));
        }
        let receiver = Receiver::builder()
            .name(name)
            .source(source)
            .target(address.partition.as_str())
            // Progress is ours to keep, so there is nothing to settle.
            .sender_settle_mode(SenderSettleMode::Settled)
            .properties(properties)
            // Offsets are opaque texts everywhere since geo-replication.
            .add_desired_capabilities("com.microsoft.georeplication")
            // Services answer with the source as they know it, filters and all.
            .verify_incoming_source(false)
            .credit_mode(CreditMode::Manual)
            .attach(&mut session);
        let limit = connection.limit;
        let receiver = within(limit, WHAT, receiver).await?;
        Ok(Self { receiver, session, limit, unsettled: None })
    }

    /// How many messages the service may still send, by what was allowed and what was taken.
    pub fn credit(&self) -> u32 {
        self.receiver.credit()
    }

    /// Allows the service so many messages beyond those that were taken.
    pub async fn allow(&mut self, messages: u32) -> Result<(), Failure> {
        within(self.limit, "granting credit", self.receiver.set_credit(messages)).await
    }

    /// The next message; it may be long in coming. May be dropped and asked again without loss.
    pub async fn next(&mut self) -> Result<Received, Failure> {
        // Settled by the sender as asked for; should one not be, it must not pile up.
        if let Some(info) = &self.unsettled {
            within(self.limit, "settling", self.receiver.accept(info.clone())).await?;
            self.unsettled = None;
        }
        match self.receiver.recv::<Body<Value>>().await {
            Ok(delivery) => {
                let (info, received) = delivery.into_parts();
                self.unsettled = Some(info);
                Ok(message(received))
            }
            Err(RecvError::MessageDecode(error)) => {
                let reason = super::readable(&error.source.to_string());
                let text = "(the library gives nothing of a message that it cannot decode)".to_owned();
                Ok(Received::Undecodable {
                    reason: format!("a message that cannot be decoded: {reason}"),
                    text,
                })
            }
            Err(error) => Err(Failure::of("reading the partition", error)),
        }
    }

    /// The next message if it is there already.
    pub async fn next_at_hand(&mut self) -> Option<Result<Received, Failure>> {
        let mut next = std::pin::pin!(self.next());
        poll_fn(|context| match next.as_mut().poll(context) {
            Poll::Ready(received) => Poll::Ready(Some(received)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Says good-bye, without insisting on an answer.
    pub async fn close(mut self) {
        let farewell = async {
            let _ = self.receiver.close().await;
            let _ = self.session.end().await;
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), farewell).await;
    }
}

fn message(message: fe2o3_amqp::types::messaging::Message<Body<Value>>) -> Received {
    let annotations = message.message_annotations.unwrap_or_else(|| MessageAnnotations::builder().build());
    let get = |name: &str| annotations.get(&Symbol::from(name) as &dyn AnnotationKey);
    let offset = get("x-opt-offset").map(|offset| match value::integer(offset) {
        Some(number) => number.to_string(),
        None => value::text(offset).unwrap_or_default(),
    });
    let (body, unreadable) = match message.body {
        Body::Data(sections) => {
            let mut sections = sections.into_iter().map(|section| section.0.into_vec());
            let mut body = sections.next().unwrap_or_default();
            sections.for_each(|more| body.extend(more));
            (body, None)
        }
        Body::Value(AmqpValue(Value::Binary(bytes))) => (bytes.into_vec(), None),
        Body::Value(AmqpValue(Value::String(text))) => (text.into_bytes(), None),
        Body::Value(AmqpValue(structure)) => (format!("{structure:?}").into_bytes(), Some(STRUCTURE)),
        Body::Sequence(structure) => (format!("{structure:?}").into_bytes(), Some(STRUCTURE)),
        Body::Empty => (Vec::new(), None),
    };
    let Some(sequence) = get("x-opt-sequence-number").and_then(value::integer) else {
        return Received::Undecodable {
            reason: "a message without `x-opt-sequence-number`".to_owned(),
            text: audit_event::payload::text(&body).into_owned(),
        };
    };
    Received::Message(Message {
        sequence,
        offset: offset.unwrap_or_default(),
        enqueued: get("x-opt-enqueued-time").and_then(value::integer).map(milliseconds),
        body,
        unreadable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors() {
        for (start, selector) in [
            (Start::Earliest, "amqp.annotation.x-opt-offset > '-1'"),
            (Start::Latest, "amqp.annotation.x-opt-offset > '@latest'"),
            (Start::Behind("1:2".to_owned()), "amqp.annotation.x-opt-offset > '1:2'"),
            (Start::Behind("' or '".to_owned()), "amqp.annotation.x-opt-offset > ''' or '''"),
            (Start::BehindSequence(7), "amqp.annotation.x-opt-sequence-number > '7'"),
            (Start::Since(milliseconds(12)), "amqp.annotation.x-opt-enqueued-time > '12'"),
        ] {
            assert_eq!(start.selector(), selector);
        }
    }

    #[test]
    fn what_is_no_message_of_bytes_is_kept_with_its_reason() {
        let structure = || Body::Value(AmqpValue(Value::List(vec![Value::String("audit".to_owned())])));
        let numbered = MessageAnnotations::builder().insert("x-opt-sequence-number", 7_i64).build();
        let sent = |annotations, body| {
            let empty = fe2o3_amqp::types::messaging::Message::builder().body(body).build();
            message(fe2o3_amqp::types::messaging::Message { message_annotations: annotations, ..empty })
        };
        let Received::Message(read) = sent(Some(numbered), structure()) else { panic!("it has its place") };
        assert_eq!((read.sequence, read.unreadable), (7, Some(STRUCTURE)));
        assert!(String::from_utf8(read.body).unwrap().contains("audit"));
        let Received::Undecodable { reason, text } = sent(None, structure()) else {
            panic!("it has no place")
        };
        assert!(reason.contains("x-opt-sequence-number") && text.contains("audit"), "{reason}: {text}");
    }
}
