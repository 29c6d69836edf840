//! One event hub: a connection for all its partitions, authorised and kept so.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use audit_service::exit;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::AbortHandle;

use crate::amqp::{
    Address, Cbs, Condition, Connection, Endpoint, Failure, Management, PartitionLink, PartitionProperties,
    Reaction, Start,
};
use crate::credentials::{Credentials, Token};

/// Before a token's end by so much it is renewed, or by a fifth of its life if that is less.
const RENEW_BEFORE: Duration = Duration::from_secs(360);
/// After a failed renewal.
const RENEW_AGAIN: Duration = Duration::from_secs(30);
/// Never sooner: a fixed signature is no newer for being put again, and its life goes towards nothing.
const RENEW_SOONEST: Duration = Duration::from_secs(1);

/// Why the hub can't be used just now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unavailable {
    /// There is no token.
    #[error("{0}")]
    Credentials(String),
    /// The wire, or what is at its other end.
    #[error(transparent)]
    Wire(#[from] Failure),
}

impl Unavailable {
    /// What to do about it.
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::Credentials(_) => Reaction::Mend,
            Self::Wire(failure) => failure.condition().map_or(Reaction::Retry, Condition::reaction),
        }
    }

    /// Its kind, as metrics have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Credentials(_) => "credentials",
            Self::Wire(Failure::Silent { .. }) => "silent",
            Self::Wire(Failure::Lost { .. }) => "lost",
            Self::Wire(Failure::Refused { condition, .. }) => condition.as_str(),
        }
    }
}

/// What a hub is reached by.
#[derive(Debug)]
pub struct Settings {
    /// The namespace.
    pub endpoint: Endpoint,
    /// The event hub.
    pub hub: String,
    /// The consumer group.
    pub group: String,
    /// The owner level to read with; `None` shares the partitions with other such readers.
    pub epoch: Option<i64>,
    /// Who reads, as the service's logs show it.
    pub reader: String,
}

/// An event hub. The connection is made when first needed and made again when it is lost.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    credentials: Arc<Credentials>,
    /// Counts attempts to connect: who waited for one need not try at once again.
    attempts: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: Option<Arc<Live>>,
    failed: Option<Unavailable>,
}

/// An authorised connection.
struct Live {
    /// Which of this hub's connections it is.
    number: u64,
    connection: Connection,
    management: Mutex<Management>,
    token: Arc<Mutex<Token>>,
    renewing: AbortHandle,
    /// It was found to be dead: who still waits for it need not find that out, too.
    dead: AtomicBool,
}

impl Live {
    async fn management(&self) -> Result<MutexGuard<'_, Management>, Failure> {
        let management = self.management.lock().await;
        if self.dead.load(Ordering::Acquire) {
            let reason = "the connection is gone".to_owned();
            return Err(Failure::Lost { what: "asking the event hub", reason });
        }
        Ok(management)
    }
}

impl Hub {
    /// A hub; nothing is connected yet.
    pub fn new(settings: Settings, credentials: Credentials) -> Self {
        Self {
            settings,
            credentials: Arc::new(credentials),
            attempts: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// What it is reached by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who reads it.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The ids of its partitions.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn partitions(&self) -> Result<Vec<String>, Unavailable> {
        let live = self.live().await?;
        let token = live.token.lock().await.value.clone();
        let answer = async { live.management().await?.hub(&token).await }.await;
        Ok(self.kept(&live, answer).await?.partitions)
    }

    /// What a partition holds.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn partition(&self, id: &str) -> Result<PartitionProperties, Unavailable> {
        let live = self.live().await?;
        let token = live.token.lock().await.value.clone();
        let answer = async { live.management().await?.partition(id, &token).await }.await;
        Ok(self.kept(&live, answer).await?)
    }

    /// What mends that, if somebody must.
    pub fn hint(&self, problem: &Unavailable) -> Option<String> {
        let Unavailable::Wire(Failure::Refused { condition, .. }) = problem else { return None };
        let group = &self.settings.group;
        Some(match condition {
            Condition::Stolen => format!(
                "another reader uses the consumer group `{group}`: if it is no replica of this bridge, give each tool a group \
                 of its own"
            ),
            Condition::Unauthorized => format!(
                "{} needs the right to listen, by the role `Azure Event Hubs Data Receiver` on the event hub or a policy with \
                 `Listen`",
                self.credentials.who()
            ),
            Condition::NotFound => {
                format!("check the names of the event hub and of the consumer group `{group}`")
            }
            Condition::EntityDisabled => "the event hub is switched off".to_owned(),
            Condition::QuotaExceeded => {
                format!(
                    "too many readers use the consumer group `{group}`, or the tier's connections are used up"
                )
            }
            _ => return None,
        })
    }

