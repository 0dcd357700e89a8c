//! From OpenMetrics to the text format.
//!
//! The text format has no `_created`, no information, no state sets and no gauge histograms: their
//! series become families of gauges. It has no units and no exemplars either.

use std::collections::HashSet;

use super::{
    Converted, Written,
    families::{Families, Family, Kind},
    push_head, push_sample,
};
use crate::config::Format;

/// A family of the text format: what its name has behind that of the family in OpenMetrics, its
/// type, and the suffixes of the samples that belong to it.
type Part = (&'static str, &'static str, &'static [&'static str]);

/// Returns the families that one of OpenMetrics becomes.
fn parts(kind: Kind) -> &'static [Part] {
    const CREATED: Part = ("_created", "gauge", &["_created"]);
    match kind {
        Kind::Unknown => &[("", "untyped", &[""])],
        Kind::Counter => &[("_total", "counter", &["_total"]), CREATED],
        Kind::Gauge | Kind::StateSet => &[("", "gauge", &[""])],
        Kind::Histogram => &[("", "histogram", &["_bucket", "_sum", "_count"]), CREATED],
        Kind::Summary => &[("", "summary", &["", "_sum", "_count"]), CREATED],
        Kind::Info => &[("_info", "gauge", &["_info"])],
        Kind::GaugeHistogram => &[
            ("_bucket", "gauge", &["_bucket"]),
            ("_gsum", "gauge", &["_gsum"]),
            ("_gcount", "gauge", &["_gcount"]),
        ],
    }
}

/// Writes the families in the text format.
pub(super) fn write(families: &Families<'_>, converted: &mut Converted) {
    let Converted { text, duplicates, .. } = converted;
    let mut written = Written::default();
    // The names of histograms and summaries, which are also those of their series.
    let mut compound = HashSet::new();
    for family in families.list.iter().filter(|family| !family.is_malformed) {
        for (index, (suffix, kind, samples)) in parts(family.kind).iter().enumerate() {
            // A family without samples keeps its head.
            let is_empty =
                !samples.iter().any(|wanted| family.with_suffix(wanted).next().is_some());
            if is_empty && index > 0 {
                continue;
            }
            let Some(name) = written.add(&family.name, suffix, duplicates) else { continue };
            let is_series = ["_bucket", "_sum", "_count"].into_iter().any(|suffix| {
                name.strip_suffix(suffix).is_some_and(|base| compound.contains(base))
            });
            if is_series {
                *duplicates += 1;
                continue;
            }
            if matches!(*kind, "histogram" | "summary") {
                compound.insert(name.clone());
            }
            write_part(family, &name, kind, samples, suffix, text);
        }
    }
}

/// Writes one family of the text format.
fn write_part(
    family: &Family<'_>,
    name: &str,
    kind: &str,
    suffixes: &[&str],
    suffix: &str,
    out: &mut String,
) {
    push_head(out, name, kind, family.help, Format::OpenMetrics);
    // The name of the family is a part of the name of the part.
    let base = &name[..name.len() - suffix.len()];
    for (suffix, sample) in &family.samples {
        if suffixes.contains(suffix) {
            push_sample(out, base, suffix, None, sample, Format::OpenMetrics);
        }
    }
}
