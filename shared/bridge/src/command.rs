//! `convert`: raw records in, audit events out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use audit_event::json::{Documents, Kind, Raw};
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
fn convert<C: Convert>(
    convert: &C,
    args: &ConvertArgs,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> io::Result<bool> {
    let stdin = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files };
    let mut all = true;
    for path in files {
        let failed =
            |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display()));
        each_record(open(path).map_err(failed)?, C::LIST, |line, record| {
            for converted in convert.convert(&convert.read(record)) {
                let note = match converted {
                    Converted::Event(event) => {
                        writeln!(out, "{}", on_one_line(event))?;
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
            Ok(())
        })
        .map_err(failed)?;
    }
    out.flush()?;
    Ok(all)
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut source: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::with_capacity(64 << 10, File::open(path)?))
    };
    if source.fill_buf()?.starts_with(GZIP) {
        return Err(io::Error::other("is compressed; unpack it first, as in `gunzip -c FILE | ... convert`"));
    }
    Ok(source)
}

/// How gzip begins (RFC 1952).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Line feeds and their like stand only between values, but in records that a stranger wrote.
fn on_one_line(event: String) -> String {
    if event.contains(['\n', '\r']) { event.replace(['\n', '\r'], " ") } else { event }
}

/// Gives each record with its line: one a line; or, when the first line is no JSON by itself, the documents of the whole
/// text, if it is made of such. Only then is more than a line held at a time.
fn each_record(
    mut source: impl BufRead,
    list: &str,
    mut each: impl FnMut(usize, &str) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    let mut number = 0;
    let mut first = true;
    while source.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        let text = audit_event::payload::text(&line);
        // Editors on Windows leave a byte order mark.
        let record = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
        if !record.trim().is_empty() {
            match Raw::parse(record) {
                Ok(record) => each_entry(record, list, &mut |record| each(number, record.text()))?,
                Err(_) if first => {
                    source.read_to_end(&mut line)?;
                    return each_document(&audit_event::payload::text(&line), number, list, each);
                }
                Err(_) => each(number, record)?,
            }
            first = false;
        }
        line.clear();
    }
    Ok(())
}

/// The documents of a text, or its lines when something else than documents is in it.
fn each_document(
    text: &str,
    first: usize,
    list: &str,
    mut each: impl FnMut(usize, &str) -> io::Result<()>,
) -> io::Result<()> {
    let Ok(documents) = Documents::new(text).collect::<Result<Vec<_>, _>>() else {
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = (first..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        return lines.try_for_each(|(number, line)| each(number, line));
    };
    let (mut line, mut counted) = (first, 0);
    for document in documents {
        each_entry(document, list, &mut |record| {
            let start = record.range_in(text).map_or(counted, |range| range.start);
            line += text.get(counted..start).unwrap_or_default().matches('\n').count();
            counted = start;
            each(line, record.text())
        })?;
    }
    Ok(())
}

/// The elements of an array or of the list in an answer of the API, or the value itself.
fn each_entry<'a>(
    value: Raw<'a>,
    list: &str,
    each: &mut impl FnMut(Raw<'a>) -> io::Result<()>,
) -> io::Result<()> {
    let elements = match value.kind() {
        Kind::Array => Some(value),
        _ => value.get(list).filter(|elements| elements.kind() == Kind::Array),
    };
    match elements {
        Some(elements) => elements.elements().try_for_each(each),
        None => each(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    struct Length;

    impl Convert for Length {
        const LIST: &str = "records";

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
        assert_eq!(run("{}\n\n1\n[]\n{}\r\n"), (true, "2\n2\n".into(), "FILE:3: one\n".into()));
        assert_eq!(run("2\n{}\n"), (false, "2\n".into(), "FILE:1: two\n".into()));
        assert_eq!(run("{\n}"), (true, "3\n".into(), String::new()));
        assert_eq!(run("\u{feff}{\n}"), (true, "3\n".into(), String::new()));
        assert_eq!(run("{\nx"), (true, "1\n1\n".into(), String::new()));
        assert_eq!(run(""), (true, String::new(), String::new()));
    }

    #[test]
    fn lists_are_their_records_each_with_its_line() {
        assert_eq!(
            run("[{},\n 1,\n2\n]\n{\"records\": [\n\n2]}"),
            (false, "2\n".into(), "FILE:2: one\nFILE:3: two\nFILE:7: two\n".into())
        );
        assert_eq!(
            run("{\"records\":[1,{}]}\n[2]\n"),
            (false, "2\n".into(), "FILE:1: one\nFILE:2: two\n".into())
        );
    }

    #[test]
    fn an_event_is_one_line_and_compressed_input_is_named() {
        assert_eq!(on_one_line("{\r\n \"a\":1}".into()), "{   \"a\":1}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [0x1f, 0x8b, 8]).unwrap();
        let args = ConvertArgs { files: vec![file.path().to_owned()] };
        let error = convert(&Length, &args, &mut Vec::new(), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("is compressed"), "{error}");
    }
}
