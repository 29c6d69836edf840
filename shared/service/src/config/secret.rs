use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A file that holds a secret. Only its path is ever shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretFile(PathBuf);

/// A secret. Neither `Debug` nor `Display` shows it; it is in no configuration and no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret is not known.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Unread {
    /// The file cannot be read.
    #[error("cannot read the secret file `{path}`")]
    File { path: PathBuf, source: io::Error },
    /// The file holds nothing.
    #[error("the secret file `{path}` is empty")]
    Empty { path: PathBuf },
}

impl SecretFile {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The secret as the file holds it now, without the line break that an editor leaves at the end. It is read
    /// each time (a small file, mostly in memory), so a rotated secret is used at once.
    ///
    /// # Errors
    /// [`Unread`] names the file.
    pub fn read(&self) -> Result<Secret, Unread> {
        let unread = |source| Unread::File { path: self.0.clone(), source };
        let text = std::fs::read_to_string(&self.0).map_err(unread)?;
        match text.trim_end_matches(['\n', '\r']) {
            "" => Err(Unread::Empty { path: self.0.clone() }),
            secret => Ok(Secret(secret.to_owned())),
        }
    }
}

impl From<PathBuf> for SecretFile {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl FromStr for SecretFile {
    type Err = Infallible;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        Ok(Self(path.into()))
    }
}

impl fmt::Display for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl Secret {
    /// The secret itself, to be handed on and not kept.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::SecretFile;

    #[test]
    fn is_read_anew_and_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let secret = SecretFile::from(file.path().to_owned());
        assert!(secret.read().unwrap_err().to_string().ends_with("is empty"));
        for content in ["first\n", "second\r\n"] {
            std::fs::write(file.path(), content).unwrap();
            let read = secret.read().unwrap();
            assert_eq!(read.expose(), content.trim_end());
            let shown = format!("{read:?} {secret:?} {secret}");
            assert!(!shown.contains(content.trim_end()), "{shown}");
        }
        drop(file);
        assert!(secret.read().is_err());
    }
}
