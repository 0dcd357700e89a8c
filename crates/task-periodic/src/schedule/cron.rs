//! Ticks at the instants that match a cron pattern, in a time zone.

mod pattern;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use jiff::tz::TimeZone;

use self::pattern::Pattern;
use super::{Ended, Next, Timetable};
use crate::{
    FirstRun, MissedTicks, PeriodicError,
    clock::{Clock, WallClock},
    error::Kind,
};

/// A clock that reads this much earlier than before was wrong before, and is now right.
const CORRECTION: Duration = Duration::from_secs(3 * 3600);

/// How many dropped ticks are counted after one run; finding each costs a search.
const COUNTED: u64 = 100;

/// The schedule of a [`CronTask`](crate::CronTask): a cron pattern in a time zone.
///
/// # Patterns
///
/// `minute hour day-of-month month day-of-week`, as in Vixie cron, with names (`MON`, `JAN`), ranges, lists and steps;
/// a sixth field in front is seconds. `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` are known, and so are
/// `L` (last), `W` (nearest weekday) and `#` (n-th weekday of the month). If both days are restricted, either may
/// match; `+` in front of the weekday asks for both. Years beyond 5000 are not searched.
///
/// # When the clocks change
///
/// As in Vixie cron. The times of day of a pattern that has neither `*` nor a step in its hours, minutes and seconds are
/// fixed, also those of a list or a range. A fixed time that falls into a skipped hour runs at the first instant after
/// it, be that on the next day; several that do run once, together. One that falls into a repeated hour runs once, the
/// first time. Where more than three hours are skipped (Samoa once had no 30 December), what falls into them is nobody's.
///
/// Any other pattern follows the elapsed time: it has no ticks in the skipped hour and runs in both of the repeated
/// ones.
///
/// # When the system's clock is set
///
/// A wait looks at the clock once a minute. Set forward, what has become due runs within that minute; whatever else
/// was leapt over is missed ([`MissedTicks`]). Set back, what has run does not run again, until the clock has caught
/// up; but if it was set back by more than three hours it was wrong before, and the schedule is worked out anew.
/// Ticks that pass while the process is not running are nobody's.
#[derive(Clone)]
pub struct CronSchedule {
    pattern: Pattern,
    pub(crate) missed_ticks: MissedTicks,
    pub(crate) wall_clock: WallClock,
    /// The tick that was planned last, or up to where ticks have been made up for. The next one is after it.
    planned: Option<Duration>,
    /// The latest reading of the clock.
    seen: Duration,
}

impl CronSchedule {
    /// Reads a pattern whose times are in UTC.
    ///
    /// # Errors
    ///
    /// Fails if the pattern cannot be read, or matches no instant (30 February).
    pub fn utc(pattern: &str) -> Result<Self, PeriodicError> {
        Self::new(pattern, TimeZone::UTC)
    }

    /// Reads a pattern whose times are in a time zone of the IANA database, such as `Europe/Berlin`. The system's
    /// database is used where there is one (`/usr/share/zoneinfo`, or `TZDIR`), else the one that is built in.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use task_periodic::CronSchedule;
    /// let nightly = CronSchedule::in_zone("30 3 * * *", "Europe/Berlin")?;
    /// let new_year = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600); // 2026-01-01T00:00:00Z
    /// let half_past_two_utc = new_year + Duration::from_secs(2 * 3600 + 30 * 60);
    /// assert_eq!(nightly.next_after(new_year), Some(half_past_two_utc));
    /// # Ok::<_, task_periodic::PeriodicError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the pattern cannot be read or matches no instant, or if neither database knows the time zone.
    pub fn in_zone(pattern: &str, zone: &str) -> Result<Self, PeriodicError> {
        let zone = TimeZone::get(zone)
            .map_err(|source| Kind::TimeZone { name: zone.to_owned(), source })?;
        Self::new(pattern, zone)
    }

    fn new(pattern: &str, zone: TimeZone) -> Result<Self, PeriodicError> {
        let schedule = Self {
            pattern: Pattern::parse(pattern, zone)?,
            missed_ticks: MissedTicks::default(),
            wall_clock: WallClock::default(),
            planned: None,
            seen: Duration::ZERO,
        };
        match schedule.pattern.first_from(0) {
            Some(_) => Ok(schedule),
            None => Err(Kind::NeverMatches(pattern.to_owned()).into()),
        }
    }

