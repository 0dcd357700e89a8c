//! The grammar of a line, for both formats.
//!
//! It is lenient where that is harmless: blanks between tokens, a comma behind the last label, an
//! unknown escape (which stands for itself). It is strict about what a scraper would refuse.

use std::borrow::Cow;

use memchr::memchr2;

use super::number;
use crate::{
    config::Format,
    metrics::encode::{push_canonical, push_escaped},
};

/// A line. Names are without quotes and escapes.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// `# TYPE`.
    Type(Cow<'a, str>, &'a str),
    /// `# HELP`. The text still has its escapes.
    Help(Cow<'a, str>, &'a str),
    /// A sample, with its whole name.
    Sample(Cow<'a, str>, Sample<'a>),
    /// `# EOF` of OpenMetrics.
    End,
    /// An empty line or a comment, or a `# UNIT`: the text format has no units.
    Nothing,
}

/// A sample without its name.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) value: f64,
    /// The value as it is written.
    pub(super) number: &'a str,
    /// In milliseconds since 1970.
    pub(super) timestamp: Option<i64>,
}

/// Why a line is malformed, and the name in it as far as it has one.
#[derive(Debug)]
pub(super) struct Malformed<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) reason: &'static str,
}

impl<'a> Line<'a> {
    /// Parses a line without its line feed.
    pub(super) fn parse(line: &'a [u8], format: Format) -> Result<Self, Malformed<'a>> {
        let Ok(line) = str::from_utf8(line) else {
            return Err(Malformed { name: None, reason: "it is not UTF-8" });
        };
        let mut rest = Cursor(line.trim_end_matches(['\r', ' ', '\t']));
        rest.skip_blanks();
        if rest.0 == "# EOF" && format == Format::OpenMetrics {
            return Ok(Self::End);
        }
        if rest.0.is_empty() {
            return Ok(Self::Nothing);
        }
        if rest.eat('#') {
            rest.skip_blanks();
            return match rest.token() {
                "TYPE" => rest.head(false),
                // The text of a help ends at the end of the line, whatever it ends with.
                "HELP" => Cursor(&line[line.len() - line.trim_start().len()..]).help(),
                _ => Ok(Self::Nothing),
            };
        }
        let mut name = None;
        match rest.sample(&mut name, format) {
            Ok(sample) => Ok(Self::Sample(name.unwrap_or_default(), sample)),
            Err(reason) => Err(Malformed { name, reason }),
        }
    }
}

/// The rest of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    /// Parses a whole `# HELP`.
    fn help(mut self) -> Result<Line<'a>, Malformed<'a>> {
        self.eat('#');
        self.skip_blanks();
        self.token();
        self.head(true)
    }

    /// Parses what follows the word of a head: a name, and a help text or a type.
    fn head(&mut self, is_help: bool) -> Result<Line<'a>, Malformed<'a>> {
        self.skip_blanks();
        let name = match self.name(':') {
            Ok(name) => name,
            Err(reason) => return Err(Malformed { name: None, reason }),
        };
        let is_apart = self.0.is_empty() || self.0.starts_with([' ', '\t', '\r']);
        if !is_apart {
            return Err(Malformed { name: Some(name), reason: "the name is not legal" });
        }
        self.skip_blanks();
        let rest = self.0.trim_end_matches('\r');
        if is_help {
            return Ok(Line::Help(name, rest));
        }
        Ok(Line::Type(name, rest))
    }

    /// Parses a sample. `name` is set as soon as it is known.
    fn sample(
        &mut self,
        name: &mut Option<Cow<'a, str>>,
        format: Format,
    ) -> Result<Sample<'a>, &'static str> {
        // `{"a.name",label="value"} 1` has its name among the labels.
        if !self.0.starts_with('{') {
            *name = Some(self.name(':')?);
            self.skip_blanks();
        }
        let labels = if self.eat('{') { self.labels(name)? } else { Labels("") };
        if name.is_none() {
            return Err("it has no name");
        }
        self.skip_blanks();
        let (value, number) = number::value(self.token()).ok_or("the value is not a number")?;
        self.skip_blanks();
        let mut timestamp = None;
        if !self.0.is_empty() && !self.0.starts_with('#') {
            let parsed = number::timestamp(self.token(), format);
            timestamp = Some(parsed.ok_or("the timestamp is not a number in range")?);
            self.skip_blanks();
        }
        let is_exemplar = format == Format::OpenMetrics && self.0.starts_with("# {");
        if !self.0.is_empty() && !is_exemplar {
            return Err("something follows the sample");
        }
        Ok(Sample { labels, value, number, timestamp })
    }

    /// Parses labels up to the closing brace, and a quoted name among them.
    fn labels(&mut self, name: &mut Option<Cow<'a, str>>) -> Result<Labels<'a>, &'static str> {
        self.skip_blanks();
        if name.is_none() && self.0.starts_with('"') {
            *name = Some(self.name(':')?);
            self.skip_blanks();
            if !self.eat(',') && !self.0.starts_with('}') {
                return Err("the labels are malformed");
            }
        }
        let whole = self.0;
        let mut names = Vec::new();
        loop {
            self.skip_blanks();
            let length = whole.len() - self.0.len();
            if self.eat('}') {
                names.sort_unstable();
                if names.windows(2).any(|pair| pair[0] == pair[1]) {
                    return Err("a label is there twice");
                }
                return Ok(Labels(&whole[..length]));
            }
            let (name, _) = self.label()?;
            names.push(classic(name, '_'));
            self.skip_blanks();
            if !self.eat(',') && !self.0.starts_with('}') {
                return Err("the labels are malformed");
            }
        }
    }

