//! From the text format to OpenMetrics.
//!
//! OpenMetrics is stricter. A family that it would refuse under its type, for the names or the
//! values of its series, is written as families of unknown type, one for each name. So no series is
//! lost, and a scraper reads the others.

use super::{
    Converted, Written,
    families::{Families, Family, Kind},
    groups::{Groups, Placed},
    push_head, push_sample,
};
use crate::config::Format;

/// A family that can keep its type, with its samples in groups.
struct Whole<'f, 'a> {
    name: &'f str,
    kind: &'static str,
    /// The label that is a canonical number.
    number: Option<&'static str>,
    /// The family of gauges that has the times at which the series were created.
    created: Option<usize>,
    samples: Vec<Placed<'f, 'a>>,
}

/// Writes the families in OpenMetrics, without the end mark.
pub(super) fn write(
    families: &Families<'_>,
    is_taken: &impl Fn(&str) -> bool,
    converted: &mut Converted,
) {
    let Converted { text, duplicates, .. } = converted;
    let wholes: Vec<_> = families
        .list
        .iter()
        .map(|family| whole(family, families, is_taken).filter(|_| !family.is_malformed))
        .collect();
    let mut is_absorbed = vec![false; families.list.len()];
    for created in wholes.iter().flatten().filter_map(|whole| whole.created) {
        is_absorbed[created] = true;
    }
    let mut written = Written::default();
    for ((family, whole), is_absorbed) in families.list.iter().zip(wholes).zip(is_absorbed) {
        if family.is_malformed || is_absorbed {
            continue;
        }
        if let Some(whole) = whole {
            if let Some(name) = written.add(whole.name, "", duplicates) {
                push_head(text, &name, whole.kind, family.help, Format::Text);
                // The suffix of a counter is in the name of its family.
                let is_counter = family.kind == Kind::Counter;
                for (_, suffix, sample) in whole.samples {
                    let suffix = if is_counter && suffix.is_empty() { "_total" } else { suffix };
                    push_sample(text, &name, suffix, whole.number, sample, Format::Text);
                }
            }
            continue;
        }
        for part in parts(family.kind) {
            let mut samples = family.with_suffix(part).peekable();
            if samples.peek().is_none() && !part.is_empty() {
                continue;
            }
            let Some(name) = written.add(&family.name, part, duplicates) else { continue };
            let kind = if family.kind == Kind::Gauge { "gauge" } else { "unknown" };
            push_head(text, &name, kind, family.help, Format::Text);
            let mut groups = Groups::new(None);
            for sample in samples {
                groups.add("", sample);
            }
            let mut before: Option<Placed<'_, '_>> = None;
            for (group, suffix, sample) in groups.finish() {
                // A series has one sample, or several in the order of their timestamps.
                let follows = before.is_none_or(|(last, _, before)| {
                    last != group
                        || before.timestamp.is_some() && before.timestamp < sample.timestamp
                });
                if follows {
                    push_sample(text, &name, "", None, sample, Format::Text);
                    before = Some((group, suffix, sample));
                } else {
                    *duplicates += 1;
                }
            }
        }
    }
}

/// Returns the suffixes of the families of unknown type that a family becomes.
fn parts(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Histogram => &["_bucket", "_sum", "_count"],
        Kind::Summary => &["", "_sum", "_count"],
        Kind::Unknown
        | Kind::Counter
        | Kind::Gauge
        | Kind::Info
        | Kind::StateSet
        | Kind::GaugeHistogram => &[""],
    }
}

