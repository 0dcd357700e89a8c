//! What is wrong with a pattern: the field, the value and why. The parser names neither.

use croner::{errors::CronError, parser::CronParser};

use crate::error::CronFault;

/// A field of a pattern, and its least and largest number.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    /// How many values it has. The last number of the weekdays is Sunday, as the first one is.
    values: u32,
}

const FIELDS: [Field; 6] = [
    Field { name: "second", first: 0, last: 59, values: 60 },
    Field { name: "minute", first: 0, last: 59, values: 60 },
    Field { name: "hour", first: 0, last: 23, values: 24 },
    Field { name: "day of the month", first: 1, last: 31, values: 31 },
    Field { name: "month", first: 1, last: 12, values: 12 },
    Field { name: "day of the week", first: 0, last: 7, values: 7 },
];

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Explains why the parser refused a pattern with `error`, which is returned where it says more.
pub(super) fn fault_of(
    parser: &CronParser,
    pattern: &str,
    error: CronError,
) -> (CronFault, Option<CronError>) {
    if pattern.contains('@') {
        return (CronFault::Nickname, None);
    }
    let count = pattern.split_whitespace().count();
    if !matches!(count, 5 | 6) {
        return (CronFault::Fields(count), None);
    }
    // The parser takes an empty part for none.
    for (index, field, part) in parts(pattern).filter(|(.., part)| !part.is_empty()) {
        // Alone, with all else open: the parser refuses it if it is what is wrong.
        let mut fields = ["*"; 6];
        fields[index] = part;
        if let Err(error) = parser.parse(&fields.join(" ")) {
            return match fault_in(field, part) {
                Some(fault) => (fault, None),
                None => (CronFault::Unreadable(field.name, part.to_owned()), Some(error)),
            };
        }
    }
    (CronFault::Other, Some(error))
}

/// Checks the steps of a pattern that can be parsed: one that is larger than what it steps through
/// would match its first value alone, so `*/90` would be every hour.
pub(super) fn check_steps(pattern: &str) -> Result<(), CronFault> {
    for (_, field, part) in parts(pattern) {
        let Some((range, step)) = stepped(part) else { continue };
        let values = values_of(range).unwrap_or(field.values);
        if step > values {
            return Err(CronFault::Step(field.name, part.to_owned(), step, values));
        }
    }
    Ok(())
}

/// Returns the parts of the lists in all fields, each with its field and the index of that.
fn parts(pattern: &str) -> impl Iterator<Item = (usize, &'static Field, &str)> {
    let texts: Vec<_> = pattern.split_whitespace().collect();
    // Without seconds, the first field is the minutes.
    let skipped = FIELDS.len().saturating_sub(texts.len());
    let fields = FIELDS.iter().enumerate().skip(skipped).zip(texts);
    fields.flat_map(|((index, field), text)| text.split(',').map(move |part| (index, field, part)))
}

/// Returns what is wrong with a part that the parser refuses, as far as it is plain.
fn fault_in(field: &Field, part: &str) -> Option<CronFault> {
    let &Field { name, first, last, .. } = field;
    let range = match stepped(part) {
        Some((_, 0)) => return Some(CronFault::NoStep(name, part.to_owned())),
        Some((range, _)) => range,
        None => part,
    };
    // The weekday nearest to a day is a day, too.
    let ends = range.split('-').map(|end| value_of(end.trim_end_matches(['W', 'w'])));
    let outside = ends.flatten().find(|value| !(first..=last).contains(value));
    if let Some(value) = outside {
        return Some(CronFault::Outside(name, value, first, last));
    }
    let (from, to) = bounds_of(range)?;
    (from > to).then(|| CronFault::Backwards(name, part.to_owned()))
}

/// Splits a part with a step into what it steps through and the step.
fn stepped(part: &str) -> Option<(&str, u32)> {
    let (range, step) = part.split_once('/')?;
    // A `#` may follow.
    let digits = step.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    Some((range, digits.parse().ok()?))
}

/// Returns how many values a range has, of numbers or of names.
fn values_of(range: &str) -> Option<u32> {
    let (first, last) = bounds_of(range)?;
    last.checked_sub(first)?.checked_add(1)
}

/// Returns the first and the last value of a range.
fn bounds_of(range: &str) -> Option<(u32, u32)> {
    let (first, last) = range.trim_start_matches('+').split_once('-')?;
    // At the end of a range, Sunday is the last day.
    let last = if last.eq_ignore_ascii_case("SUN") { 7 } else { value_of(last)? };
    Some((value_of(first)?, last))
}

/// Returns the value of a number, or of the name of a month or a weekday.
fn value_of(text: &str) -> Option<u32> {
    let index_in = |names: &[&str]| names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let of_name = || index_in(&MONTHS).map(|index| index + 1).or_else(|| index_in(&WEEKDAYS));
    text.parse().ok().or_else(|| u32::try_from(of_name()?).ok())
}
