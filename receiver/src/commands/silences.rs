//! `silences`: alerts that outputs don't get for a while.

use audit_service::config::Span;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Done, Stopped, block_on, print, tell};
use crate::config::Config;
use crate::rules::reload;
use crate::store::{self, Filter, Location, Silence};

/// Subcommands of `silences`.
#[derive(Debug, Subcommand)]
pub enum Silences {
    /// Keep alerts from the outputs for a while; they are stored and listed all the same
    Add(Add),
    /// Print silences as JSON lines
    List {
        /// Where they are kept
        #[command(flatten)]
        store: At,
        /// Also those that are over or were removed
        #[arg(long)]
        all: bool,
    },
    /// End a silence before its time
    Remove {
        /// Where it is kept
        #[command(flatten)]
        store: At,
        /// As `list` prints it
        id: String,
        /// Who removes it
        #[arg(long, value_name = "NAME", env = "USER")]
        author: String,
    },
}

/// Where the store is.
#[derive(Debug, Args)]
pub struct At {
    /// The store: sqlite:PATH or a URL of PostgreSQL
    #[arg(long, value_name = "URL", default_value = "sqlite:audit-receiver.db", env = "KAB_STORE")]
    store: Location,
}

/// Arguments of `silences add`.
#[derive(Debug, Args)]
pub struct Add {
    #[command(flatten)]
    store: At,
    /// Of the rule of this name
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// From the cluster of this name
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// About the user of this name
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// In the namespace of this name
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// How long: `2h`, `7d`
    #[arg(long = "for", value_name = "TIME")]
    span: Span,
    /// Why
    #[arg(long)]
    reason: String,
    /// Who says so
    #[arg(long, value_name = "NAME", env = "USER")]
    author: String,
}

impl Silences {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// When the store can't be read or written, or there is no such silence.
    pub fn run(self) -> Result<Done, Stopped> {
        let now = Timestamp::now().as_millisecond();
        match self {
            Self::Add(add) => {
                let Add { store, rule, cluster, user, namespace, span, reason, author } = add;
                let millis = i64::try_from(span.0.as_millis()).unwrap_or(i64::MAX);
                let expires_at = now.saturating_add(millis);
                let silence = Silence {
                    rule,
                    cluster,
                    user,
                    namespace,
                    reason,
                    author,
                    created_at: now,
                    expires_at,
                    ..Silence::default()
                };
                if !silence.is_narrow() {
                    return Err(Stopped::Usage(
                        "give at least one of --rule, --cluster, --user, --namespace: a silence of everything is none"
                            .to_owned(),
                    ));
                }
                if let Some(rule) = &silence.rule
                    && let Some(doubt) = doubt(rule, &store.store)?
                {
                    tell(&format!("audit-receiver: {doubt}; the silence is added all the same"));
                }
                let silence = silence.named();
                block_on(store::add_silence(&store.store, &silence))?;
                print(&format!("{}\n", silence.id))
            }
            Self::List { store, all } => {
                let silences = block_on(store::silences(&store.store))?;
                let shown = silences.iter().filter(|silence| all || silence.is_in_force(now));
                print(&shown.map(line).collect::<String>())
            }
            Self::Remove { store, id, author } => {
                if block_on(store::remove_silence(&store.store, &id, &author, now))? {
                    Ok(Done::Well)
                } else {
                    Err(Stopped::Failed(format!("no silence `{id}` is in force")))
                }
            }
        }
    }
}

/// Why there may be no such rule: the receiver keeps its rules beside an SQLite store; of others, alerts tell.
fn doubt(rule: &str, store: &Location) -> Result<Option<String>, Stopped> {
    let kept = Config { store: store.to_string(), ..Config::default() }.kept_rules();
    if let Some(rules) = kept.and_then(|kept| reload::kept(&kept)) {
        return Ok(rules.unknown(rule));
    }
    let filter = Filter { rule: Some(rule.to_owned()), last: Some(1), ..Filter::default() };
    let mut found = false;
    let each = |_| {
        found = true;
        false
    };
    block_on(store::read_alerts(store, &filter, each))?;
    Ok((!found).then(|| format!("no alert of a rule named `{rule}` is stored so far, so check the name")))
}

fn line(silence: &Silence) -> String {
    let time =
        |millis: i64| Timestamp::from_millisecond(millis).map(|time| time.to_string()).unwrap_or_default();
    let mut line = serde_json::json!(silence);
    for (key, millis) in [
        ("created_at", Some(silence.created_at)),
        ("expires_at", Some(silence.expires_at)),
        ("removed_at", silence.removed_at),
    ] {
        if let (Some(millis), Some(shown)) = (millis, line.get_mut(key)) {
            *shown = time(millis).into();
        }
    }
    format!("{line}\n")
}
