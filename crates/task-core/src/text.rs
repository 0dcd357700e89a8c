//! What goes into a line of a log or a report: foreign text, as one line, bounded, whatever its
//! `Display` does; and lengths of time.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::panics::catch;

/// How many bytes of a text are kept, of an error with all its causes.
const MAX_TEXT: usize = 16 << 10;
/// How many bytes of a name or a status are kept.
const MAX_NAME: usize = 4 << 10;
const CUT: &str = "... (cut)";

/// Formats what foreign code displays, such as an error, for one line of a log or a report.
///
/// Characters that would begin a new line, move the cursor or change the order of what others show
/// are escaped (`\n`, `\u{1b}`), so that no text can forge a line beside its own. At most 16 KiB
/// are kept, followed by `... (cut)`; the formatting ends there, so an endless chain of errors ends
/// as well. A `Display` that panics is replaced by a placeholder.
///
/// # Examples
///
/// ```
/// use task_core::scope::guarded_text;
///
/// assert_eq!(guarded_text("disk\nfull \u{1b}[2J"), r"disk\nfull \u{1b}[2J");
/// assert_eq!(guarded_text("x".repeat(20_000)).len(), 16_384 + "... (cut)".len());
/// ```
pub fn guarded_text(text: impl fmt::Display) -> String {
    one_line(text, MAX_TEXT)
}

/// As [`guarded_text`], for a name or a status: at most 4 KiB are kept.
pub fn guarded_name(name: &str) -> String {
    one_line(name, MAX_NAME)
}

/// Returns a length of time in seconds, with the digits that mean something: rounded to a
/// millisecond, and if it is shorter than 10 ms, to a microsecond.
///
/// The log events and the data of the crates here give lengths of time in this form.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_core::scope::seconds;
///
/// assert_eq!(seconds(Duration::from_nanos(1_876_925_041)), 1.877);
/// assert_eq!(seconds(Duration::from_nanos(312_499)), 0.000312);
/// ```
pub fn seconds(length: Duration) -> f64 {
    // Whole numbers up to the division, whose result is then the closest to the decimal number.
    let rounded = |unit: u128| (length.as_nanos() + unit / 2) / unit;
    match length.as_millis() {
        0..10 => rounded(1_000) as f64 / 1e6,
        _ => rounded(1_000_000) as f64 / 1e3,
    }
}

fn one_line(text: impl fmt::Display, max: usize) -> String {
    let mut line = OneLine { text: String::new(), max, is_cut: false };
    let displayed = catch(|| {
        // An error is either the cut's, or that of a `Display` which has nothing to add.
        let _ = write!(line, "{text}");
    });
    match displayed {
        Ok(()) if line.is_cut => line.text + CUT,
        Ok(()) => line.text,
        Err(_) => String::from("(its Display panicked)"),
    }
}

/// Takes text up to its limit, and is an error beyond, which ends the formatting.
struct OneLine {
    text: String,
    max: usize,
    is_cut: bool,
}

impl fmt::Write for OneLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| self.write_char(character))
    }

    fn write_char(&mut self, character: char) -> fmt::Result {
        let before = self.text.len();
        if is_unsafe(character) {
            // Of what is escaped here, `escape_debug` would show some as it is.
            match character {
                '\n' | '\r' | '\t' => self.text.extend(character.escape_default()),
                _ => self.text.extend(character.escape_unicode()),
            }
        } else {
            self.text.push(character);
        }
        if self.is_cut || self.text.len() > self.max {
            self.text.truncate(before);
            self.is_cut = true;
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// Returns whether a character may change how others are shown: controls, separators of lines and
/// paragraphs, and marks of the direction of writing.
fn is_unsafe(character: char) -> bool {
    let is_mark = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || is_mark
}
