//! What the text says, as the fields of one log event.

use super::display::shortened;
use super::steps::StepLine;
use super::timeline::Row;
use super::{Report, blocked, fold};

/// How many failures are in [`Facts::others`].
const MOST_OTHERS: usize = 20;

/// What the text of a report says beyond its numbers. Each is one line.
pub(crate) struct Facts {
    /// The failure that matters most.
    pub(crate) root: Option<String>,
    /// The others, in the order of the text, each cut as in the first line: all of them have events
    /// of their own.
    pub(crate) others: Option<String>,
    /// What blocked the runtime.
    pub(crate) blocked: Option<String>,
    /// How long each step and phase took and might take, and who ended last.
    pub(crate) phases: Option<String>,
    /// The tasks and cleanups that were slow or did not end cleanly, with their times.
    pub(crate) slow: Option<String>,
}

impl Report {
    pub(crate) fn facts(&self) -> Facts {
        let contents = &*self.0;
        let folds = fold(&contents.failures);
        let mut texts = folds.iter().map(|fold| fold.text(&contents.repeated));
        let root = texts.next();
        let mut others: Vec<_> = texts.take(MOST_OTHERS).map(|text| shortened(&text)).collect();
        let beyond = folds.iter().skip(1 + MOST_OTHERS).map(|fold| fold.failures.len() as u64);
        match beyond.sum::<u64>() + contents.omitted_failures {
            0 => {}
            more => others.push(format!("{more} more")),
        }
        let lines = contents.step_lines();
        let rows = contents.rows();
        let slow = rows.shown().filter(|row| row.is_notable(contents.slow()));
        let slow: Vec<_> = slow.map(Row::brief).collect();
        let phases: Vec<_> = lines.iter().map(StepLine::brief).collect();
        Facts {
            root,
            others: joined(&others),
            blocked: blocked(&contents.failures, &contents.repeated),
            phases: joined(&phases),
            slow: joined(&slow),
        }
    }
}

fn joined(texts: &[String]) -> Option<String> {
    Some(texts.join("; ")).filter(|_| !texts.is_empty())
}
