//! Writing to stderr without the panic that `eprintln!` has for a closed one.

use std::io::{Write, stderr};

/// Writes one text and a newline; whatever goes wrong with that is nobody's business any more.
pub(crate) fn write(text: &str) {
    let _ = stderr().lock().write_all(format!("{text}\n").as_bytes());
}
