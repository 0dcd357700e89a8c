//! Lengths of time in the texts.

use std::fmt;
use std::time::Duration;

/// A length of time with the digits that matter: `0.3 ms`, `41 ms`, `19.25 s`, `5 min 20 s`,
/// `7 h 05 min`, `12 d 03 h`. In whole numbers: to print a floating-point one takes 15 KiB of code.
pub(crate) struct Length(pub(crate) Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // To the nearest, and of two that are as near to the even one.
        let rounded = |unit: u128| {
            let (whole, rest) = (self.0.as_nanos() / unit, self.0.as_nanos() % unit);
            whole + u128::from(2 * rest + whole % 2 > unit)
        };
        let text = match self.0.as_secs() {
            0 if self.0.as_millis() == 0 => {
                let tenths = rounded(100_000);
                format!("{}.{} ms", tenths / 10, tenths % 10)
            }
            0 => format!("{} ms", rounded(1_000_000)),
            1..100 => {
                let hundredths = rounded(10_000_000);
                format!("{}.{:02} s", hundredths / 100, hundredths % 100)
            }
            whole @ 100..6_000 => format!("{} min {:02} s", whole / 60, whole % 60),
            whole @ 6_000..360_000 => format!("{} h {:02} min", whole / 3_600, whole / 60 % 60),
            whole => format!("{} d {:02} h", whole / 86_400, whole / 3_600 % 24),
        };
        f.pad(&text)
    }
}
