//! Several sources' metrics as one answer: each family once, and one end.
//!
//! Families are told apart by their names alone, which is all that a scraper rejects an answer for. The text is not
//! otherwise understood or checked.

use std::collections::HashMap;

use memchr::memchr;

use crate::config::Format;

/// The answer so far.
pub(crate) struct Joined {
    out: Vec<u8>,
    format: Format,
    /// Which source, by its place, has a family.
    owners: HashMap<Box<[u8]>, usize>,
    sources: usize,
}

impl Joined {
    /// Begins an answer that will have about `length` bytes.
    pub(crate) fn new(format: Format, length: usize) -> Self {
        Self {
            out: Vec::with_capacity(length + length / 8),
            format,
            owners: HashMap::new(),
            sources: 0,
        }
    }

    /// Appends what one source wrote, but for the families that an earlier one has. Returns how many those are.
    pub(crate) fn add(&mut self, body: &[u8]) -> u64 {
        let source = self.sources;
        self.sources += 1;

        let is_open = self.format == Format::OpenMetrics;
        let (mut family, mut is_ours, mut left_out): (&[u8], _, _) = (b"", true, 0);
        // Where the lines began that are yet to be copied: in long runs, which is faster.
        let mut run = None;
        let mut end = 0;
        // The name of the sample before: nearly every line is another of its series, and need not be looked into.
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
                Line::Sample(_) if is_same => is_ours,
                // Nothing may follow it, in this format.
                Line::End if is_open => {
                    self.copy(body, run, start);
                    return left_out;
                }
                // Comments and empty lines are legal in the text format only.
                Line::Other | Line::End => is_ours && !is_open,
                Line::Head(name) if name == family => is_ours,
                Line::Sample(name) if belongs(name, family) => {
                    last = if line.starts_with(name) { name } else { b"" };
                    is_ours
                }
                Line::Head(name) | Line::Sample(name) => {
                    // It may still be a sample of the family before.
                    last = b"";
                    family = name;
                    is_ours = self.owner(name, source) == source;
                    left_out += u64::from(!is_ours);
                    is_ours
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

    /// Returns the whole answer.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
        self.out
    }

    fn owner(&mut self, name: &[u8], source: usize) -> usize {
        if let Some(owner) = self.owners.get(name) {
            return *owner;
        }
        self.owners.insert(name.into(), source);
        source
    }

    fn copy(&mut self, body: &[u8], start: Option<usize>, end: usize) {
        let run = start.map_or(&b""[..], |start| &body[start..end]);
        self.out.extend_from_slice(run);
        if !run.is_empty() && !run.ends_with(b"\n") {
            self.out.push(b'\n');
        }
    }
}

/// What a line is about.
enum Line<'a> {
    /// `# TYPE`, `# HELP` or `# UNIT` of a family.
    Head(&'a [u8]),
    /// A sample.
    Sample(&'a [u8]),
    /// `# EOF`.
    End,
    /// A comment, or nothing.
    Other,
}

impl<'a> Line<'a> {
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
            // `{"a.name",label="value"} 1`: names outside the classic alphabet.
            [b'{', rest @ ..] => Self::Sample(leading_name(rest.trim_ascii_start())),
            sample => Self::Sample(leading_name(sample)),
        }
    }
}

/// The name that `text` begins with, in quotes or not, without them.
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

/// Tells whether a sample of this name belongs to the family that is being read.
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
