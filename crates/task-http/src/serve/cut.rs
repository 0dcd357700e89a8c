//! The responses that a stop cuts: those that were not sent in full by the stop timeout.

use std::fmt;

use crate::activity::{Activity, Unanswered};

/// How many are named. The others are counted.
const MAX_NAMED: usize = 5;

/// The responses that were cut.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    /// Those of user routes come first.
    named: Vec<Unanswered>,
    count: u64,
    /// How many of them are those of user routes, and not of endpoints.
    of_routes: u64,
}

impl Cut {
    /// Adds the response that a connection has not sent in full, if there is one.
    pub(super) fn add(&mut self, activity: &Activity) {
        let Some(unanswered) = activity.unanswered() else { return };
        self.count += 1;
        self.of_routes += u64::from(unanswered.is_of_route);
        self.named.push(unanswered);
        // Stable, and oldest first among those of a kind.
        self.named.sort_by_key(|cut| (!cut.is_of_route, std::cmp::Reverse(cut.age)));
        self.named.truncate(MAX_NAMED);
    }

    /// Returns whether nothing was cut.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns whether a response of a user route was cut.
    pub(crate) fn has_routes(&self) -> bool {
        self.of_routes > 0
    }
}

/// One line: how many, which, and for how long they had been in progress.
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.count == 1 { "response" } else { "responses" };
        write!(f, "{} {noun} cut at the stop:", self.count)?;
        for (index, cut) in self.named.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma} {} after {:.1} s", cut.name, cut.age.as_secs_f64())?;
        }
        match self.count - self.named.len() as u64 {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}
