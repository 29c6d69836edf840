//! Checkpoints in a folder: `UNIT.json`, and `UNIT.lock` beside it.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::{CheckpointStore, Document, Expected, Pending, StoreFailed, Version, slug};

/// A folder of checkpoints. The lock file says by the system's lock who writes, and by its content whether there was
/// ever a document: one that is gone is not the same as one that never was.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: PathBuf,
    locks: Arc<Mutex<HashMap<String, File>>>,
}

impl FileStore {
    /// Checkpoints in that folder, made when it is first written to.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), locks: Arc::default() }
    }

    fn hold_now(&self, unit: &str) -> Result<(), StoreFailed> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.contains_key(unit) {
            return Ok(());
        }
        let path = self.path(unit, "lock");
        let unavailable = |error| unavailable(&path, "written", &error);
        fs::create_dir_all(&self.folder).map_err(unavailable)?;
        let file = private().create(true).read(true).append(true).open(&path).map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => {
                locks.insert(unit.to_owned(), file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => {
                let owner = self.load_now(unit).ok().flatten().map(|(document, _)| document.owner);
                let by = owner.filter(|owner| !owner.is_empty()).unwrap_or_else(|| "unknown".to_owned());
                Err(StoreFailed::InUse { place: self.place(unit), by })
            }
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }

    fn load_now(&self, unit: &str) -> Result<Option<(Document, Version)>, StoreFailed> {
        let path = self.path(unit, "json");
        match fs::read(&path) {
            Ok(text) => Ok(Some((Document::parse(&text, &self.place(unit))?, version(&text)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if fs::metadata(self.path(unit, "lock")).is_ok_and(|lock| lock.len() > 0) {
                    return Err(StoreFailed::Gone(self.place(unit)));
                }
                Ok(None)
            }
            Err(error) => Err(unavailable(&path, "read", &error)),
        }
    }

    fn store_now(&self, document: &Document, expected: &Expected) -> Result<Version, StoreFailed> {
        let unit = &document.unit;
        self.hold_now(unit)?;
        let path = self.path(unit, "json");
        if *expected != Expected::Anything {
            let found = match self.load_now(unit)? {
                Some((_, version)) => Expected::Version(version),
                None => Expected::Absent,
            };
            if found != *expected {
                return Err(StoreFailed::Conflict(self.place(unit)));
            }
        }
        let text = document.text();
        self.replace(&path, text.as_bytes()).map_err(|error| unavailable(&path, "written", &error))?;
        self.note_first_write(unit).map_err(|error| unavailable(&path, "written", &error))?;
        Ok(version(text.as_bytes()))
    }

    /// Temporary file, its content durable, the new name, the name durable.
    fn replace(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let temporary = path.with_extension("json.new");
        let mut file = private().create(true).truncate(true).write(true).open(&temporary)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(&self.folder)?.sync_all()
    }

    fn note_first_write(&self, unit: &str) -> io::Result<()> {
        let locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut file) = locks.get(unit) else { return Ok(()) };
        let mut first = [0; 1];
        if file.read(&mut first)? == 0 && file.metadata()?.len() == 0 {
            file.write_all(b"The checkpoint beside this file was written: if it is gone, that is a loss.\n")?;
            file.sync_all()?;
        }
        Ok(())
    }

    fn path(&self, unit: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", slug(unit)))
    }

    fn place(&self, unit: &str) -> String {
        self.path(unit, "json").display().to_string()
    }

    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreFailed> + Send + 'static,
    ) -> Pending<'_, T> {
        let store = self.clone();
        let place = self.folder.display().to_string();
        Box::pin(async move {
            tokio::task::spawn_blocking(move || work(&store)).await.unwrap_or_else(|error| {
                Err(StoreFailed::Unavailable { place, what: "read", reason: error.to_string() })
            })
        })
    }
}

impl CheckpointStore for FileStore {
    /// Makes the folder and a file in it, and leaves neither behind.
    fn usable(&self) -> Result<(), StoreFailed> {
        let missing: Vec<&Path> = self.folder.ancestors().take_while(|folder| !folder.exists()).collect();
        let file = self.folder.join(format!(".check-{}", std::process::id()));
        let written = fs::create_dir_all(&self.folder)
            .and_then(|()| private().create_new(true).write(true).open(&file))
            .and_then(|_| fs::remove_file(&file));
        for folder in missing {
            let _ = fs::remove_dir(folder);
        }
        written.map_err(|error| unavailable(&self.folder, "written", &error))
    }

    fn hold<'a>(&'a self, unit: &'a str) -> Pending<'a, bool> {
        let unit = unit.to_owned();
        self.blocking(move |store| store.hold_now(&unit).map(|()| true))
    }

    fn load<'a>(&'a self, unit: &'a str) -> Pending<'a, Option<(Document, Version)>> {
        let unit = unit.to_owned();
        self.blocking(move |store| store.load_now(&unit))
    }

    fn store<'a>(&'a self, document: &'a Document, expected: Expected) -> Pending<'a, Version> {
        let document = document.clone();
        self.blocking(move |store| store.store_now(&document, &expected))
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn version(text: &[u8]) -> Version {
    let digest: [u8; 32] = Sha256::digest(text).into();
    Version(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn unavailable(path: &Path, what: &'static str, error: &io::Error) -> StoreFailed {
    StoreFailed::Unavailable { place: path.display().to_string(), what, reason: error.to_string() }
}
