//! Compression of response bodies.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

/// Shorter bodies are not compressed: the gain is small, and costs CPU on both sides.
const MIN_COMPRESSED_BYTES: usize = 1024;

/// Compresses a body. Returns the body, and whether it is compressed: it is not if it is short, or
/// if that would not save bytes.
pub(crate) fn gzip(plain: Vec<u8>) -> (Vec<u8>, bool) {
    if plain.len() < MIN_COMPRESSED_BYTES {
        return (plain, false);
    }
    // Metrics are so repetitive that higher levels gain little over the fastest.
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    let compressed = encoder.write_all(&plain).and_then(|()| encoder.finish());
    match compressed {
        Ok(compressed) if compressed.len() < plain.len() => (compressed, true),
        _ => (plain, false),
    }
}
