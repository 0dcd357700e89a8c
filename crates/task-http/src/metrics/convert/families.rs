//! A text as families of series, whichever format it has.

use std::{borrow::Cow, collections::HashMap};

use memchr::memchr;

use super::{
    Fault,
    line::{Line, Malformed, Sample},
};
use crate::config::Format;

/// The families of a text, in the order in which they begin.
#[derive(Default)]
pub(super) struct Families<'a> {
    pub(super) list: Vec<Family<'a>>,
    index: HashMap<Cow<'a, str>, usize>,
    pub(super) malformed: u64,
    pub(super) fault: Option<Fault>,
}

/// A family. In the text format, the name of a counter has its `_total`, and in OpenMetrics not.
pub(super) struct Family<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) kind: Kind,
    /// With its escapes.
    pub(super) help: Option<&'a str>,
    /// Each with the part of its name that follows the family's.
    pub(super) samples: Vec<(&'static str, Sample<'a>)>,
    pub(super) is_malformed: bool,
    has_type: bool,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unknown,
    Counter,
    Gauge,
    Histogram,
    Summary,
    Info,
    StateSet,
    GaugeHistogram,
}

impl Kind {
    /// Returns the type of this name. The text format has fewer types.
    fn named(name: &str, format: Format) -> Option<Self> {
        let is_open = format == Format::OpenMetrics;
        Some(match name {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "summary" => Self::Summary,
            "untyped" | "unknown" => Self::Unknown,
            "info" if is_open => Self::Info,
            "stateset" if is_open => Self::StateSet,
            "gaugehistogram" if is_open => Self::GaugeHistogram,
            _ => return None,
        })
    }

    /// Returns what follows the name of the family in the names of its samples.
    fn suffixes(self, format: Format) -> &'static [&'static str] {
        let is_open = format == Format::OpenMetrics;
        match self {
            Self::Unknown | Self::Gauge | Self::StateSet => &[""],
            Self::Counter if is_open => &["_total", "_created"],
            Self::Counter => &[""],
            Self::Histogram if is_open => &["_bucket", "_sum", "_count", "_created"],
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::Summary if is_open => &["", "_sum", "_count", "_created"],
            Self::Summary => &["", "_sum", "_count"],
            Self::Info => &["_info"],
            Self::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
        }
    }
}

/// Every suffix of a type.
const SUFFIXES: [&str; 8] =
    ["_bucket", "_sum", "_count", "_total", "_created", "_info", "_gsum", "_gcount"];

impl<'a> Families<'a> {
    /// Parses a whole text.
    pub(super) fn parse(body: &'a [u8], format: Format) -> Self {
        let mut families = Self::default();
        // The family of the line before.
        let mut current = None;
        // The name of the sample before, with what it led to: nearly every line has the same one.
        let mut last: Option<(Cow<'a, str>, usize, &'static str)> = None;
        let (mut end, mut number) = (0, 0);
        while end < body.len() {
            let start = end;
            end = memchr(b'\n', &body[start..]).map_or(body.len(), |length| start + length + 1);
            let line = body[start..end].strip_suffix(b"\n").unwrap_or(&body[start..end]);
            number += 1;
            let placed = match Line::parse(line, format) {
                Ok(Line::Nothing) => continue,
                Ok(Line::End) => break,
                Ok(Line::Type(name, kind)) => {
                    last = None;
                    let family = families.family(name);
                    current = Some(family);
                    families.list[family].set_type(Kind::named(kind, format))
                }
                Ok(Line::Help(name, help)) => {
                    last = None;
                    let family = families.family(name);
                    current = Some(family);
                    families.list[family].help.get_or_insert(help);
                    Ok(())
                }
                Ok(Line::Sample(name, sample)) => {
                    let known = last.as_ref().filter(|(last, ..)| *last == name);
                    let known = known.map(|(_, family, suffix)| (*family, *suffix));
                    let (family, suffix) =
                        known.unwrap_or_else(|| families.place(name.clone(), format));
                    current = Some(family);
                    last = Some((name, family, suffix));
                    families.list[family].add(suffix, sample, format)
                }
                Err(Malformed { name, reason }) => {
                    last = None;
                    if let Some(name) = name {
                        current = Some(families.place(name, format).0);
                    }
                    Err(reason)
                }
            };
            if let Err(reason) = placed {
                families.malformed += 1;
                families.fault.get_or_insert(Fault { line: number, reason });
                if let Some(family) = current {
                    families.list[family].is_malformed = true;
                }
            }
        }
        families
    }

    /// Returns the family of this name.
    pub(super) fn get(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// Returns the family of this name, which may be new.
    fn family(&mut self, name: Cow<'a, str>) -> usize {
        if let Some(known) = self.get(&name) {
            return known;
        }
        self.index.insert(name.clone(), self.list.len());
        self.list.push(Family {
            name,
            kind: Kind::Unknown,
            help: None,
            samples: Vec::new(),
            is_malformed: false,
            has_type: false,
        });
        self.list.len() - 1
    }

    /// Returns the family that a sample belongs to, with the suffix of its name there. Without one,
    /// the sample has a family of its own.
    fn place(&mut self, name: Cow<'a, str>, format: Format) -> (usize, &'static str) {
        if let Some(family) = self.get(&name) {
            return (family, "");
        }
        for suffix in SUFFIXES {
            let family = name.strip_suffix(suffix).and_then(|base| self.get(base));
            let fits = |family: &usize| self.list[*family].kind.suffixes(format).contains(&suffix);
            if let Some(family) = family.filter(fits) {
                return (family, suffix);
            }
        }
        (self.family(name), "")
    }
}

impl<'a> Family<'a> {
    /// Sets the type, which must come once, and before the samples.
    fn set_type(&mut self, kind: Option<Kind>) -> Result<(), &'static str> {
        let kind = kind.ok_or("the type is not known")?;
        if self.has_type && self.kind == kind {
            return Ok(());
        }
        if self.has_type || !self.samples.is_empty() {
            return Err("the type comes too late");
        }
        (self.kind, self.has_type) = (kind, true);
        Ok(())
    }

    /// Adds a sample.
    fn add(
        &mut self,
        suffix: &'static str,
        sample: Sample<'a>,
        format: Format,
    ) -> Result<(), &'static str> {
        if !self.kind.suffixes(format).contains(&suffix) {
            return Err("the name does not fit the type");
        }
        self.samples.push((suffix, sample));
        Ok(())
    }

    /// Returns the samples with this suffix.
    pub(super) fn with_suffix(&self, wanted: &str) -> impl Iterator<Item = &Sample<'a>> {
        self.samples.iter().filter(move |(suffix, _)| *suffix == wanted).map(|(_, sample)| sample)
    }
}
