//! Rules that follow their files while the receiver runs.
//!
//! A changed file is loaded beside the rules in use, which are then replaced whole: a body is evaluated under one set. Files
//! with an error change nothing. The last set that loaded is kept in a file as well, so that a receiver that
//! restarts over a bad file still detects.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audit_rules::{Matching, Options, SourceFile, load};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{Rules, Settings, Unusable, read};
use crate::evaluate::Evaluator;
use crate::metrics::{Counters, Occurrence, RulesKept, RulesLoaded};
use crate::native;
use crate::store::{Batch, Store, StoreError};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Rules files, what they said last, and where the last good ones are kept.
#[derive(Debug)]
pub struct Reload {
    paths: Vec<PathBuf>,
    settings: Settings,
    kept: Option<PathBuf>,
    seen: Seen,
    /// Why earlier rules are in use, when they are.
    why: Option<String>,
}

/// What the files said, or why they could not be read.
type Seen = Result<Vec<SourceFile>, String>;

impl Reload {
    /// Loads the rules at `paths`, or those in the file `kept` when those at `paths` are unusable now.
    ///
    /// # Errors
    /// When neither can be used.
    pub fn open(
        paths: Vec<PathBuf>,
        settings: impl Into<Settings>,
        kept: Option<PathBuf>,
        counters: &Counters,
    ) -> Result<(Self, Rules), Unusable> {
        let files = read(&paths);
        let seen = files.as_ref().map(Clone::clone).map_err(ToString::to_string);
        let mut this = Self { paths, settings: settings.into(), kept, seen, why: None };
        match files.and_then(|files| this.usable(files)) {
            Ok(rules) => {
                RulesLoaded { rules: &rules }.emit(counters);
                Ok((this, rules))
            }
            Err(why) => match this.kept_files().map(|files| this.load(&files)) {
                Some(Ok(rules)) => {
                    let from = this.kept.as_deref().unwrap_or(Path::new(""));
                    RulesKept { why: &why, rules: rules.all().len(), from: Some(from) }.emit(counters);
                    this.why = Some(why.to_string());
                    Ok((this, rules))
                }
                _ => Err(why),
            },
        }
    }

    /// Replaces the rules of `evaluator` as often as their files change to something usable; raises an alert while they are
    /// not, as long as there is a store.
    pub async fn follow(
        mut self,
        evaluator: Arc<Evaluator>,
        store: Store,
        hostname: String,
        counters: Arc<Counters>,
    ) {
        if self.paths.is_empty() {
            return;
        }
        let mut told = None;
        loop {
            if self.tell(&mut told, &store, &hostname, &counters).await == Err(StoreError::Closed) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let (me, evaluator, counters) = (self, evaluator.clone(), counters.clone());
            let looked = tokio::task::spawn_blocking(move || {
                let mut me = me;
                me.look(&evaluator, &counters);
                me
            });
            match looked.await {
                Ok(me) => self = me,
                Err(failed) => return tracing::error!(%failed, "rules are not followed any more: restart"),
            }
        }
    }

    /// Raises the alert, unless it is the one that was `told` last.
    async fn tell(
        &self,
        told: &mut Option<Uuid>,
        store: &Store,
        hostname: &str,
        counters: &Counters,
    ) -> Result<(), StoreError> {
        let Some(why) = &self.why else { return Ok(()) };
        let alert = native::rules_kept(why, hostname, Timestamp::now());
        let id = alert.id;
        if *told == Some(id) {
            return Ok(());
        }
        let recorded = store.record(Batch { alerts: vec![alert], ..Batch::default() }).await?;
        counters.alerts(std::iter::once(&native::RULES_KEPT.to_owned()).zip(&recorded.new));
        *told = Some(id);
        Ok(())
    }

    fn look(&mut self, evaluator: &Evaluator, counters: &Counters) {
        let files = read(&self.paths);
        let now = files.as_ref().map(Clone::clone).map_err(ToString::to_string);
        if now == self.seen {
            return;
        }
        self.seen = now;
        match files.and_then(|files| self.usable(files)) {
            Ok(rules) => {
                RulesLoaded { rules: &rules }.emit(counters);
                evaluator.replace(rules);
                self.why = None;
            }
            Err(why) => {
                self.why = Some(why.to_string());
                RulesKept { why: &why, rules: evaluator.rules().all().len(), from: None }.emit(counters);
            }
        }
    }