    /// A link to a partition, and the number of the connection that it is on.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn attach(&self, partition: &str, start: &Start) -> Result<(PartitionLink, u64), Unavailable> {
        let live = self.live().await?;
        let Settings { hub, group, epoch, reader, .. } = &self.settings;
        let address = Address { hub: hub.clone(), group: group.clone(), partition: partition.to_owned() };
        let name = format!("{reader}-{partition}-{:08x}", fastrand::u32(..));
        let link = PartitionLink::attach(&live.connection, &address, start, *epoch, &name).await;
        Ok((self.kept(&live, link).await?, live.number))
    }

    /// A link ended so: if that tells of its connection or its token, the next one is on another connection.
    pub async fn ended(&self, connection: u64, failure: &Unavailable) {
        if matches!(failure, Unavailable::Wire(failure) if condemns(failure)) {
            self.forget(connection).await;
        }
    }

    async fn forget(&self, connection: u64) {
        let mut state = self.state.lock().await;
        if let Some(live) = state.live.take_if(|live| live.number == connection) {
            live.dead.store(true, Ordering::Release);
        }
    }

    /// Forgets the connection if its failure was of the connection's own; its other users then find it closed.
    async fn kept<T>(&self, live: &Arc<Live>, outcome: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &outcome
            && condemns(failure)
        {
            self.forget(live.number).await;
        }
        outcome
    }

    /// Closes the connection, so that the service need not wait for its end.
    pub async fn close(&self) {
        if let Some(live) = self.state.lock().await.live.take() {
            live.connection.close().await;
        }
    }

    async fn live(&self) -> Result<Arc<Live>, Unavailable> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(live) = &state.live {
            if !live.connection.is_closed().await {
                return Ok(Arc::clone(live));
            }
            state.live = None;
        }
        // Thirty-two partitions that lost one connection should not knock thirty-two times.
        if self.attempts.load(Ordering::Acquire) != seen
            && let Some(failed) = &state.failed
        {
            return Err(failed.clone());
        }
        let opened = self.open(seen).await;
        self.attempts.fetch_add(1, Ordering::AcqRel);
        match opened {
            Ok(live) => {
                let live = Arc::new(live);
                state.live = Some(Arc::clone(&live));
                state.failed = None;
                Ok(live)
            }
            Err(failed) => {
                state.failed = Some(failed.clone());
                Err(failed)
            }
        }
    }

    async fn open(&self, number: u64) -> Result<Live, Unavailable> {
        let Settings { endpoint, hub, reader, .. } = &self.settings;
        let audience = format!("amqps://{}/{hub}", endpoint.namespace);
        let token = token(&self.credentials, &audience).await?;
        let connection = Connection::open(endpoint, reader).await?;
        let mut cbs = Cbs::attach(&connection).await?;
        cbs.put_token(&audience, token.kind, &token.value).await?;
        let management = Mutex::new(Management::attach(&connection, hub).await?);
        let token = Arc::new(Mutex::new(token));
        let renewing = tokio::spawn(renew(cbs, Arc::clone(&self.credentials), audience, Arc::clone(&token)));
        tracing::info!(endpoint = %endpoint, hub, "connected to the event hub");
        Ok(Live {
            number,
            connection,
            management,
            token,
            renewing: renewing.abort_handle(),
            dead: AtomicBool::new(false),
        })
    }
}

/// Keeps a connection authorised for as long as it can; the service ends the links of one that is not.
async fn renew(mut cbs: Cbs, credentials: Arc<Credentials>, audience: String, current: Arc<Mutex<Token>>) {
    loop {
        let life = current.lock().await.life;
        tokio::time::sleep(renew_after(life)).await;
        loop {
            let renewed = async {
                let token = token(&credentials, &audience).await?;
                cbs.put_token(&audience, token.kind, &token.value).await?;
                Ok::<_, Unavailable>(token)
            };
            match renewed.await {
                Ok(token) => {
                    *current.lock().await = token;
                    break;
                }
                Err(Unavailable::Wire(Failure::Silent { .. } | Failure::Lost { .. })) => return,
                Err(failed) => {
                    tracing::warn!(problem = %failed, "the token was not renewed; trying again");
                    tokio::time::sleep(renew_again_after(life)).await;
                }
            }
        }
    }
}

fn renew_after(life: Duration) -> Duration {
    life.saturating_sub(RENEW_BEFORE.min(life / 5)).max(RENEW_SOONEST)
}

fn renew_again_after(life: Duration) -> Duration {
    RENEW_AGAIN.min(life / 10).max(RENEW_SOONEST)
}

/// Whether a failure is one of the whole connection. A token that is not taken any more is put anew with the next one.
fn condemns(failure: &Failure) -> bool {
    match failure {
        Failure::Refused { condition, .. } => {
            matches!(condition, Condition::Unauthorized | Condition::ConnectionForced)
        }
        Failure::Silent { .. } | Failure::Lost { .. } => true,
    }
}

async fn token(credentials: &Credentials, audience: &str) -> Result<Token, Unavailable> {
    credentials.token(audience).await.map_err(|error| Unavailable::Credentials(exit::chain(&error)))
}

impl Drop for Live {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State(live: {})", self.live.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_in_time_and_never_in_a_storm() {
        let seconds = Duration::from_secs;
        assert_eq!(
            (renew_after(seconds(3600)), renew_again_after(seconds(3600))),
            (seconds(3240), seconds(30))
        );
        assert_eq!((renew_after(seconds(100)), renew_again_after(seconds(100))), (seconds(80), seconds(10)));
        for life in [Duration::ZERO, Duration::from_millis(10), seconds(1)] {
            assert_eq!((renew_after(life), renew_again_after(life)), (seconds(1), seconds(1)), "{life:?}");
        }
    }
}
