//! Input as chunks: some lines, or one whole document.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use audit_event::json::Raw;

/// Lines are handed on when this many bytes are together.
const CHUNK: usize = 256 << 10;

/// The longest line that is read, as the intake's largest body.
const LONGEST_LINE: usize = 64 << 20;

/// A file that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("can't read `{path}`: {cause}")]
pub(super) struct Unreadable {
    path: String,
    cause: io::Error,
}

/// A part of the input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    /// The file as it was given.
    pub(super) file: String,
    /// What it holds.
    pub(super) content: Content,
    /// Bytes of input.
    pub(super) bytes: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Content {
    /// With their numbers, counted from 1.
    Lines(Vec<(usize, Line)>),
    /// All of the file.
    Document(Vec<u8>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Line {
    Text(Vec<u8>),
    /// Longer than [`LONGEST_LINE`], not kept.
    TooLong,
}

/// Gives the chunks of a file to `each`, which says whether to go on.
pub(super) fn read(path: &Path, each: impl FnMut(Chunk) -> bool) -> Result<(), Unreadable> {
    let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let failed = |cause| Unreadable { path: name.clone(), cause };
    let source: Box<dyn Read> = match path {
        path if path == Path::new("-") => Box::new(io::stdin()),
        path => Box::new(File::open(PathBuf::from(path)).map_err(failed)?),
    };
    chunks(BufReader::with_capacity(64 << 10, source), &name, LONGEST_LINE, each).map_err(failed)
}

/// JSON lines when the first line that isn't blank is a JSON value by itself, else a whole document.
fn chunks(
    mut source: impl BufRead,
    file: &str,
    longest: usize,
    mut each: impl FnMut(Chunk) -> bool,
) -> io::Result<()> {
    let mut give = |content, bytes| each(Chunk { file: file.to_owned(), content, bytes });
    let (mut lines, mut bytes, mut number) = (Vec::new(), 0, 0);
    let mut first = true;
    while let Some((line, length)) = line(&mut source, longest)? {
        number += 1;
        bytes += length;
        let text = match line {
            Line::Text(text) if text.trim_ascii().is_empty() => continue,
            Line::Text(text) => text,
            Line::TooLong => {
                lines.push((number, Line::TooLong));
                continue;
            }
        };
        if std::mem::take(&mut first) && Raw::parse(&String::from_utf8_lossy(&text)).is_err() {
            let mut whole = text;
            source.read_to_end(&mut whole)?;
            let length = whole.len();
            give(Content::Document(whole), length);
            return Ok(());
        }
        lines.push((number, Line::Text(text)));
        let full = bytes >= CHUNK;
        if full && !give(Content::Lines(std::mem::take(&mut lines)), std::mem::take(&mut bytes)) {
            return Ok(());
        }
    }
    if !lines.is_empty() {
        give(Content::Lines(lines), bytes);
    }
    Ok(())
}

/// The next line and how many bytes of input it was; `None` at the end.
fn line(source: &mut impl BufRead, longest: usize) -> io::Result<Option<(Line, usize)>> {
    let mut text = Vec::new();
    let mut length = source.by_ref().take(longest as u64 + 1).read_until(b'\n', &mut text)?;
    if length == 0 {
        return Ok(None);
    }
    if length <= longest || text.ends_with(b"\n") {
        return Ok(Some((Line::Text(text), length)));
    }
    drop(text);
    length += source.skip_until(b'\n')?;
    Ok(Some((Line::TooLong, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, longest: usize) -> Vec<Content> {
        let mut all = Vec::new();
        let each = |chunk: Chunk| {
            all.push(chunk.content);
            true
        };
        chunks(text.as_bytes(), "f", longest, each).unwrap();
        all
    }

    fn text(line: &str) -> Line {
        Line::Text(line.into())
    }

    #[test]
    fn lines_keep_their_numbers() {
        let lines = read("\n{}\n \n[1]\n{\n", 100);
        let expected = vec![(2, text("{}\n")), (4, text("[1]\n")), (5, text("{\n"))];
        assert_eq!(lines, [Content::Lines(expected)]);
        assert_eq!(read("", 100), []);
    }

    #[test]
    fn a_document_is_told_by_its_first_line() {
        assert_eq!(read("{\n}\n{\n}", 100), [Content::Document(b"{\n}\n{\n}".to_vec())]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let lines = read("{}\n[11,12,13]\n{}", 5);
        assert_eq!(lines, [Content::Lines(vec![(1, text("{}\n")), (2, Line::TooLong), (3, text("{}"))])]);
    }

    #[test]
    fn long_input_comes_in_parts() {
        let line = format!("[{}]\n", "1,".repeat(500) + "1");
        let parts = read(&line.repeat(1000), 10_000);
        assert!(parts.len() > 3, "{}", parts.len());
        let lines: usize = parts
            .iter()
            .map(|part| match part {
                Content::Lines(lines) => lines.len(),
                Content::Document(_) => 0,
            })
            .sum();
        assert_eq!(lines, 1000);
    }
}
