//! Phases, counts and durations as people read them.

use std::{fmt, time::Duration};

use task_core::Phase;

/// Displays the name of a phase, or its number if it has no name.
pub(super) struct PhaseName(pub(super) Phase);

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Phase::INGRESS => f.write_str("ingress"),
            Phase::WORK => f.write_str("work"),
            Phase::SUPPORT => f.write_str("support"),
            other => other.number().fmt(f),
        }
    }
}

/// Displays a count, and nothing for zero.
pub(super) struct NonZero(pub(super) u32);

impl fmt::Display for NonZero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 { self.0.fmt(f) } else { Ok(()) }
    }
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
