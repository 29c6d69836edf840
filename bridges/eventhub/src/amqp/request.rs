use std::time::Duration;

use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::{
    ApplicationProperties, Body, Message, MessageId, Properties, SerializableBody, Target,
};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};
use fe2o3_amqp::{Receiver, Sender};

use super::value::{simple_integer, simple_text};
use super::{Condition, Connection, Failure, readable, within};

/// A pair of links to a node that answers requests: `$cbs`, `$management` (AMQP management, working draft 9).
#[derive(Debug)]
pub(super) struct Requests {
    what: &'static str,
    limit: Duration,
    sender: Sender,
    receiver: Receiver,
    reply_to: String,
    number: u64,
    /// Links end with their session, so it stays as long as they do.
    _session: SessionHandle<()>,
}

/// An answer whose status says that it was done.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) body: Body<Value>,
}

impl Requests {
    /// Attaches to `node`; `what` names it in failures.
    pub(super) async fn attach(
        connection: &Connection,
        node: &str,
        what: &'static str,
    ) -> Result<Self, Failure> {
        let limit = connection.limit;
        let mut session = connection.session().await?;
        let reply_to = format!("{node}-reply");
        let sender =
            within(limit, what, Sender::attach(&mut session, format!("{node}-sender"), node)).await?;
        let receiver = Receiver::builder()
            .name(format!("{node}-receiver"))
            .source(node)
            .target(Target::from(reply_to.clone()))
            .attach(&mut session);
        let receiver = within(limit, what, receiver).await?;
        Ok(Self { what, limit, sender, receiver, reply_to, number: 0, _session: session })
    }

    /// Sends a request of these application properties and waits for its answer. After a failure other than
    /// [`Failure::Refused`] the pair is of no more use.
    pub(super) async fn call(
        &mut self,
        properties: impl IntoIterator<Item = (&'static str, SimpleValue)>,
        body: impl SerializableBody,
    ) -> Result<Reply, Failure> {
        self.number += 1;
        let mut application = ApplicationProperties::default();
        for (key, value) in properties {
            application.insert(key.to_owned(), value);
        }
        let request = Message::builder()
            .properties(
                Properties::builder()
                    .message_id(MessageId::Ulong(self.number))
                    .reply_to(self.reply_to.clone())
                    .build(),
            )
            .application_properties(application)
            .body(body)
            .build();
        within(self.limit, self.what, self.sender.send(request)).await?;
        loop {
            let delivery = within(self.limit, self.what, self.receiver.recv::<Body<Value>>()).await?;
            within(self.limit, self.what, self.receiver.accept(&delivery)).await?;
            let reply = delivery.into_message();
            // An answer that came too late for its request is still in the link when the next one is asked.
            let correlation =
                reply.properties.as_ref().and_then(|properties| properties.correlation_id.as_ref());
            if correlation.is_none_or(|id| *id == MessageId::Ulong(self.number)) {
                return self.checked(reply);
            }
        }
    }

    fn checked(&self, reply: Message<Body<Value>>) -> Result<Reply, Failure> {
        let get = |names: [&str; 2]| {
            let properties = reply.application_properties.as_ref()?;
            names.iter().find_map(|name| properties.get(*name))
        };
        let status = get(["status-code", "statusCode"]).and_then(simple_integer).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(Reply { body: reply.body });
        }
        let description = get(["status-description", "statusDescription"]).and_then(simple_text);
        let stated = get(["error-condition", "errorCondition"]).and_then(simple_text);
        let condition = match stated.as_deref().map(Condition::named) {
            None | Some(Condition::Other) => Condition::status(status),
            Some(condition) => condition,
        };
        let description = format!("status {status}: {}", description.as_deref().unwrap_or("no description"));
        Err(Failure::Refused { what: self.what, condition, description: readable(&description) })
    }
}
