//! The play: set the stage, feed the log, watch the alerts.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use audit_fakes::Random;
use audit_fakes::traffic::{RULES, Traffic};
use tokio::signal::unix::{SignalKind, signal};

use crate::Options;
use crate::clusters::{Clouds, Log};
use crate::parts::Part;
use crate::show::{self, Alert, Stage};

/// How long the last alerts of a bounded play may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What there is to react to.
pub(crate) enum News {
    /// The receiver wrote an alert.
    Alert(String),
    /// That part has ended.
    Ended(&'static str),
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// Why the play was broken off.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(what: String, cause: impl Error) -> Self {
        Self(format!("{what}: {cause}"))
    }

    pub(crate) fn told(what: String) -> Self {
        Self(what)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Plays until its end: Ctrl-C, or the alerts of the last event if their number is bounded.
pub(crate) fn play(options: &Options) -> Result<(), Failure> {
    let failed = |error| Failure::new("cannot make a folder".to_owned(), error);
    let temporary = tempfile::tempdir().map_err(failed)?;
    let folder = options.folder.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder).map_err(failed)?;
    let (sender, news) = mpsc::channel();
    watch_for_ctrl_c(sender.clone())?;

    let clouds = Clouds::start();
    let mut receiver = start_receiver(folder, sender.clone())?;
    let (intake, receiver_admin) = (receiver.listening("intake")?, receiver.listening("admin")?);
    let mut bridges = clouds.start_bridges(&intake, folder, &sender)?;
    drop(sender);
    let admins = bridges.iter_mut().map(|bridge| bridge.listening("admin")).collect::<Result<Vec<_>, _>>()?;
    show::stage(&Stage {
        clouds: &clouds.whereabouts(),
        bridges: &bridges,
        bridge_admins: &admins,
        intake: &intake,
        receiver_admin: &receiver_admin,
        receiver_log: receiver.log(),
        store: &folder.join("alerts.db"),
    });

    let outcome = Play::new(options, clouds.logs()).run(&news);
    let outcome = match outcome {
        Err(End::Part(name)) => {
            Err(bridges.iter().find(|bridge| bridge.name() == name).unwrap_or(&receiver).failure())
        }
        Err(End::Wrong(failure)) => Err(failure),
        Ok(totals) => {
            show::totals(&totals);
            Ok(())
        }
    };
    bridges.into_iter().for_each(Part::stop);
    receiver.stop();
    outcome
}

fn start_receiver(folder: &Path, news: Sender<News>) -> Result<Part, Failure> {
    let rules = folder.join("rules.yaml");
    fs::write(&rules, RULES).map_err(|error| Failure::new("cannot write the rules".to_owned(), error))?;
    let store = format!("sqlite:{}", folder.join("alerts.db").display());
    let rules = rules.display().to_string();
    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let args = [&["serve", "--store", &store, "--rules", &rules], &listen[..]].concat();
    Part::start("audit-receiver", &args, folder, news)
}

fn watch_for_ctrl_c(news: Sender<News>) -> Result<(), Failure> {
    let failed = |error| Failure::new("cannot watch for Ctrl-C".to_owned(), error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (mut interrupt, mut terminate) = runtime
        .block_on(async { Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)) })
        .map_err(failed)?;
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        });
        let _ = news.send(News::Interrupted);
    });
    Ok(())
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Events put into the log.
    pub(crate) events: usize,
    /// Alerts seen, by rule.
    pub(crate) alerts: HashMap<String, usize>,
}

/// Why a play ends badly.
enum End {
    /// A part ended by itself.
    Part(&'static str),
    /// The alerts are not those that must come.
    Wrong(Failure),
}

struct Play {
    logs: Vec<Log>,
    traffic: Traffic,
    random: Random,
    begun: Instant,
    rate: u32,
    bound: Option<usize>,
    /// Audit IDs and rules of alerts that are to come.
    due: HashSet<(String, String)>,
    totals: Totals,
}

impl Play {
    fn new(options: &Options, logs: Vec<Log>) -> Self {
        Self {
            logs,
            traffic: Traffic::new(options.seed),
            random: Random::new(options.seed),
            begun: Instant::now(),
            rate: options.rate,
            bound: options.events,
            due: HashSet::new(),
            totals: Totals::default(),
        }
    }

    fn run(mut self, news: &Receiver<News>) -> Result<Totals, End> {
        let mut fed = None;
        loop {
            if !self.feed() {
                let since = *fed.get_or_insert_with(Instant::now);
                if self.due.is_empty() {
                    return Ok(self.totals);
                }
                if since.elapsed() > PATIENCE {
                    let missing = format!(
                        "{} alerts did not come, such as {:?}",
                        self.due.len(),
                        self.due.iter().next()
                    );
                    return Err(End::Wrong(Failure::told(missing)));
                }
            }
            match news.recv_timeout(Duration::from_millis(20)) {
                Ok(News::Alert(line)) => self.alert(&line)?,
                Ok(News::Ended(part)) => return Err(End::Part(part)),
                Ok(News::Interrupted) | Err(RecvTimeoutError::Disconnected) => return Ok(self.totals),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Puts the events that are due by now; false once there are no more.
    fn feed(&mut self) -> bool {
        let due = (self.begun.elapsed().as_secs_f64() * f64::from(self.rate)) as usize;
        let due = self.bound.map_or(due, |bound| due.min(bound));
        while self.totals.events < due {
            let line = self.traffic.line(now_ms());
            self.random.pick(&self.logs).put(&line);
            self.due.extend(line.rule.map(|rule| (line.audit_id, rule.to_owned())));
            self.totals.events += 1;
        }
        self.bound != Some(self.totals.events)
    }

    /// An alert must be due, and is due once.
    fn alert(&mut self, line: &str) -> Result<(), End> {
        let unreadable = |error| End::Wrong(Failure::new(format!("not an alert: `{line}`"), error));
        let alert: Alert = serde_json::from_str(line).map_err(unreadable)?;
        show::alert(&alert);
        let expected = self.due.remove(&(alert.audit_id.clone(), alert.rule.clone()));
        if self.bound.is_some() && !expected {
            return Err(End::Wrong(Failure::told(format!("an alert that must not come: `{line}`"))));
        }
        *self.totals.alerts.entry(alert.rule).or_default() += 1;
        Ok(())
    }
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
