//! The sources of the manager use the monotonic clock for every decision.

use std::{fs, path::Path};

/// Returns every Rust source below a folder, with its path.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    sources
}

/// FAILURES 44.
#[test]
fn the_wall_clock_is_read_only_to_record_the_trigger() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = sources(&folder);
    assert!(sources.len() > 20);
    for (path, text) in sources {
        let reads = text.matches("SystemTime::now").count();
        let is_record = path.ends_with("record.rs");
        assert_eq!(reads, usize::from(is_record), "{path}: only a record has a time of day");
    }
}
