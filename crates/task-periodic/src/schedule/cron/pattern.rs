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

use crate::{PeriodicError, error::Kind};

/// Fixed times in a gap of this length run after it. Nobody's clocks skip more for the season.
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
        let cron = parser
            .parse(pattern)
            .map_err(|source| Kind::Pattern { pattern: pattern.to_owned(), source })?;
        let fields = [&cron.pattern.seconds, &cron.pattern.minutes, &cron.pattern.hours];
        let is_fixed = fields.iter().all(|field| !field.from_wildcard && field.step == 1);
        Ok(Self { cron, zone, is_fixed })
    }

    pub(super) fn as_str(&self) -> &str {
        self.cron.pattern.as_str()
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Finds the first match in this second since 1970 or a later one.
    pub(super) fn first_from(&self, second: u64) -> Option<Duration> {
        let from = Timestamp::from_second(i64::try_from(second).ok()?).ok()?;
        let found = if self.is_fixed {
            self.first_fixed_from(from)?
        } else {
            // That of an interval in a time zone is croner's: elapsed time, through gaps and folds.
            self.next(from, &self.zone)?.timestamp()
        };
        u64::try_from(found.as_second()).ok().map(Duration::from_secs)
    }

    /// croner has rules for fixed times at clock changes, but not for lists and ranges of them, nor for a gap that
    /// reaches midnight. So it is asked on a calendar without changes, and what it finds is looked up in the zone: each
    /// time on the wall is one instant, and a later time is never an earlier instant.
    fn first_fixed_from(&self, from: Timestamp) -> Option<Timestamp> {
        let mut wall = self.wall_from(from)?;
        loop {
            let on_the_calendar = TimeZone::UTC.to_timestamp(wall).ok()?;
            wall = self.next(on_the_calendar, &TimeZone::UTC)?.datetime();
            match self.zone.to_ambiguous_timestamp(wall).offset() {
                AmbiguousOffset::Unambiguous { offset }
                | AmbiguousOffset::Fold { before: offset, .. } => {
                    return offset.to_timestamp(wall).ok();
                }
                AmbiguousOffset::Gap { before, after } => {
                    let in_front = after.to_timestamp(wall).ok()?;
                    let mut changes = self.zone.following(in_front);
                    let end = changes.find(|change| change.offset() == after)?.timestamp();
                    if before.duration_until(after) <= LONGEST_GAP {
                        return Some(end);
                    }
                    wall = self.zone.to_datetime(end);
                }
            }
        }
    }

    /// Returns the earliest time on the wall whose instant is not before this one.
    fn wall_from(&self, from: Timestamp) -> Option<DateTime> {
        // Not the wall's at that instant, which may be the first one after a gap: what is in the gap counts.
        let mut last = from.checked_sub(SECOND).ok()?;
        if let AmbiguousOffset::Fold { before, after } =
            self.zone.to_ambiguous_timestamp(self.zone.to_datetime(last)).offset()
            && self.zone.to_offset(last) == after
        {
            // The second time round, when all that is in the fold is over.
            let mut ends_of_the_first = self
                .zone
                .preceding(from)
                .filter_map(|change| change.timestamp().checked_sub(SECOND).ok());
            last = ends_of_the_first.find(|end| self.zone.to_offset(*end) == before)?;
        }
        self.zone.to_datetime(last).checked_add(SECOND).ok()
    }

    fn next(&self, from: Timestamp, zone: &TimeZone) -> Option<jiff::Zoned> {
        self.cron.find_next_occurrence(&from.to_zoned(zone.clone()), true).ok()
    }
}
