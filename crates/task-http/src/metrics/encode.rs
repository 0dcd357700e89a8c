//! The encoder of the built-in families, in both formats.
//!
//! The formats differ in three points: in OpenMetrics, the family name of a counter has no
//! `_total`, there are `# UNIT` lines, and quotes in a help text are escaped. All else is written
//! in a form that both formats accept.

use std::fmt::Write;

use crate::config::Format;

/// The type of a family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Writes families one after another.
pub(crate) struct Encoder<'a> {
    out: &'a mut String,
    format: Format,
    /// Replaces [`PREFIX`].
    prefix: &'a str,
}

/// The default prefix of the built-in families.
pub(crate) const PREFIX: &str = "task_";

impl<'a> Encoder<'a> {
    /// Makes an encoder that appends to `out`.
    pub(crate) fn new(out: &'a mut String, format: Format, prefix: &'a str) -> Self {
        Self { out, format, prefix }
    }

    /// Begins a family. Nothing is written before its first sample.
    ///
    /// `name` has no `_total`. A prefix that is [`PREFIX`] is replaced. If the name ends in a unit,
    /// the family has that unit.
    pub(crate) fn family<'b>(
        &'b mut self,
        name: &'b str,
        kind: Kind,
        help: &'b str,
    ) -> FamilyEncoder<'b> {
        let (prefix, name) = match name.strip_prefix(PREFIX) {
            Some(rest) => (self.prefix, rest),
            None => ("", name),
        };
        FamilyEncoder { out: self.out, format: self.format, prefix, name, kind, help: Some(help) }
    }
}

/// Writes the samples of one family.
pub(crate) struct FamilyEncoder<'a> {
    out: &'a mut String,
    format: Format,
    prefix: &'a str,
    /// The name without the prefix.
    name: &'a str,
    kind: Kind,
    /// `None` once the head of the family is written.
    help: Option<&'a str>,
}

impl FamilyEncoder<'_> {
    /// Writes one sample of a counter or gauge.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) {
        let suffix = if self.kind == Kind::Counter { "_total" } else { "" };
        self.line(suffix, labels, None, value.into());
    }

    /// Writes a histogram of cumulative `(upper bound, count)` pairs. The last bound is infinite.
    pub(crate) fn histogram(&mut self, labels: &[(&str, &str)], buckets: &[(f64, u64)], sum: f64) {
        for &(bound, count) in buckets {
            self.line("_bucket", labels, Some(bound), count.into());
        }
        let count = buckets.last().map_or(0, |&(_, count)| count);
        self.line("_sum", labels, None, sum.into());
        self.line("_count", labels, None, count.into());
    }

    /// Writes one line, after the head of the family if it is the first. `bound` is the label `le`
    /// of a bucket.
    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<f64>, value: Number) {
        self.head();
        self.out.push_str(self.prefix);
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        let mut separator = '{';
        for (name, text) in labels {
            self.out.push(separator);
            separator = ',';
            self.out.push_str(name);
            self.out.push_str("=\"");
            push_escaped(self.out, text, true);
            self.out.push('"');
        }
        if let Some(bound) = bound {
            self.out.push(separator);
            separator = ',';
            self.out.push_str("le=\"");
            push_canonical(self.out, bound);
            self.out.push('"');
        }
        if separator == ',' {
            self.out.push('}');
        }
        self.out.push(' ');
        match value {
            // Writing to a string cannot fail.
            Number::Whole(value) => drop(write!(self.out, "{value}")),
            Number::Float(value) if value.is_finite() => drop(write!(self.out, "{value:?}")),
            Number::Float(value) => push_canonical(self.out, value),
        }
        self.out.push('\n');
    }

    /// Writes `# TYPE`, `# UNIT` and `# HELP`, once.
    fn head(&mut self) {
        let Some(help) = self.help.take() else { return };
        let is_open = self.format == Format::OpenMetrics;
        let suffix = if self.kind == Kind::Counter && !is_open { "_total" } else { "" };
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let (prefix, name) = (self.prefix, self.name);
        let _ = writeln!(self.out, "# TYPE {prefix}{name}{suffix} {kind}");
        let unit = ["seconds", "bytes"]
            .into_iter()
            .find(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')));
        if is_open && let Some(unit) = unit {
            let _ = writeln!(self.out, "# UNIT {prefix}{name} {unit}");
        }
        let _ = write!(self.out, "# HELP {prefix}{name}{suffix} ");
        push_escaped(self.out, help, is_open);
        self.out.push('\n');
    }
}

/// The value of a sample.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    Whole(u64),
    Float(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// Writes a number as OpenMetrics wants it in the labels `le` and `quantile`: as Go prints the
/// shortest form, and with `.0` if it would be an integer.
pub(crate) fn push_canonical(out: &mut String, value: f64) {
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let start = out.len();
        let _ = write!(out, "{value}");
        if !out[start..].contains('.') {
            out.push_str(".0");
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{digits}e{sign}{:02}", exponent.abs());
    }
}

/// Writes a text with the escapes of both formats.
///
/// Neither format has an escape for a carriage return, or allows it within a line: it is written as
/// a backslash and an `r`.
pub(crate) fn push_escaped(out: &mut String, text: &str, quotes: bool) {
    if !text.contains(['\\', '\n', '\r', '"']) {
        return out.push_str(text);
    }
    for character in text.chars() {
        match character {
            '\\' => out.push_str(r"\\"),
            '\n' => out.push_str(r"\n"),
            '\r' => out.push_str(r"\\r"),
            '"' if quotes => out.push_str(r#"\""#),
            _ => out.push(character),
        }
    }
}
