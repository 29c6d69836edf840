use fe2o3_amqp::types::messaging::AmqpValue;
use fe2o3_amqp::types::primitives::SimpleValue;

use super::{Connection, Failure, Requests};

/// The node that takes tokens. A connection has one pair of links to it and asks one thing at a time, or is told that
/// this is not allowed.
#[derive(Debug)]
pub struct Cbs(Requests);

impl Cbs {
    /// Attaches to it.
    pub async fn attach(connection: &Connection) -> Result<Self, Failure> {
        Requests::attach(connection, "$cbs", "authorising").await.map(Self)
    }

    /// Lets the connection use `audience` and what is below it, for as long as the token is good.
    pub async fn put_token(&mut self, audience: &str, kind: &str, token: &str) -> Result<(), Failure> {
        let properties = [
            ("operation", SimpleValue::from("put-token")),
            ("type", SimpleValue::from(kind)),
            ("name", SimpleValue::from(audience)),
        ];
        self.0.call(properties, AmqpValue(token.to_owned())).await.map(drop)
    }
}
