//! `convert`: raw records in, audit events out.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use audit_event::json::Raw;
use audit_service::exit::Failure;

use crate::record::{Convert, Converted};

/// Flags of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct ConvertArgs {
    /// Files of raw records, one JSON a line, or one document; `-` or none is standard input
    pub files: Vec<PathBuf>,
}

/// Does the command: converts files to standard output, and says on standard error what could not be.
///
/// # Errors
/// When a file can't be read, an output not be written, or a record not be converted.
pub fn run(convert: &impl Convert, args: &ConvertArgs) -> Result<(), Failure> {
    let (mut out, mut notes) = (io::BufWriter::new(io::stdout().lock()), io::stderr().lock());
    if self::convert(convert, args, &mut out, &mut notes)? { Ok(()) } else { Err(Failure::told()) }
}

/// Converts files, events one a line to `out`, and to `notes` a line `FILE:LINE: reason` for each record that is skipped or
/// can't be converted. True when all could.
///
/// # Errors
/// When a file can't be read, or an output not be written.
fn convert(
    convert: &impl Convert,
    args: &ConvertArgs,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> io::Result<bool> {
    let stdin = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files };
    let mut all = true;
    for path in files {
        let text = read(path)
            .map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display())))?;
        for (line, record) in records(&text) {
            for converted in convert.convert(&convert.read(record)) {
                let note = match converted {
                    Converted::Event(event) => {
                        writeln!(out, "{event}")?;
                        continue;
                    }
                    Converted::Ignored(reason) => reason,
                    Converted::Quarantined { reason, .. } => {
                        all = false;
                        reason
                    }
                };
                writeln!(notes, "{}:{line}: {note}", path.display())?;
            }
        }
    }
    out.flush()?;
    Ok(all)
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path)?;
    }
    // Editors on Windows leave a byte order mark.
    Ok(audit_event::payload::text(&bytes).trim_start_matches('\u{feff}').to_owned())
}

/// The records with their lines: one a line, or the whole text when that is a JSON value and its first line is none.
fn records(text: &str) -> Vec<(usize, &str)> {
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).peekable();
    let split = lines.peek().is_some_and(|(_, first)| Raw::parse(first).is_err());
    if split && Raw::parse(text).is_ok() { vec![(1, text)] } else { lines.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    struct Length;

    impl Convert for Length {
        fn convert(&self, record: &Record) -> Vec<Converted> {
            match record.text.as_str() {
                "1" => vec![Converted::Ignored("one".into())],
                "2" => vec![Converted::Quarantined { reason: "two".into(), record: "2".into() }],
                text => vec![Converted::Event(text.len().to_string())],
            }
        }
    }

    fn run(content: &str) -> (bool, String, String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let args = ConvertArgs { files: vec![file.path().to_owned()] };
        let all = convert(&Length, &args, &mut out, &mut notes).unwrap();
        let notes = String::from_utf8(notes).unwrap().replace(&file.path().display().to_string(), "FILE");
        (all, String::from_utf8(out).unwrap(), notes)
    }

    #[test]
    fn lines_and_whole_documents() {
        assert_eq!(run("{}\n\n1\n[]\n"), (true, "2\n2\n".into(), "FILE:3: one\n".into()));
        assert_eq!(run("2\n{}\n"), (false, "2\n".into(), "FILE:1: two\n".into()));
        assert_eq!(run("{\n}"), (true, "3\n".into(), String::new()));
        assert_eq!(run("\u{feff}{\n}"), (true, "3\n".into(), String::new()));
        assert_eq!(run("{\nx"), (true, "1\n1\n".into(), String::new()));
        assert_eq!(run(""), (true, String::new(), String::new()));
    }
}
