//! Ticks at the instants that match a cron pattern, in a time zone.

mod fault;
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
    clock::{Clock, Step, WallClock},
    error::Kind,
};

/// A clock that is set back by more than this was wrong before, and is right now.
const CORRECTION: Duration = Duration::from_secs(3 * 3600);

/// The most dropped ticks that are counted after one run; each costs a search.
const MOST_COUNTED: u64 = 100;

/// The schedule of a [`CronTask`](crate::CronTask): a cron pattern in a time zone.
///
/// # Patterns
///
/// `minute hour day-of-month month day-of-week`, as in Vixie cron, with names (`MON`, `JAN`),
/// ranges, lists and steps. An optional sixth field in front is seconds.
///
/// | pattern | matches |
/// |---|---|
/// | `*/5 * * * *` | every five minutes |
/// | `30 3 * * MON-FRI` | 03:30 on weekdays |
/// | `0 9,17 1 * *` | 09:00 and 17:00 on the first of the month |
/// | `0 0 L * *` | midnight on the last day of the month (`L`) |
/// | `0 12 15W * *` | noon on the weekday nearest to the 15th (`W`) |
/// | `0 8 * * MON#2` | 08:00 on the second Monday of the month (`#`) |
/// | `*/10 * * * * *` | every ten seconds |
/// | `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` | as in Vixie cron |
///
/// What would match something else than it seems to is an error: a step that is larger than what it
/// steps through (`*/90` in the minutes would be every hour; for 90 minutes use a
/// [`PollTask`](crate::PollTask)), a step of zero, a range that goes backwards, and a day that
/// never comes. A step that does not divide its field begins anew with it: `*/45` is at 0 and 45
/// minutes.
///
/// If both day fields are restricted, either may match; `+` in front of the weekday requires both.
/// Years beyond 5000 are not searched.
///
/// # Daylight saving time
///
/// The rules are Vixie cron's. The times of day of a pattern that has neither `*` nor a step in its
/// hours, minutes and seconds are *fixed*, including those of a list or a range:
///
/// - A fixed time within a skipped hour runs at the first instant after it, even if that is on the
///   next day. Several fixed times within it run once, together.
/// - A fixed time within a repeated hour runs once, the first time.
/// - Where more than three hours are skipped (Samoa once had no 30 December), the fixed times
///   within them do not run.
///
/// Any other pattern follows the elapsed time: it has no ticks in the skipped hour, and has ticks
/// in both of the repeated ones.
///
/// # Changes of the system's clock
///
/// A waiting task reads the clock at least once a minute, and compares it with the steady clock. A
/// difference of more than a second (more after a long run, since systems slew their clocks) is a
/// *step*. The rules are Vixie cron's, apart from steps forward by more than three hours, after
/// which cron does not run what was passed over:
///
/// - If the clock is set forward, a tick that has become due runs within a minute; further ticks
///   that were passed over are missed ([`MissedTicks`]). The same holds after the system was
///   suspended.
/// - If the clock is set back, a pattern that follows the elapsed time is planned anew from the new
///   time, so its ticks recur. Fixed times that have run do not run again before the clock has
///   caught up.
/// - If it is set back by more than three hours, also in several steps, it was wrong before: fixed
///   times are planned anew as well.
///
/// Back-offs, [`FirstRun::After`] and the run by which [`MissedTicks::Delay`] makes up for others
/// are counted by the time that passes: no step moves them.
///
/// A step is logged as a `WARN` event (target `task`), at most every 10 s: `the system's clock was
/// set back`, with the fields `by` (in seconds), `is_planned_anew` and `unlogged`; or `the system's
/// clock was set forward, or the system was suspended`, with `by`, `unlogged` and `ticks`, those
/// that it passed over, counted up to 100.
///
/// Ticks that pass while the process is not running are not made up for.
#[derive(Clone)]
pub struct CronSchedule {
    pattern: Pattern,
    pub(crate) missed_ticks: MissedTicks,
    pub(crate) wall_clock: WallClock,
    /// The tick that was planned last, or the instant up to which ticks are done. The next tick is
    /// after it.
    planned: Option<Duration>,
    /// Whether `planned` is the end of a wait, such as of a back-off, and no tick.
    is_wait: bool,
    /// The latest reading of the clock.
    seen: Duration,
}

impl CronSchedule {
    /// Parses a pattern whose times are in UTC.
    ///
    /// # Errors
    ///
    /// Fails if the pattern is invalid: it cannot be parsed, has a step that is too large, or
    /// matches no instant (30 February). The message names the field and the value.
    pub fn utc(pattern: &str) -> Result<Self, PeriodicError> {
        Self::new(pattern, TimeZone::UTC)
    }

    /// Parses a pattern whose times are in a time zone of the IANA database, such as
    /// `Europe/Berlin`.
    ///
    /// The system's database is used if there is one (`/usr/share/zoneinfo`, or `TZDIR`), otherwise
    /// the one that is compiled in.
    ///
    /// # Errors
    ///
    /// Fails if the pattern is invalid, or if no database contains the time zone.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use task_periodic::CronSchedule;
    /// let nightly = CronSchedule::in_zone("30 3 * * *", "Europe/Berlin")?;
    /// // 2026-01-01T00:00:00Z
    /// let new_year = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    /// let half_past_two_utc = new_year + Duration::from_secs(2 * 3600 + 30 * 60);
    /// assert_eq!(nightly.next_after(new_year), Some(half_past_two_utc));
    /// # Ok::<_, task_periodic::PeriodicError>(())
    /// ```
    pub fn in_zone(pattern: &str, zone: &str) -> Result<Self, PeriodicError> {
        let zone = TimeZone::get(zone)
            .map_err(|source| Kind::TimeZone { name: zone.to_owned(), source })?;
        Self::new(pattern, zone)
    }