    /// The rules in `files`, which are then the last good ones.
    fn usable(&self, files: Vec<SourceFile>) -> Result<Rules, Unusable> {
        let rules = self.load(&files)?;
        if let Some(kept) = &self.kept
            && let Err(error) = keep(kept, &files)
        {
            tracing::warn!(file = %kept.display(), %error, "these rules can't be kept for a restart over a bad file");
        }
        Ok(rules)
    }

    fn load(&self, files: &[SourceFile]) -> Result<Rules, Unusable> {
        Rules::of(load(files, &self.settings.options), self.settings.clone())
    }

    fn kept_files(&self) -> Option<Vec<SourceFile>> {
        kept_files(self.kept.as_ref()?)
    }
}

/// The last good rules that a receiver kept at `path`, if it did.
pub(crate) fn kept(path: &Path) -> Option<Rules> {
    Rules::of(load(&kept_files(path)?, &Options::default()), Matching::First).ok()
}

fn kept_files(path: &Path) -> Option<Vec<SourceFile>> {
    let document: Json = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let text = |file: &Json, key: &str| file.get(key)?.as_str().map(str::to_owned);
    let file = |file: &Json| Some(SourceFile { name: text(file, "name")?, text: text(file, "text")? });
    document.as_array()?.iter().map(file).collect()
}

/// Replaces the file at `path` whole.
fn keep(path: &Path, files: &[SourceFile]) -> io::Result<()> {
    let document: Json = files.iter().map(|file| json!({"name": file.name, "text": file.text})).collect();
    let next = path.with_extension("next");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(document.to_string().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(next, path)
}

#[cfg(test)]
mod tests {
    use audit_service::metrics::Metrics;

    use super::*;

    const GOOD: &str =
        "- {rule: A, desc: d, condition: ka.verb=get, output: o, priority: INFO, source: k8s_audit}";

    struct Files {
        folder: tempfile::TempDir,
        counters: Counters,
    }

    impl Files {
        fn new() -> Self {
            let metrics = Metrics::new("test", "0");
            Self { folder: tempfile::tempdir().unwrap(), counters: Counters::new(&metrics) }
        }

        fn write(&self, text: &str) {
            std::fs::write(self.folder.path().join("rules.yaml"), text).unwrap();
        }

        fn open(&self) -> Result<(Reload, Evaluator), Unusable> {
            let path = |name| self.folder.path().join(name);
            let opened = Reload::open(
                vec![path("rules.yaml")],
                Matching::All,
                Some(path("kept.json")),
                &self.counters,
            );
            opened.map(|(reload, rules)| (reload, Evaluator::new(rules, String::new())))
        }

        fn names(evaluator: &Evaluator) -> Vec<String> {
            evaluator.rules().all().iter().map(|rule| rule.name.clone()).collect()
        }
    }

    #[test]
    fn rules_follow_their_files_and_outlive_bad_ones() {
        let files = Files::new();
        files.write(GOOD);
        let (mut reload, evaluator) = files.open().unwrap();
        files.write(&GOOD.replace("rule: A", "rule: B"));
        reload.look(&evaluator, &files.counters);
        assert_eq!(Files::names(&evaluator), ["B"]);
        files.write(&GOOD.replace("ka.verb", "ka.nothing"));
        reload.look(&evaluator, &files.counters);
        assert_eq!(Files::names(&evaluator), ["B"]);
        std::fs::remove_file(files.folder.path().join("rules.yaml")).unwrap();
        reload.look(&evaluator, &files.counters);
        assert_eq!(Files::names(&evaluator), ["B"]);
        files.write(&GOOD.replace("rule: A", "rule: C"));
        reload.look(&evaluator, &files.counters);
        assert_eq!(Files::names(&evaluator), ["C"]);
    }

    #[test]
    fn a_restart_over_a_bad_file_has_the_last_good_rules() {
        let files = Files::new();
        files.write("- rule: A");
        assert!(files.open().is_err(), "nothing good was ever seen");
        files.write(GOOD);
        files.open().unwrap();
        files.write("- rule: A");
        let (mut reload, evaluator) = files.open().unwrap();
        assert_eq!(Files::names(&evaluator), ["A"]);
        files.write(&GOOD.replace("rule: A", "rule: B"));
        reload.look(&evaluator, &files.counters);
        assert_eq!(Files::names(&evaluator), ["B"]);
    }
}
