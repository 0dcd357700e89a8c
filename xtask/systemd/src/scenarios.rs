//! All scenarios.

mod ends;
mod reloads;
mod sockets;
mod starts;
mod stops;
mod units;
mod watchdogs;

use crate::scenario::Scenario;

/// A new scenario is one entry of a list.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    let lists = [
        starts::LIST,
        stops::LIST,
        watchdogs::LIST,
        reloads::LIST,
        sockets::LIST,
        ends::LIST,
        units::LIST,
    ];
    lists.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::all;

    const DOCS: &str = include_str!("../../../crates/task-systemd/src/lib.rs");
    const HEAD: &str = "//! | what is promised | scenario |";

    #[test]
    fn the_table_of_the_docs_has_each_scenario_with_the_version_that_it_takes() {
        let rows = DOCS.lines().skip_while(|line| *line != HEAD).skip(2);
        let rows = rows.take_while(|line| line.starts_with("//! |"));
        let mut documented = BTreeSet::new();
        for cell in rows.filter_map(|row| row.rsplit('|').nth(1)) {
            // Every other part is a name, and the one behind it begins with the version.
            let parts: Vec<_> = cell.split('`').collect();
            for pair in parts[1..].chunks(2) {
                let version = pair[1].strip_prefix(" (").and_then(|rest| rest.split(')').next());
                documented.insert((pair[0], version.map_or(0, |version| version.parse().unwrap())));
            }
        }
        let played: BTreeSet<_> = all().map(|scenario| (scenario.name, scenario.since)).collect();
        assert_eq!(documented, played);
    }
}
