//! The texts of several sources as one exposition: each family once, and one end.
//!
//! Families are compared by name, since a scraper rejects a body in which a family comes twice.
//! Apart from that, the text is not parsed or checked.
//!
//! A source can have thousands of series, so the common case is fast: a line that has the same name
//! as the line before is not parsed, and consecutive lines are copied at once. Families that come
//! in several pieces within a source stay as they are; only a family of an earlier source is left
//! out.

use std::collections::HashMap;

use memchr::memchr;

use crate::config::Format;

/// The body of a scrape while it is put together.
pub(crate) struct Exposition {
    out: Vec<u8>,
    format: Format,
    /// The index of the source that has a family.
    owners: HashMap<Box<[u8]>, usize>,
    sources: usize,
}

impl Exposition {
    /// Begins a body that will have about `length` bytes.
    pub(crate) fn new(format: Format, length: usize) -> Self {
        Self {
            out: Vec::with_capacity(length + length / 8),
            format,
            owners: HashMap::new(),
            sources: 0,
        }
    }

    /// Appends the text of one source, without the families that an earlier source has. Returns the
    /// number of families that were left out.
    pub(crate) fn add(&mut self, body: &[u8]) -> u64 {
        let source = self.sources;
        self.sources += 1;

        let is_open = self.format == Format::OpenMetrics;
        let (mut family, mut is_first, mut left_out): (&[u8], _, _) = (b"", true, 0);
        // The start of the lines that are to be copied: long runs are faster than single lines.
        let mut run = None;
        let mut end = 0;
        // The name of the previous sample. Nearly every line has the same one, and needs no
        // parsing.
        let mut last: &[u8] = b"";
        while end < body.len() {
            let start = end;
            end = memchr(b'\n', &body[start..]).map_or(body.len(), |length| start + length + 1);
            let line = &body[start..end];
            let is_same = !last.is_empty()
                && line.starts_with(last)
                && matches!(line.get(last.len()), Some(b'{' | b' '));
            let parsed = if is_same { Line::Sample(last) } else { Line::of(line.trim_ascii_end()) };
            let keep = match parsed {
                Line::Sample(_) if is_same => is_first,
                // In OpenMetrics, nothing may follow it.
                Line::End if is_open => {
                    self.copy(body, run, start);
                    return left_out;
                }
                // Comments and empty lines are legal in the text format alone.
                Line::Other | Line::End => is_first && !is_open,
                Line::Head(name) if name == family => is_first,
                Line::Sample(name) if belongs(name, family) => {
                    last = if line.starts_with(name) { name } else { b"" };
                    is_first
                }
                Line::Head(name) | Line::Sample(name) => {
                    // The next line may still be a sample of the previous family.
                    last = b"";
                    family = name;
                    is_first = self.owner(name, source) == source;
                    left_out += u64::from(!is_first);
                    is_first
                }
            };
            if keep {
                run = run.or(Some(start));
            } else {
                self.copy(body, run.take(), start);
            }
        }
        self.copy(body, run, end);
        left_out
    }

    /// Returns whether a source has a family of this name.
    pub(crate) fn has(&self, family: &str) -> bool {
        self.owners.contains_key(family.as_bytes())
    }

    /// Returns the whole body.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
        self.out
    }

    /// Returns the source that has a family, which is `source` if no earlier one has it.
    fn owner(&mut self, name: &[u8], source: usize) -> usize {
        if let Some(owner) = self.owners.get(name) {
            return *owner;
        }
        self.owners.insert(name.into(), source);
        source
    }

    /// Copies lines of a source, and ends the last one if the source did not.
    fn copy(&mut self, body: &[u8], start: Option<usize>, end: usize) {
        let run = start.map_or(&b""[..], |start| &body[start..end]);
        self.out.extend_from_slice(run);
        if !run.is_empty() && !run.ends_with(b"\n") {
            self.out.push(b'\n');
        }
    }
}

/// The kind of a line.
enum Line<'a> {
    /// `# TYPE`, `# HELP` or `# UNIT` of a family.
    Head(&'a [u8]),
    /// A sample.
    Sample(&'a [u8]),
    /// `# EOF`.
    End,
    /// A comment or an empty line.
    Other,
}

impl<'a> Line<'a> {
    /// Parses as much of a line as it takes to know its family.
    fn of(line: &'a [u8]) -> Self {
        if line == b"# EOF" {
            return Self::End;
        }
        if let Some(comment) = line.strip_prefix(b"#") {
            let comment = comment.trim_ascii_start();
            let head = [&b"TYPE"[..], b"HELP", b"UNIT"].into_iter().find_map(|word| {
                comment
                    .strip_prefix(word)
                    .filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
            });
            return head
                .map_or(Self::Other, |rest| Self::Head(leading_name(rest.trim_ascii_start())));
        }
        match line.trim_ascii_start() {
            [] => Self::Other,
            // `{"a.name",label="value"} 1`: the syntax of names outside of the classic alphabet.
            [b'{', rest @ ..] => Self::Sample(leading_name(rest.trim_ascii_start())),
            sample => Self::Sample(leading_name(sample)),
        }
    }
}

/// Returns the name at the start of `text`, without its quotes if it has some.
fn leading_name(text: &[u8]) -> &[u8] {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let mut is_escaped = false;
        let end = quoted.iter().position(|byte| {
            let ends = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            ends
        });
        return &quoted[..end.unwrap_or(quoted.len())];
    }
    let end = text.iter().position(|byte| *byte == b'{' || byte.is_ascii_whitespace());
    &text[..end.unwrap_or(text.len())]
}

/// Returns whether a sample with this name belongs to the family.
fn belongs(sample: &[u8], family: &[u8]) -> bool {
    const SUFFIXES: [&[u8]; 9] = [
        b"",
        b"_total",
        b"_created",
        b"_bucket",
        b"_count",
        b"_sum",
        b"_gcount",
        b"_gsum",
        b"_info",
    ];
    sample.strip_prefix(family).is_some_and(|suffix| SUFFIXES.contains(&suffix))
}
