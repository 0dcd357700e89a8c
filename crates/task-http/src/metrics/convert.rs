//! The text of a source in the other format.
//!
//! Both formats describe the same data: families of series. So a text is read into
//! [`Families`], whichever format it has, and written again by [`open`] or by [`text`].
//!
//! A series keeps its name and its labels, whatever the format, since queries and alerts name it.
//! Where the other format would have it renamed, the type is lost instead: a counter without
//! `_total` becomes a family of unknown type in OpenMetrics. The documentation of
//! [`MetricsSource`](super::MetricsSource) lists what is lost.
//!
//! A family with a malformed line is left out, and all others are written. The time is linear in
//! the length of the text, apart from sorting series that are not grouped by their labels; the
//! memory is a few dozen bytes for each line beside the text itself.

use std::{
    collections::HashSet,
    fmt::{self, Write},
};

use crate::{config::Format, metrics::encode::push_escaped};

mod families;
mod groups;
mod line;
mod number;
mod open;
mod text;

use families::Families;
use line::Sample;

/// A text in the other format, and what is missing from it.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    pub(crate) text: String,
    /// Families and series that were left out, since the text has others of the same name.
    pub(crate) duplicates: u64,
    /// Lines that are malformed. Their families were left out.
    pub(crate) malformed: u64,
    /// The first malformed line.
    pub(crate) fault: Option<Fault>,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The number of the line, from 1.
    line: usize,
    pub(crate) reason: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Converts a text in the format `from` into the other one, without `# EOF`.
///
/// `is_taken` returns whether an earlier source has a family of this name in the other format.
pub(crate) fn convert(body: &[u8], from: Format, is_taken: impl Fn(&str) -> bool) -> Converted {
    let families = Families::parse(body, from);
    let mut converted = Converted {
        text: String::with_capacity(body.len() + body.len() / 8),
        malformed: families.malformed,
        fault: families.fault,
        ..Converted::default()
    };
    match from {
        Format::Text => open::write(&families, &is_taken, &mut converted),
        Format::OpenMetrics => text::write(&families, &mut converted),
    }
    converted
}

/// The names of the families that were written. A name that is already there is a duplicate: two
/// names can become one, since only classic characters are written.
#[derive(Default)]
struct Written(HashSet<String>);

impl Written {
    /// Returns the name as it is to be written; `None` if that is taken, which is counted.
    fn add(&mut self, name: &str, suffix: &str, duplicates: &mut u64) -> Option<String> {
        let mut classic = String::with_capacity(name.len() + suffix.len());
        line::push_classic(&mut classic, name, ':');
        classic.push_str(suffix);
        if self.0.contains(&classic) {
            *duplicates += 1;
            return None;
        }
        self.0.insert(classic.clone());
        Some(classic)
    }
}

/// Writes the head of a family. Its help text has the escapes of the format `from`: only
/// OpenMetrics has one for quotes.
fn push_head(out: &mut String, name: &str, kind: &str, help: Option<&str>, from: Format) {
    let is_open = from == Format::OpenMetrics;
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# TYPE {name} {kind}");
    if let Some(help) = help {
        let _ = write!(out, "# HELP {name} ");
        push_escaped(out, &line::unescaped(help, is_open), !is_open);
        out.push('\n');
    }
}

/// Writes a sample that came in the format `from`. The label `canonical` is a number.
fn push_sample(
    out: &mut String,
    name: &str,
    suffix: &str,
    canonical: Option<&str>,
    sample: &Sample<'_>,
    from: Format,
) {
    out.push_str(name);
    out.push_str(suffix);
    sample.labels.write(canonical, out);
    out.push(' ');
    out.push_str(sample.number);
    if let Some(millis) = sample.timestamp {
        out.push(' ');
        match from {
            Format::Text => number::push_seconds(out, millis),
            // Writing to a string cannot fail.
            Format::OpenMetrics => drop(write!(out, "{millis}")),
        }
    }
    out.push('\n');
}
