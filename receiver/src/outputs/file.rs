//! A file of JSON lines, on the disk before an alert counts as written.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::stdout::lines;
use super::{Output, Progress, Waiting, config};

/// A file that alerts are appended to.
#[derive(Debug)]
pub struct File {
    name: Arc<str>,
    path: PathBuf,
    rotate_at: Option<u64>,
    keep: u32,
}

impl File {
    /// The file of that configuration; `name` is the output's.
    pub fn new(name: Arc<str>, config: &config::File) -> Self {
        let rotate_at = config.rotate_at.map(|size| size.len() as u64);
        Self { name, path: config.path.clone(), rotate_at, keep: config.keep }
    }
}

impl Output for File {
    fn name(&self) -> &str {
        &self.name
    }

    async fn write(&mut self, alerts: &[Waiting]) -> Progress {
        let (path, rotate_at, keep, lines) = (self.path.clone(), self.rotate_at, self.keep, lines(alerts));
        let written = tokio::task::spawn_blocking(move || append(&path, rotate_at, keep, &lines)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        let path = self.path.display();
        Progress::all_or_none(alerts, written.map_err(|error| io::Error::other(format!("`{path}`: {error}"))))
    }
}

/// Opens the file anew each time, so that one that was moved away is let go of without a signal.
fn append(path: &Path, rotate_at: Option<u64>, keep: u32, lines: &str) -> io::Result<()> {
    let mut file = open(path)?;
    let mut length = file.metadata()?.len();
    if length > 0 && rotate_at.is_some_and(|most| length.saturating_add(lines.len() as u64) > most) {
        rotate(path, keep)?;
        file = open(path)?;
        length = 0;
    }
    // A line that was cut when the machine stopped is no part of the next one.
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    let written = file.write_all(lines.as_bytes()).and_then(|()| file.sync_data());
    if written.is_err() {
        // All of them come again; half of them need not stand there.
        let _ = file.set_len(length);
    }
    written
}

fn open(path: &Path) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    // Between opening and moving: what is written into the file that was moved away is not lost, but none but the
    // owner is to read either.
    if file.metadata()?.mode() & 0o077 != 0 {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(file)
}

/// `PATH` becomes `PATH.1`, that `PATH.2`, up to `keep`.
fn rotate(path: &Path, keep: u32) -> io::Result<()> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    if keep == 0 {
        return fs::remove_file(path);
    }
    for number in (1..keep).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, numbered(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap_or_default()
    }

    #[test]
    fn a_full_file_is_moved_away_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts");
        for line in ["a\n", "b\n", "c\n", "d\n", "longer than the file may be\n", "e\n"] {
            append(&path, Some(4), 2, line).unwrap();
        }
        let all = ["alerts", "alerts.1", "alerts.2", "alerts.3"].map(|name| contents(folder.path(), name));
        assert_eq!(all, ["e\n", "longer than the file may be\n", "c\nd\n", ""]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_was_moved_or_cut_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts");
        append(&path, None, 0, "a\n").unwrap();
        fs::rename(&path, folder.path().join("old")).unwrap();
        fs::write(&path, "cut").unwrap();
        append(&path, None, 0, "b\n").unwrap();
        assert_eq!(
            (contents(folder.path(), "old"), contents(folder.path(), "alerts")),
            ("a\n".into(), "cut\nb\n".into())
        );
    }
}