    /// Parses a pattern whose times are in the time zone of the machine: that of the environment
    /// variable `TZ`, if it is set, or of `/etc/localtime` (on Windows, of the system's settings).
    ///
    /// The zone is read here, once: a machine whose zone is changed later needs a restart of the
    /// service. The same service runs at another time on a machine with another zone; where that is
    /// not wanted, use [`in_zone`](Self::in_zone).
    ///
    /// # Errors
    ///
    /// Fails if the pattern is invalid, or if the machine does not state its zone: many containers
    /// do not, and UTC is not assumed.
    pub fn in_system_zone(pattern: &str) -> Result<Self, PeriodicError> {
        Self::new(pattern, TimeZone::try_system().map_err(Kind::SystemZone)?)
    }

    fn new(pattern: &str, zone: TimeZone) -> Result<Self, PeriodicError> {
        let schedule = Self {
            pattern: Pattern::parse(pattern, zone)?,
            missed_ticks: MissedTicks::default(),
            wall_clock: WallClock::default(),
            planned: None,
            is_wait: false,
            seen: Duration::ZERO,
        };
        match schedule.pattern.first_from(0) {
            Some(_) => Ok(schedule),
            None => Err(Kind::NeverMatches(pattern.to_owned()).into()),
        }
    }

    /// Returns the first instant after `time` that the schedule matches, to the second, or `None`
    /// if there is none. A `time` before 1970 counts as 1970.
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

    /// Counts the ticks after the planned one and before `limit`, up to [`MOST_COUNTED`].
    fn ticks_before(&self, limit: Duration) -> u64 {
        let mut last = self.planned;
        let mut count = 0;
        while count < MOST_COUNTED {
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
        self.is_wait = false;
        Next { tick, dropped }
    }

    fn plan_wait(&mut self, end: Option<Duration>, dropped: u64) -> Next {
        let next = self.plan(end, dropped);
        self.is_wait = true;
        next
    }
}

impl Timetable for CronSchedule {
    const IS_ON_A_CLOCK: bool = true;

    fn clock(&self) -> Clock {
        Clock::wall(self.wall_clock.clone())
    }

    fn longest_sleep(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn first(&mut self, first_run: FirstRun, now: Duration) -> Option<Duration> {
        self.seen = now;
        let next = match first_run {
            FirstRun::Immediately => self.plan_wait(Some(now), 0),
            FirstRun::OnSchedule => self.plan(self.tick_from(now), 0),
            FirstRun::After(wait) => self.plan_wait(now.checked_add(wait), 0),
        };
        next.tick
    }

    fn next(&mut self, ended: Ended) -> Next {
        let Ended { at, not_before, slack } = ended;
        let (at, usable) = (at.saturating_sub(slack), not_before.saturating_sub(slack));
        match self.missed_ticks {
            MissedTicks::Burst => self.plan(self.following(Duration::ZERO), 0),
            MissedTicks::Skip => self.plan(self.following(usable), self.ticks_before(at)),
            MissedTicks::Delay => match self.following(Duration::ZERO) {
                Some(missed) if missed < usable => {
                    let made_up = 1;
                    let dropped = self.ticks_before(at).saturating_sub(made_up);
                    self.plan_wait(Some(not_before), dropped)
                }
                tick => self.plan(tick, 0),
            },
        }
    }

    fn gap(&self) -> Duration {
        let Some(planned) = self.planned else { return Duration::ZERO };
        self.tick_after(planned).map_or(Duration::ZERO, |tick| tick.saturating_sub(planned))
    }

    fn is_waiting(&self) -> bool {
        self.is_wait
    }

    fn revise(&mut self, now: Duration, step: Option<Step>) -> bool {
        // The latest reading and not the last one: several small steps back add up to a correction.
        let is_correction = now.saturating_add(CORRECTION) < self.seen;
        let is_anew = match step {
            Some(Step::Back(_)) => is_correction || !self.pattern.is_fixed(),
            Some(Step::Forward(_)) | None => is_correction,
        };
        if !is_anew {
            self.seen = self.seen.max(now);
            return false;
        }
        self.seen = now;
        // A tick at this very instant is not done.
        self.planned = now.checked_sub(Duration::from_nanos(1));
        !self.is_wait
    }

    fn resume(&mut self) -> Option<Duration> {
        self.plan(self.following(Duration::ZERO), 0).tick
    }

    fn skipped(&self, from: Duration, to: Duration) -> u64 {
        Self { planned: from.checked_sub(Duration::from_nanos(1)), ..self.clone() }.ticks_before(to)
    }
}

impl fmt::Display for CronSchedule {
    /// Writes the pattern and the time zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.pattern.zone().iana_name().unwrap_or("(the system's zone)");
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
