//! Lengths of time in the texts.

use std::fmt;
use std::time::Duration;

/// A length of time with the digits that matter: `0.3 ms`, `41 ms`, `19.25 s`, `5 min 20 s`,
/// `7 h 05 min`, `12 d 03 h`.
pub(crate) struct Length(pub(crate) Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let text = match self.0.as_secs() {
            0 if self.0.as_millis() == 0 => format!("{:.1} ms", seconds * 1e3),
            0 => format!("{:.0} ms", seconds * 1e3),
            1..100 => format!("{seconds:.2} s"),
            whole @ 100..6_000 => format!("{} min {:02} s", whole / 60, whole % 60),
            whole @ 6_000..360_000 => format!("{} h {:02} min", whole / 3_600, whole / 60 % 60),
            whole => format!("{} d {:02} h", whole / 86_400, whole / 3_600 % 24),
        };
        f.pad(&text)
    }
}
