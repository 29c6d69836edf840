//! Python and its packages, installed by the tests themselves.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Packages in a folder of their own. A folder rather than a virtual environment: Debian's Python makes one only with a
/// further package.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packages {
    /// The folder's name.
    pub(crate) folder: &'static str,
    /// What pip is asked for.
    pub(crate) requirements: &'static [&'static str],
    /// What can be imported when all of them are there.
    pub(crate) modules: &'static str,
}

impl Packages {
    /// Python with these packages, installed if they are not there yet. `None`, and a loud line, where they can't be had.
    pub(crate) fn python(&self) -> Option<Command> {
        match self.try_python() {
            Ok(python) => Some(python),
            Err(reason) => {
                // Not by `eprintln!`, which the test runner keeps to itself.
                let _ = writeln!(io::stderr(), "SKIPPED: {:?} cannot be had: {reason}", self.requirements);
                None
            }
        }
    }

    fn try_python(&self) -> Result<Command, String> {
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv");
        let folder = all.join(self.folder);
        fs::create_dir_all(&all).map_err(|error| error.to_string())?;
        // Tests run side by side; one of them installs.
        let lock =
            File::create(all.join(format!("{}.lock", self.folder))).map_err(|error| error.to_string())?;
        lock.lock().map_err(|error| error.to_string())?;
        if !succeeds(python(&folder).args(["-c", &format!("import {}", self.modules)])) {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"]);
            if !succeeds(pip.arg(&folder).args(self.requirements)) {
                return Err("`python3 -m pip install` failed".to_owned());
            }
        }
        Ok(python(&folder))
    }
}

fn python(folder: &Path) -> Command {
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", folder).env("PYTHONDONTWRITEBYTECODE", "1").arg("-u");
    python
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
