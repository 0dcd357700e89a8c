//! The instants that a cron pattern matches, in a time zone.

use std::time::Duration;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

use super::fault::{check_steps, fault_of};
use crate::{PeriodicError, error::Kind};

/// Fixed times within a gap up to this length run after it. No zone skips more for daylight saving.
const LONGEST_GAP: SignedDuration = SignedDuration::from_hours(3);

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A cron pattern in a time zone.
#[derive(Clone)]
pub(super) struct Pattern {
    cron: Cron,
    zone: TimeZone,
    /// Whether its times of day are fixed.
    is_fixed: bool,
}

impl Pattern {
    pub(super) fn parse(pattern: &str, zone: TimeZone) -> Result<Self, PeriodicError> {
        let parser =
            CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let invalid =
            |(fault, source)| Kind::Pattern { pattern: pattern.to_owned(), fault, source };
        let cron =
            parser.parse(pattern).map_err(|error| invalid(fault_of(&parser, pattern, error)))?;
        check_steps(pattern).map_err(|fault| invalid((fault, None)))?;
        let fields = [&cron.pattern.seconds, &cron.pattern.minutes, &cron.pattern.hours];
        let is_fixed = fields.iter().all(|field| !field.from_wildcard && field.step == 1);
        Ok(Self { cron, zone, is_fixed })
    }

    pub(super) fn as_str(&self) -> &str {
        self.cron.pattern.as_str()
    }

    /// Returns whether its times of day are fixed.
    pub(super) fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the first match at or after this second since 1970.
    pub(super) fn first_from(&self, second: u64) -> Option<Duration> {
        let from = Timestamp::from_second(i64::try_from(second).ok()?).ok()?;
        let found = if self.is_fixed {
            self.first_fixed_from(from)?
        } else {
            // Croner's rule for intervals is Vixie cron's: elapsed time, through gaps and folds.
            self.next(from, &self.zone)?.timestamp()
        };
        u64::try_from(found.as_second()).ok().map(Duration::from_secs)
    }

    /// Returns the first match of a pattern with fixed times at or after `from`.
    ///
    /// Croner has rules for fixed times at clock changes, but not for lists and ranges of them, nor
    /// for a gap that reaches midnight. So it searches a calendar without clock changes (UTC), and
    /// each civil time that it finds is mapped to one instant of the zone. The mapping is
    /// monotonic: a later civil time is never an earlier instant.
    fn first_fixed_from(&self, from: Timestamp) -> Option<Timestamp> {
        let mut civil = self.civil_from(from)?;
        loop {
            let on_the_calendar = TimeZone::UTC.to_timestamp(civil).ok()?;
            civil = self.next(on_the_calendar, &TimeZone::UTC)?.datetime();
            match self.zone.to_ambiguous_timestamp(civil).offset() {
                AmbiguousOffset::Unambiguous { offset }
                | AmbiguousOffset::Fold { before: offset, .. } => {
                    return offset.to_timestamp(civil).ok();
                }
                AmbiguousOffset::Gap { before, after } => {
                    // With the later offset, the civil time is an instant before the change.
                    let before_change = after.to_timestamp(civil).ok()?;
                    let mut changes = self.zone.following(before_change);
                    let end = changes.find(|change| change.offset() == after)?.timestamp();
                    if before.duration_until(after) <= LONGEST_GAP {
                        return Some(end);
                    }
                    civil = self.zone.to_datetime(end);
                }
            }
        }
    }

    /// Returns the earliest civil time whose instant is not before `from`.
    fn civil_from(&self, from: Timestamp) -> Option<DateTime> {
        // Not the civil time of `from` itself, which may be the first one after a gap: the fixed
        // times within that gap count, too.
        let mut last = from.checked_sub(SECOND).ok()?;
        if let AmbiguousOffset::Fold { before, after } =
            self.zone.to_ambiguous_timestamp(self.zone.to_datetime(last)).offset()
            && self.zone.to_offset(last) == after
        {
            // In the second pass of a fold, all fixed times of the fold have had their instant.
            let mut ends_of_first_pass = self
                .zone
                .preceding(from)
                .filter_map(|change| change.timestamp().checked_sub(SECOND).ok());
            last = ends_of_first_pass.find(|end| self.zone.to_offset(*end) == before)?;
        }
        self.zone.to_datetime(last).checked_add(SECOND).ok()
    }

    fn next(&self, from: Timestamp, zone: &TimeZone) -> Option<jiff::Zoned> {
        self.cron.find_next_occurrence(&from.to_zoned(zone.clone()), true).ok()
    }
}
