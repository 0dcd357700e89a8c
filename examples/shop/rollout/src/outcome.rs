//! What a request came to, and how often.

use serde_json::{Value, json};

/// What became of a request, or of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered with 2xx. For a stream: it ended with its proper end, or was open at the end.
    Answered,
    /// Written, and the connection was closed before a byte of the answer came.
    Lost,
    /// No connection.
    Refused,
    /// The server replied that it did not begin with the request. HTTP/2 has that (RFC 9113, 6.8),
    /// so that a client may send the request again elsewhere, as those of hyper and Go do.
    Unprocessed,
    /// Written, and the connection was reset before a byte of the answer came.
    Reset,
    /// Answered, but not with 2xx.
    Status(u16),
    /// A server that stops declined a new WebSocket with 503: the client goes elsewhere.
    Declined,
    /// The answer, or the stream, was begun and not ended.
    Cut,
    /// Not answered within the time limit of the client.
    Late,
}

impl Outcome {
    /// Whether the client has less than it was owed.
    pub(crate) fn is_failure(self) -> bool {
        !matches!(self, Self::Answered | Self::Declined)
    }
}

/// How often each outcome was seen by the clients of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    pub(crate) refused: u64,
    /// Not begun by several servers, one after the other.
    pub(crate) unprocessed: u64,
    pub(crate) reset: u64,
    pub(crate) not_2xx: u64,
    pub(crate) declined: u64,
    pub(crate) cut: u64,
    pub(crate) late: u64,
    /// The failures that the harness caused itself, because the machine was so busy that a pause,
    /// or the delay of the balancer, lasted longer than the drain. Each is counted above, too.
    pub(crate) overslept: u64,
    /// What was sent again because a server replied that it had not begun with it. The outcome of
    /// the last time is counted above.
    pub(crate) resent: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Answered => &mut self.answered,
            Outcome::Lost => &mut self.lost,
            Outcome::Refused => &mut self.refused,
            Outcome::Unprocessed => &mut self.unprocessed,
            Outcome::Reset => &mut self.reset,
            Outcome::Status(_) => &mut self.not_2xx,
            Outcome::Declined => &mut self.declined,
            Outcome::Cut => &mut self.cut,
            Outcome::Late => &mut self.late,
        } += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let Self {
            answered,
            lost,
            refused,
            unprocessed,
            reset,
            not_2xx,
            declined,
            cut,
            late,
            overslept,
            resent,
        } = other;
        self.answered += answered;
        self.lost += lost;
        self.refused += refused;
        self.unprocessed += unprocessed;
        self.reset += reset;
        self.not_2xx += not_2xx;
        self.declined += declined;
        self.cut += cut;
        self.late += late;
        self.overslept += overslept;
        self.resent += resent;
    }

    pub(crate) fn requests(&self) -> u64 {
        self.answered + self.declined + self.failures()
    }

    /// Returns the number of requests that failed.
    pub(crate) fn failures(&self) -> u64 {
        let Self { lost, refused, unprocessed, reset, not_2xx, cut, late, .. } = self;
        lost + refused + unprocessed + reset + not_2xx + cut + late
    }

    /// Returns the number of requests that failed although the promise covers them.
    pub(crate) fn broken(&self) -> u64 {
        self.failures().saturating_sub(self.overslept)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "requests": self.requests(),
            "answered": self.answered,
            "lost": self.lost,
            "refused": self.refused,
            "unprocessed": self.unprocessed,
            "resent": self.resent,
            "reset": self.reset,
            "not_2xx": self.not_2xx,
            "declined": self.declined,
            "cut": self.cut,
            "late": self.late,
            "overslept": self.overslept,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_counted_once_and_merged() {
        let outcomes = [
            Outcome::Answered,
            Outcome::Lost,
            Outcome::Refused,
            Outcome::Unprocessed,
            Outcome::Reset,
            Outcome::Status(502),
            Outcome::Declined,
            Outcome::Cut,
            Outcome::Late,
        ];
        let mut counts = Counts::default();
        let mut failures = 0;
        // Each as often as no other, so that a mix-up is seen.
        for (times, outcome) in (1..).zip(outcomes) {
            (0..times).for_each(|_| counts.add(outcome));
            failures += if outcome.is_failure() { times } else { 0 };
        }
        counts.overslept = 10;
        counts.resent = 11;
        assert_eq!((counts.requests(), counts.failures(), failures), (45, 37, 37));
        assert_eq!(counts.broken(), 27);
        let mut twice = counts.clone();
        twice.merge(&counts);
        let (once, twice) = (counts.json(), twice.json());
        for (name, count) in once.as_object().unwrap() {
            assert_eq!(twice[name].as_u64(), count.as_u64().map(|count| 2 * count), "{name}");
        }
    }
}
