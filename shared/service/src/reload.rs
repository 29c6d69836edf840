//! Values built from files that change under a running process.
//!
//! A Kubernetes Secret volume swaps a symbolic link, so neither the path nor the modification time of a file
//! tells; the bytes do. They are few, so they are read again, at most every [`LOOK_EVERY`], when the value is
//! asked for: no task, no watch on a folder that may be replaced.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::exit::chain;

/// How old a look at the files may be.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

type Build<T, E> = Box<dyn Fn(&mut Files) -> Result<T, E> + Send + Sync>;

/// A value that follows its files. When they become unusable the last good value stays and an error is logged,
/// once for each new content.
pub struct Reloaded<T, E> {
    name: &'static str,
    build: Build<T, E>,
    look_every: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: T,
    looked: Instant,
    seen: Vec<(PathBuf, Option<Vec<u8>>)>,
}

/// Reads files for [`Reloaded`] and notes which.
#[derive(Default)]
pub struct Files(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Files {
    /// The content of a file, which from now on is looked after.
    ///
    /// # Errors
    /// The system's error.
    pub fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let content = std::fs::read(path);
        self.0.push((path.to_owned(), content.as_ref().ok().cloned()));
        content
    }
}

impl<T: Clone, E: Error + 'static> Reloaded<T, E> {
    /// Builds the value a first time. `name` is what the log calls it.
    ///
    /// # Errors
    /// Whatever `build` returns: at start-up, files must be usable.
    pub fn new(
        name: &'static str,
        build: impl Fn(&mut Files) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let mut files = Files::default();
        let value = build(&mut files)?;
        let state = Mutex::new(State { value, looked: Instant::now(), seen: files.0 });
        Ok(Self { name, build: Box::new(build), look_every: LOOK_EVERY, state })
    }

    /// The same, looking at the files every time: for tests.
    #[cfg(test)]
    pub(crate) fn looking_always(mut self) -> Self {
        self.look_every = Duration::ZERO;
        self
    }

    /// The value for the files as they are, or were a few seconds ago.
    pub fn get(&self) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.seen.is_empty() && state.looked.elapsed() >= self.look_every {
            state.looked = Instant::now();
            self.look(&mut state);
        }
        state.value.clone()
    }

    fn look(&self, state: &mut State<T>) {
        let now: Vec<_> =
            state.seen.iter().map(|(path, _)| (path.clone(), std::fs::read(path).ok())).collect();
        if now == state.seen {
            return;
        }
        let mut files = Files::default();
        match (self.build)(&mut files) {
            Ok(value) => {
                tracing::info!(what = self.name, "files changed, loaded again");
                state.value = value;
                state.seen = files.0;
            }
            Err(error) => {
                let error = chain(&error);
                tracing::error!(
                    what = self.name,
                    error,
                    "files changed and are unusable, keeping what was loaded before"
                );
                state.seen = now;
            }
        }
    }
}

impl<T, E> fmt::Debug for Reloaded<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reloaded({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Reloaded;

    #[test]
    fn follows_a_swapped_link_and_survives_bad_content() {
        let folder = tempfile::tempdir().unwrap();
        let (data, file) = (folder.path().join("..data"), folder.path().join("number"));
        let swap = |version: &str, content: &str| {
            let target = folder.path().join(version);
            fs::create_dir(&target).unwrap();
            fs::write(target.join("number"), content).unwrap();
            let next = folder.path().join("..next");
            std::os::unix::fs::symlink(version, &next).unwrap();
            fs::rename(next, &data).unwrap();
        };
        swap("v1", "1");
        std::os::unix::fs::symlink("..data/number", &file).unwrap();

        let number = Reloaded::new("number", move |files| {
            String::from_utf8(files.read(&file).unwrap_or_default()).unwrap().parse::<u32>()
        });
        let number = number.unwrap().looking_always();
        assert_eq!(number.get(), 1);
        swap("v2", "2");
        assert_eq!(number.get(), 2);
        swap("v3", "three");
        assert_eq!(number.get(), 2);
        fs::remove_file(&data).unwrap();
        assert_eq!(number.get(), 2);
        swap("v4", "4");
        assert_eq!(number.get(), 4);
    }

    #[test]
    fn unusable_at_first_is_an_error() {
        assert!(Reloaded::new("number", |_| "x".parse::<u32>()).is_err());
    }
}