    /// Parses a label: its name, and its value with the escapes.
    fn label(&mut self) -> Result<(Cow<'a, str>, &'a str), &'static str> {
        let name = self.name('_')?;
        self.skip_blanks();
        if !self.eat('=') {
            return Err("the labels are malformed");
        }
        self.skip_blanks();
        Ok((name, self.quoted().ok_or("the labels are malformed")?))
    }

    /// Parses a name, bare or in quotes. A bare one may have `extra` beside letters, digits and
    /// underscores.
    fn name(&mut self, extra: char) -> Result<Cow<'a, str>, &'static str> {
        if self.0.starts_with('"') {
            return match self.quoted() {
                Some(name) if !name.is_empty() => Ok(unescaped(name, true)),
                _ => Err("the name is not legal"),
            };
        }
        let end = self.0.bytes().position(|byte| !is_legal(byte, extra));
        let length = end.unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(length);
        if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
            return Err("the name is not legal");
        }
        self.0 = rest;
        Ok(Cow::Borrowed(name))
    }

    /// Parses a text in quotes, and returns what is between them. `None` if it does not end.
    fn quoted(&mut self) -> Option<&'a str> {
        let text = self.0.strip_prefix('"')?;
        let mut end = 0;
        loop {
            end += memchr2(b'"', b'\\', &text.as_bytes()[end..])?;
            if text.as_bytes()[end] == b'"' {
                self.0 = &text[end + 1..];
                return Some(&text[..end]);
            }
            // The escaped character may be longer than a byte; its other bytes are no quotes.
            end += 2;
            if end >= text.len() {
                return None;
            }
        }
    }

    /// Returns what is before the next blank, which may be nothing.
    fn token(&mut self) -> &'a str {
        let end = self.0.find([' ', '\t']).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        token
    }

    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn eat(&mut self, character: char) -> bool {
        let rest = self.0.strip_prefix(character);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

/// The labels of a sample, as they stand between the braces. They were parsed once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels<'a>(&'a str);

impl<'a> Labels<'a> {
    /// Returns each name, with the value without its escapes.
    pub(super) fn iter(self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let mut rest = Cursor(self.0);
        std::iter::from_fn(move || {
            rest.skip_blanks();
            let (name, value) = rest.label().ok()?;
            rest.skip_blanks();
            rest.eat(',');
            Some((name, unescaped(value, true)))
        })
    }

    /// Returns the number that a label has as its value.
    pub(super) fn number(self, wanted: &str) -> Option<f64> {
        let (_, value) = self.iter().find(|(name, _)| name == wanted)?;
        number::value(&value).map(|(value, _)| value)
    }

    /// Writes the labels with their braces. The label `number`, if there is one with this name, is
    /// written as a canonical number.
    pub(super) fn write(self, number: Option<&str>, out: &mut String) {
        let mut separator = '{';
        for (name, value) in self.iter() {
            out.push(separator);
            separator = ',';
            let is_number = number.is_some_and(|number| number == name);
            let parsed = if is_number { number::value(&value) } else { None };
            match parsed {
                Some((value, _)) => {
                    let mut canonical = String::new();
                    push_canonical(&mut canonical, value);
                    push_label(out, &name, &canonical);
                }
                None => push_label(out, &name, &value),
            }
        }
        if separator == ',' {
            out.push('}');
        }
    }
}

/// Writes a label with its quotes and escapes.
pub(super) fn push_label(out: &mut String, name: &str, value: &str) {
    push_classic(out, name, '_');
    out.push_str("=\"");
    push_escaped(out, value, true);
    out.push('"');
}

/// Replaces the escapes of a text. Only some texts have one for quotes.
pub(super) fn unescaped(text: &str, has_quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('\\') | None => plain.push('\\'),
            Some('"') if has_quotes => plain.push('"'),
            Some(other) => plain.extend(['\\', other]),
        }
    }
    Cow::Owned(plain)
}

/// Returns a name in the classic alphabet.
pub(super) fn classic(name: Cow<'_, str>, extra: char) -> Cow<'_, str> {
    if is_classic(&name, extra) {
        return name;
    }
    let mut text = String::with_capacity(name.len() + 1);
    push_classic(&mut text, &name, extra);
    Cow::Owned(text)
}

/// Writes a name in the classic alphabet: letters, digits, underscores and `extra`, and no digit in
/// front. Every other character becomes an underscore, since neither format has another one unless
/// it was negotiated.
pub(super) fn push_classic(out: &mut String, name: &str, extra: char) {
    if is_classic(name, extra) {
        return out.push_str(name);
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        out.push('_');
    }
    let legal = |other: char| other.is_ascii() && is_legal(other as u8, extra);
    out.extend(name.chars().map(|character| if legal(character) { character } else { '_' }));
}

fn is_classic(name: &str, extra: char) -> bool {
    name.bytes().all(|byte| is_legal(byte, extra))
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn is_legal(byte: u8, extra: char) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || char::from(byte) == extra
}