/// Returns the family as it is if OpenMetrics accepts its names and its values. Gauges and unknown
/// types have nothing to check, and are not returned.
fn whole<'f, 'a>(
    family: &'f Family<'a>,
    families: &'f Families<'a>,
    is_taken: &impl Fn(&str) -> bool,
) -> Option<Whole<'f, 'a>> {
    let (kind, name, number) = match family.kind {
        Kind::Counter => ("counter", family.name.strip_suffix("_total")?, None),
        Kind::Histogram => ("histogram", &*family.name, Some("le")),
        Kind::Summary => ("summary", &*family.name, Some("quantile")),
        Kind::Unknown | Kind::Gauge | Kind::Info | Kind::StateSet | Kind::GaugeHistogram => {
            return None;
        }
    };
    let has = |suffix: &str| families.get(&format!("{name}{suffix}")).is_some();
    let is_free = match family.kind {
        // The name without its suffix is another family's, here or in an earlier source.
        Kind::Counter => !name.is_empty() && !has("") && !is_taken(name),
        _ => !["_bucket", "_sum", "_count"].into_iter().any(has),
    };
    if !is_free {
        return None;
    }
    let mut groups = Groups::new(number);
    for (suffix, sample) in &family.samples {
        groups.add(suffix, sample);
    }
    let created = families.get(&format!("{name}_created"));
    if let Some(created) = created {
        let created = &families.list[created];
        let is_gauge = matches!(created.kind, Kind::Gauge | Kind::Unknown) && !created.is_malformed;
        // One without a series that it belongs to would be a series of its own.
        if !is_gauge || created.with_suffix("").any(|sample| groups.add("_created", sample)) {
            return None;
        }
    }
    let samples = groups.finish();
    let is_sound =
        samples.chunk_by(|(one, ..), (next, ..)| one == next).all(|group| match family.kind {
            Kind::Counter => is_counter(group),
            Kind::Histogram => is_histogram(group),
            _ => is_summary(group),
        });
    is_sound.then_some(Whole { name, kind, number, created, samples })
}

/// Returns whether the samples of a group have one timestamp, or none has one.
fn is_one_point(group: &[Placed<'_, '_>]) -> bool {
    group.windows(2).all(|pair| pair[0].2.timestamp == pair[1].2.timestamp)
}

/// Returns the only value with this suffix; `Err` if there are several.
fn only(group: &[Placed<'_, '_>], wanted: &str) -> Result<Option<f64>, ()> {
    let mut values = group.iter().filter(|(_, suffix, _)| *suffix == wanted);
    let value = values.next().map(|(.., sample)| sample.value);
    if values.next().is_some() { Err(()) } else { Ok(value) }
}

/// Returns whether a value can be a number of events.
fn is_count(value: f64) -> bool {
    value >= 0.0 && value.fract() == 0.0
}

fn is_counter(group: &[Placed<'_, '_>]) -> bool {
    let total = only(group, "");
    total.is_ok_and(|total| total.is_some_and(|total| total >= 0.0))
        && only(group, "_created").is_ok()
        && is_one_point(group)
}

/// Returns whether the buckets ascend and end at infinity, and the sum and the count fit them.
fn is_histogram(group: &[Placed<'_, '_>]) -> bool {
    let (mut bound, mut total) = (None, 0.0);
    let mut is_below_zero = false;
    for (_, _, sample) in group.iter().filter(|(_, suffix, _)| *suffix == "_bucket") {
        let Some(le) = sample.labels.number("le") else { return false };
        let ascends = !le.is_nan() && bound.is_none_or(|bound| le > bound);
        if !ascends || !is_count(sample.value) || sample.value < total {
            return false;
        }
        is_below_zero |= le < 0.0;
        (bound, total) = (Some(le), sample.value);
    }
    let (Ok(sum), Ok(count)) = (only(group, "_sum"), only(group, "_count")) else { return false };
    let fits = match (sum, count) {
        // With observations below zero, the sum is not a counter.
        (Some(sum), Some(count)) => sum >= 0.0 && !is_below_zero && count == total,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    bound == Some(f64::INFINITY) && fits && only(group, "_created").is_ok() && is_one_point(group)
}

/// Returns whether the quantiles are within 0 and 1, and nothing is negative.
fn is_summary(group: &[Placed<'_, '_>]) -> bool {
    let quantiles = group.iter().filter(|(_, suffix, _)| suffix.is_empty()).all(|(.., sample)| {
        let quantile = sample.labels.number("quantile");
        quantile.is_some_and(|quantile| (0.0..=1.0).contains(&quantile))
            && (sample.value >= 0.0 || sample.value.is_nan())
    });
    let is_in = |suffix, fits: fn(f64) -> bool| {
        only(group, suffix).is_ok_and(|value| value.is_none_or(fits))
    };
    quantiles
        && is_in("_sum", |sum| sum >= 0.0)
        && is_in("_count", is_count)
        && is_in("_created", |_| true)
        && is_one_point(group)
}
