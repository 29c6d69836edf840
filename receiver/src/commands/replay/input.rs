//! Input as chunks: whole lines, or one whole document.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use audit_event::json::Raw;

/// About as many bytes as are read, and evaluated, at a time; with a quarter, threads wait for each other too often.
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
    pub(super) file: Arc<str>,
    /// The number of its first line, counted from 1.
    pub(super) line: usize,
    /// What it holds.
    pub(super) content: Content,
    /// Bytes of input.
    pub(super) bytes: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Content {
    /// Whole lines, apart by line feeds.
    Lines(Vec<u8>),
    /// A line longer than [`LONGEST_LINE`], not kept.
    LongLine,
    /// All of the file.
    Document(Vec<u8>),
}

/// Gives the chunks of a file to `each`, which says whether to go on.
pub(super) fn read(path: &Path, each: impl FnMut(Chunk) -> bool) -> Result<(), Unreadable> {
    let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let failed = |cause| Unreadable { path: name.clone(), cause };
    let source: Box<dyn Read> = match path {
        path if path == Path::new("-") => Box::new(io::stdin()),
        path => Box::new(File::open(path).map_err(failed)?),
    };
    chunks(source, &name, Limits { chunk: CHUNK, line: LONGEST_LINE }, each).map_err(failed)
}

/// How much is read at a time, and how long a line may be.
#[derive(Clone, Copy)]
struct Limits {
    chunk: usize,
    line: usize,
}

/// JSON lines when the first line that isn't blank is a JSON value by itself, else a whole document.
fn chunks(
    source: impl Read,
    file: &str,
    limits: Limits,
    mut each: impl FnMut(Chunk) -> bool,
) -> io::Result<()> {
    let file: Arc<str> = file.into();
    let mut source = Source { source, limits, begun: Vec::new() };
    let (mut line, mut first) = (1, true);
    while let Some(part) = source.next()? {
        let (content, bytes, lines) = match part {
            Part::LongLine(bytes) => (Content::LongLine, bytes, 1),
            Part::Lines(text) if first && begins_document(&text) => {
                let whole = source.rest_behind(text)?;
                let bytes = whole.len();
                (Content::Document(whole), bytes, 0)
            }
            Part::Lines(text) => {
                let (bytes, lines) = (text.len(), memchr::memchr_iter(b'\n', &text).count());
                first &= text.trim_ascii().is_empty();
                (Content::Lines(text), bytes, lines)
            }
        };
        if !each(Chunk { file: file.clone(), line, content, bytes }) {
            return Ok(());
        }
        line += lines;
    }
    Ok(())
}

/// Whether the first line that isn't blank is no value by itself.
fn begins_document(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    !line.is_empty() && Raw::parse(&String::from_utf8_lossy(line)).is_err()
}

struct Source<R> {
    source: R,
    limits: Limits,
    /// The head of a line that has not been given.
    begun: Vec<u8>,
}

enum Part {
    /// Whole lines; at the end of the source the last may want its line feed.
    Lines(Vec<u8>),
    /// A line that was passed over, and how many bytes it was.
    LongLine(usize),
}

impl<R: Read> Source<R> {
    fn next(&mut self) -> io::Result<Option<Part>> {
        loop {
            let before = self.begun.len();
            let read = self.read()?;
            if read == 0 {
                let last = std::mem::take(&mut self.begun);
                return Ok((!last.is_empty()).then_some(Part::Lines(last)));
            }
            let new = self.begun.get(before..).unwrap_or_default();
            if let Some(end) = memchr::memrchr(b'\n', new) {
                let begun = self.begun.split_off(before + end + 1);
                return Ok(Some(Part::Lines(std::mem::replace(&mut self.begun, begun))));
            }
            if self.begun.len() > self.limits.line {
                return self.pass_over().map(|bytes| Some(Part::LongLine(bytes)));
            }
        }
    }

    /// Reads on to the end of the line; gives its length.
    fn pass_over(&mut self) -> io::Result<usize> {
        let mut length = 0;
        loop {
            length += self.begun.len();
            self.begun.clear();
            if self.read()? == 0 {
                return Ok(length);
            }
            if let Some(end) = memchr::memchr(b'\n', &self.begun) {
                self.begun.drain(..=end);
                return Ok(length + end + 1);
            }
        }
    }

    /// Appends to what has begun; 0 at the end of the source.
    fn read(&mut self) -> io::Result<usize> {
        self.begun.reserve(self.limits.chunk);
        self.source.by_ref().take(self.limits.chunk as u64).read_to_end(&mut self.begun)
    }

    /// `text` and all that comes behind it.
    fn rest_behind(&mut self, mut text: Vec<u8>) -> io::Result<Vec<u8>> {
        text.append(&mut self.begun);
        self.source.read_to_end(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, chunk: usize, line: usize) -> Vec<(usize, Content)> {
        let mut all = Vec::new();
        let mut bytes = 0;
        let each = |chunk: Chunk| {
            bytes += chunk.bytes;
            all.push((chunk.line, chunk.content));
            true
        };
        chunks(text.as_bytes(), "f", Limits { chunk, line }, each).unwrap();
        assert_eq!(bytes, text.len());
        all
    }

    fn lines(text: &str) -> Content {
        Content::Lines(text.into())
    }

    #[test]
    fn chunks_are_whole_lines_and_know_their_numbers() {
        let text = "\n{}\n \n[1]\n{\n";
        assert_eq!(read(text, 100, 100), [(1, lines(text))]);
        assert_eq!(
            read("{}\n[1]\n[2,3]\n4", 6, 100),
            [(1, lines("{}\n")), (2, lines("[1]\n")), (3, lines("[2,3]\n")), (4, lines("4")),]
        );
        assert_eq!(read("", 100, 100), []);
    }

    #[test]
    fn a_document_is_told_by_its_first_line() {
        assert_eq!(read("{\n}\n{\n}", 3, 100), [(1, Content::Document(b"{\n}\n{\n}".to_vec()))]);
        let behind_blanks = [(1, lines("\n\n")), (3, Content::Document(b"{\n}".to_vec()))];
        assert_eq!(read("\n\n{\n}", 2, 100), behind_blanks);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        for last in ["{}", "{}\n", ""] {
            let parts = read(&format!("{{}}\n[11,12,13,14]\n{last}"), 3, 5);
            assert_eq!(parts[..2], [(1, lines("{}\n")), (2, Content::LongLine)]);
            assert!(parts[2..].iter().all(|part| *part == (3, lines(last))), "{parts:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_added_or_left_out(text in "(1?\n){0,9}[1{]?", chunk in 1_usize..9) {
            let all: Vec<u8> = read(&text, chunk, 100)
                .into_iter()
                .flat_map(|(_, content)| match content {
                    Content::Lines(text) | Content::Document(text) => text,
                    Content::LongLine => unreachable!("no line is"),
                })
                .collect();
            proptest::prop_assert_eq!(String::from_utf8(all).unwrap(), text);
        }
    }
}
