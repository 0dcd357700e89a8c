//! The message that a process leaves behind in a file, which says why it ended.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::{fs, io};

use crate::panics::catch;

/// How many bytes a message has at most: Kubernetes reads no more of one.
const MAX_MESSAGE: usize = 4096;
const CUT: &str = "...\n";

/// Returns a text as the message of a process that ends: lines, the last of which ends as well, of
/// at most 4,096 bytes.
///
/// What is too long is cut at a character, and ends with `...`. The formatting ends there. Foreign
/// text in it is to be [guarded](super::scope::guarded_text). Of a `Display` that panics, what it
/// wrote before is left.
///
/// # Examples
///
/// ```
/// use task_core::scope::ending_message;
///
/// assert_eq!(ending_message("exit code 1"), "exit code 1\n");
/// let message = ending_message("ü".repeat(3_000));
/// assert!(message.len() <= 4_096 && message.ends_with("ü...\n"));
/// ```
pub fn ending_message(text: impl fmt::Display) -> String {
    let mut message = Message { text: String::new(), is_cut: false };
    // An error is either the cut's, or that of a `Display` which has nothing to add.
    let _ = catch(|| {
        let _ = write!(message, "{text}");
    });
    if !message.text.ends_with('\n') {
        // An error is the cut's.
        let _ = message.write_char('\n');
    }
    message.text
}

/// Writes an [`ending_message`] to a file, in place of what it has. It is created if need be.
///
/// Nothing but a regular file is written to, so that this waits for no reader of a pipe. The file
/// is written in place, and not replaced, since that of a container belongs to its host. This
/// blocks as long as the file system does: call it by
/// [`run_with_timeout`](super::scope::run_with_timeout).
///
/// # Errors
///
/// If there is something else in its place, such as a folder or a pipe, or if the file cannot be
/// written.
pub fn write_ending_message(path: &Path, text: impl fmt::Display) -> io::Result<()> {
    // Looking does not open it, and the open of a pipe would wait for a reader. One that is put
    // there in between only makes the caller's time run out.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    fs::write(path, ending_message(text))
}

/// Takes text up to its limit, and is an error beyond, which ends the formatting.
struct Message {
    text: String,
    is_cut: bool,
}

impl fmt::Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let room = MAX_MESSAGE - self.text.len();
        if text.len() <= room {
            self.text.push_str(text);
            return Ok(());
        }
        // What is beyond the room decides only that there is a cut.
        let fits = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(&text[..fits]);
        let most = MAX_MESSAGE - CUT.len();
        let most = (0..=most).rev().find(|end| self.text.is_char_boundary(*end)).unwrap_or(0);
        self.text.truncate(most);
        self.text.push_str(CUT);
        self.is_cut = true;
        Err(fmt::Error)
    }
}
