//! The table of what was checked and what was tested.

use std::fmt;

/// One row for each target and crate.
#[derive(Debug, Default)]
pub(crate) struct Record {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    target: String,
    package: String,
    checked: Verdict,
    tested: Verdict,
    /// How many tests passed.
    tests: usize,
}

/// What is known of one crate on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed(&'static str),
    Failed(String),
    /// This was not tried, for this reason.
    Not(String),
}

impl Record {
    /// Adds a crate that was checked, and not yet tested.
    pub(crate) fn checked(&mut self, target: &str, package: &str, checked: Verdict, why: &str) {
        let (target, package) = (target.to_owned(), package.to_owned());
        let tested = Verdict::Not(why.to_owned());
        self.rows.push(Row { target, package, checked, tested, tests: 0 });
    }

    /// Says of a crate that was checked how its tests ended.
    pub(crate) fn tested(&mut self, target: &str, package: &str, tested: Verdict, tests: usize) {
        let row = self.rows.iter_mut().find(|row| row.target == target && row.package == package);
        if let Some(row) = row {
            (row.tested, row.tests) = (tested, tests);
        }
    }

    /// What failed, in one line; nothing if everything passed or was not tried.
    pub(crate) fn failures(&self) -> Option<String> {
        let failed = |row: &Row| {
            let verdicts = [("check", &row.checked), ("tests", &row.tested)];
            let failed = verdicts.into_iter().filter(|(_, it)| matches!(it, Verdict::Failed(_)));
            let text = |(what, _)| format!("{} on {}: {what}", row.package, row.target);
            failed.map(text).collect::<Vec<_>>()
        };
        let failed: Vec<String> = self.rows.iter().flat_map(failed).collect();
        (!failed.is_empty()).then(|| failed.join("; "))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(how) => f.write_str(how),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
            Self::Not(why) => write!(f, "no: {why}"),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["target", "crate", "checked", "tests run", "tested"].map(str::to_owned);
        let row = |row: &Row| {
            let tests = if row.tests == 0 { "-".to_owned() } else { row.tests.to_string() };
            let (checked, tested) = (row.checked.to_string(), row.tested.to_string());
            [row.target.clone(), row.package.clone(), checked, tests, tested]
        };
        let lines: Vec<[String; 5]> =
            std::iter::once(head).chain(self.rows.iter().map(row)).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        for [target, package, checked, tests, tested] in &lines {
            let [first, second, third, fourth] = widths;
            writeln!(
                f,
                "{target:<first$}  {package:<second$}  {checked:<third$}  {tests:>fourth$}  {tested}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, Verdict};

    #[test]
    fn every_row_says_what_was_done_and_what_was_not() {
        let mut record = Record::default();
        record.checked("mac", "core", Verdict::Passed("yes"), "nothing here runs it");
        record.checked("musl", "core", Verdict::Passed("yes"), "");
        record.tested("musl", "core", Verdict::Passed("natively"), 12);
        assert_eq!(
            record.to_string(),
            "target  crate  checked  tests run  tested\n\
             mac     core   yes              -  no: nothing here runs it\n\
             musl    core   yes             12  natively\n"
        );
        assert_eq!(record.failures(), None);
    }

    #[test]
    fn every_failure_is_named_and_what_was_not_tried_is_none() {
        let mut record = Record::default();
        record.checked("a", "x", Verdict::Failed("one warning".to_owned()), "no");
        record.checked("b", "x", Verdict::Passed("yes"), "no");
        record.tested("b", "x", Verdict::Failed("2 tests".to_owned()), 7);
        assert_eq!(record.failures().unwrap(), "x on a: check; x on b: tests");
    }
}
