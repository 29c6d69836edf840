//! `rules test`: cases of rules, each with its events and what they must raise.

use std::path::{Path, PathBuf};

use audit_rules::cases::{Case, Input, Suite};
use audit_rules::{Engine, Matching};

use super::{Done, Stopped, loaded, write};

/// Runs every case of `files` (a folder stands for the files in it named `*.yaml` or `*.yml`), against the rules that
/// its file names, else those at `rules`, else the built-in ones.
pub(super) fn test(files: &[PathBuf], rules: &[PathBuf]) -> Result<Done, Stopped> {
    let (mut passed, mut failed) = (0, 0);
    for file in case_files(files)? {
        let suite = Suite::parse(&text(&file)?)
            .map_err(|wrong| Stopped::Failed(format!("`{}`, {wrong}", file.display())))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let own: Vec<PathBuf> = suite.rules.iter().map(|path| folder.join(path)).collect();
        let engine = Engine::new(loaded(if own.is_empty() { rules } else { &own })?, Matching::All);
        for case in &suite.cases {
            match run(case, folder, &engine) {
                Ok(()) => passed += 1,
                Err(why) => {
                    failed += 1;
                    write(&format!(
                        "failed  {}:{}  {}\n        {why}\n",
                        file.display(),
                        case.line,
                        case.name
                    ))?;
                }
            }
        }
    }
    write(&format!("{passed} passed, {failed} failed\n"))?;
    Ok(if failed == 0 { Done::Well } else { Done::Badly })
}

fn run(case: &Case, folder: &Path, engine: &Engine) -> Result<(), String> {
    let events = match &case.input {
        Input::Inline(event) => event.clone(),
        Input::File(name) => text(&folder.join(name)).map_err(|unread| unread.to_string())?,
    };
    case.run(&events, engine).map_err(|mismatch| mismatch.to_string())
}

fn case_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Stopped> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(
            crate::rules::rules_files(path)
                .map_err(|cause| Stopped::Failed(format!("can't read `{}`: {cause}", path.display())))?,
        );
    }
    if files.is_empty() {
        return Err(Stopped::Usage("no file of cases: they are named `*.yaml` or `*.yml`".to_owned()));
    }
    Ok(files)
}

pub(super) fn text(path: &Path) -> Result<String, Stopped> {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|cause| Stopped::Failed(format!("can't read `{}`: {cause}", path.display())))
}