    /// Returns the first instant after `time` that the schedule matches, to the second; `None` if there is none.
    pub fn next_after(&self, time: SystemTime) -> Option<SystemTime> {
        let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SystemTime::UNIX_EPOCH.checked_add(self.tick_after(time)?)
    }

    /// Returns the first tick that is later than `reading`.
    fn tick_after(&self, reading: Duration) -> Option<Duration> {
        self.pattern.first_from(reading.as_secs().checked_add(1)?)
    }

    /// Returns the first tick that is not before `reading`.
    fn tick_from(&self, reading: Duration) -> Option<Duration> {
        let begun = u64::from(reading.subsec_nanos() > 0);
        self.pattern.first_from(reading.as_secs().checked_add(begun)?)
    }

    /// Returns the first tick after the planned one that is not before `limit`.
    fn following(&self, limit: Duration) -> Option<Duration> {
        match self.planned {
            Some(planned) if limit <= planned => self.tick_after(planned),
            _ => self.tick_from(limit),
        }
    }

    /// Counts the ticks after the planned one and before `limit`, to [`COUNTED`].
    fn ticks_before(&self, limit: Duration) -> u64 {
        let mut last = self.planned;
        let mut count = 0;
        while count < COUNTED {
            last = last.and_then(|tick| self.tick_after(tick)).filter(|tick| *tick < limit);
            if last.is_none() {
                break;
            }
            count += 1;
        }
        count
    }

    fn plan(&mut self, tick: Option<Duration>, dropped: u64) -> Next {
        self.planned = tick.or(self.planned);
        Next { tick, dropped }
    }
}

impl Timetable for CronSchedule {
    const IS_ON_A_CLOCK: bool = true;

    fn clock(&self) -> Clock {
        Clock::wall(self.wall_clock.clone())
    }

    fn attention(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn first(&mut self, first_run: FirstRun, now: Duration) -> Option<Duration> {
        self.seen = now;
        let tick = match first_run {
            FirstRun::Immediately => Some(now),
            FirstRun::OnSchedule => self.tick_from(now),
            FirstRun::After(wait) => now.checked_add(wait),
        };
        self.plan(tick, 0).tick
    }

    fn next(&mut self, ended: Ended) -> Next {
        let Ended { at, free, slack } = ended;
        let (at, usable) = (at.saturating_sub(slack), free.saturating_sub(slack));
        match self.missed_ticks {
            MissedTicks::Burst => self.plan(self.following(Duration::ZERO), 0),
            MissedTicks::Skip => self.plan(self.following(usable), self.ticks_before(at)),
            MissedTicks::Delay => match self.following(Duration::ZERO) {
                Some(missed) if missed < usable => {
                    let made_up = 1;
                    self.plan(Some(free), self.ticks_before(at).saturating_sub(made_up))
                }
                tick => self.plan(tick, 0),
            },
        }
    }

    fn gap(&self) -> Duration {
        let Some(planned) = self.planned else { return Duration::ZERO };
        self.tick_after(planned).map_or(Duration::ZERO, |tick| tick.saturating_sub(planned))
    }

    fn revise(&mut self, now: Duration) -> Option<Next> {
        if now.saturating_add(CORRECTION) >= self.seen {
            // Not the last reading: several small steps back add up to a correction.
            self.seen = self.seen.max(now);
            return None;
        }
        self.seen = now;
        Some(self.plan(self.tick_from(now), 0))
    }
}

impl fmt::Display for CronSchedule {
    /// Writes the pattern and the time zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.pattern.zone().iana_name().unwrap_or("UTC");
        write!(f, "{} {zone}", self.pattern.as_str())
    }
}

impl fmt::Debug for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CronSchedule")
            .field("pattern", &self.pattern.as_str())
            .field("zone", &self.pattern.zone().iana_name())
            .field("missed_ticks", &self.missed_ticks)
            .finish_non_exhaustive()
    }
}
