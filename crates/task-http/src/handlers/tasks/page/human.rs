//! Phases, counts, durations and times as people read them.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use task_core::Phase;

/// Displays the name of a phase, or its number if it has no name.
pub(super) struct PhaseName(pub(super) Phase);

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Phase::SETUP => f.write_str("setup"),
            Phase::INGRESS => f.write_str("ingress"),
            Phase::WORK => f.write_str("work"),
            Phase::SUPPORT => f.write_str("support"),
            other => other.number().fmt(f),
        }
    }
}

/// Returns a count with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Displays a time of the wall clock in UTC, to the second.
pub(super) struct WallTime {
    seconds: u64,
    has_date: bool,
}

impl WallTime {
    /// With the date.
    pub(super) fn full(time: SystemTime) -> Self {
        Self { seconds: unix_seconds(time), has_date: true }
    }

    /// With the date unless it is that of `other`.
    pub(super) fn short(time: SystemTime, other: SystemTime) -> Self {
        let seconds = unix_seconds(time);
        Self { seconds, has_date: seconds / 86_400 != unix_seconds(other) / 86_400 }
    }
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.seconds / 86_400, self.seconds % 86_400);
        if self.has_date {
            let (year, month, day) = date(days);
            write!(f, "{year}-{month:02}-{day:02} ")?;
        }
        write!(f, "{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }
}

/// Returns year, month and day in the Gregorian calendar of a day since the Unix epoch.
///
/// It counts in years that begin in March, so that the leap day is the last of its year, and in
/// eras of 400 years, which all have the same number of days.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    // From the first of March of the year 0.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// Displays a duration with at most two units: `3d 4h`, `2m 5s`, `1.2s`.
pub(super) struct HumanDuration(pub(super) Duration);

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        match seconds {
            0..10 => write!(f, "{}.{}s", seconds, self.0.subsec_millis() / 100),
            10..60 => write!(f, "{seconds}s"),
            60..3600 => write!(f, "{minutes}m {}s", seconds % 60),
            3600..86_400 => write!(f, "{hours}h {minutes}m"),
            _ => write!(f, "{days}d {hours}h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_709_164_800, "2024-02-29 00:00:00"),
            (1_735_689_599, "2024-12-31 23:59:59"),
            (1_767_225_600, "2026-01-01 00:00:00"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(WallTime::full(time).to_string(), text);
        }
        let time = UNIX_EPOCH + Duration::from_secs(86_399);
        assert_eq!(WallTime::short(time, UNIX_EPOCH).to_string(), "23:59:59");
        let next = UNIX_EPOCH + Duration::from_secs(86_400);
        assert_eq!(WallTime::short(next, UNIX_EPOCH).to_string(), "1970-01-02 00:00:00");
    }
}
