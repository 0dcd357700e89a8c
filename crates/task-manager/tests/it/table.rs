//! That `tests/README.md` tells the truth about which tests there are.

use std::{collections::BTreeSet, fs, path::Path};

const README: &str = include_str!("../README.md");

/// Every Rust source below a folder of this package, with its path.
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

/// The rows below a heading, as their number and their last column.
fn rows(heading: &str) -> Vec<(u32, &'static str)> {
    let section = README.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let (number, rest) = line.strip_prefix("| ")?.split_once(" |")?;
        let tests = rest.trim_end_matches(" |").rsplit_once('|')?.1;
        Some((number.parse().ok()?, tests))
    });
    rows.collect()
}

#[test]
fn every_test_that_the_table_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [folder.join("tests"), folder.join("src")];
    let tests = folders.iter().flat_map(|folder| sources(folder));
    let tests: String = tests.map(|(_, text)| text).collect();
    let tables = README.lines().filter(|line| line.starts_with("| "));
    let named: BTreeSet<&str> = tables
        .filter_map(|row| row.trim_end_matches(" |").rsplit('|').next())
        .flat_map(|tests| tests.split('`').skip(1).step_by(2))
        .filter(|name| name.contains('_') && !name.contains(' '))
        .collect();
    assert!(named.len() > 170, "{}", named.len());
    let missing: Vec<_> =
        named.into_iter().filter(|name| !tests.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_invariant_and_every_failure_of_the_manager_has_its_row() {
    let numbers = |heading| rows(heading).into_iter().map(|(number, _)| number);
    assert!(numbers("## Invariants").eq(1..=12));
    assert!(numbers("## Failures").eq((1..=56).chain([71, 72, 74, 75])));
}

#[test]
fn no_source_reads_the_wall_clock() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = sources(&folder);
    assert!(sources.len() > 20);
    for (path, text) in sources {
        let looks = text.matches("SystemTime::now").count();
        let is_record = path.ends_with("record.rs");
        assert_eq!(
            looks,
            usize::from(is_record),
            "{path}: one look, for what a trigger is called outside"
        );
    }
}
