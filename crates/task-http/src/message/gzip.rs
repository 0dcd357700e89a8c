//! Compression of what is worth it.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

/// Below this, the gain is not worth a client's while.
const WORTHWHILE: usize = 1024;

/// Compresses a body, or returns it as it was if that gains nothing. The flag tells which.
pub(crate) fn gzip(plain: Vec<u8>) -> (Vec<u8>, bool) {
    if plain.len() < WORTHWHILE {
        return (plain, false);
    }
    // Metrics repeat themselves so much that the fastest level does nearly all there is to do.
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    let compressed = encoder.write_all(&plain).and_then(|()| encoder.finish());
    match compressed {
        Ok(compressed) if compressed.len() < plain.len() => (compressed, true),
        _ => (plain, false),
    }
}
