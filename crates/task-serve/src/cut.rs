//! What a stop cuts: the requests without their whole answer, and the connections that had begun
//! something else.

use std::{collections::HashMap, fmt, time::Duration};

use task_core::scope::guarded_name;

/// How many kinds are named. The others are counted.
const MAX_NAMED: usize = 5;

/// How many kinds are told apart.
const MAX_KINDS: usize = 256;

/// How many bytes of a method and of a path are shown.
const MAX_METHOD: usize = 16;
const MAX_PATH: usize = 100;

/// Connections that were cut, by what they were doing.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    kinds: HashMap<String, Kind>,
    count: u64,
    /// How many of them had a request.
    requests: u64,
}

#[derive(Debug)]
struct Kind {
    count: u64,
    oldest: Duration,
    is_request: bool,
}

impl Cut {
    /// Adds one of a kind, which had begun so long ago.
    pub(crate) fn add(&mut self, name: String, age: Duration, is_request: bool) {
        self.count += 1;
        self.requests += u64::from(is_request);
        if self.kinds.len() < MAX_KINDS || self.kinds.contains_key(&name) {
            let new = Kind { count: 0, oldest: Duration::ZERO, is_request };
            let kind = self.kinds.entry(name).or_insert(new);
            kind.count += 1;
            kind.oldest = kind.oldest.max(age);
        }
    }

    /// Returns how many connections and requests were cut.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Returns whether a request was cut, or an upgraded connection.
    pub(crate) fn has_requests(&self) -> bool {
        self.requests > 0
    }
}

/// One line: `3 connections cut: 2 SSE /events (40 s), 1 POST /import (12 s)`.
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        // Requests first, then what there is most of, then the oldest.
        kinds.sort_by(|(name, kind), (other_name, other)| {
            let key = |kind: &Kind| (kind.is_request, kind.count, kind.oldest);
            key(other).cmp(&key(kind)).then(name.cmp(other_name))
        });
        let noun = if self.count == 1 { "connection" } else { "connections" };
        write!(f, "{} {noun} cut:", self.count)?;
        let mut named = 0;
        for (index, (name, kind)) in kinds.into_iter().take(MAX_NAMED).enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma} {} {name} ({})", kind.count, short(kind.oldest))?;
            named += kind.count;
        }
        match self.count - named {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

/// Returns a length of time as people write it: `0.4 s`, `12 s`.
pub(crate) fn short(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    if seconds < 9.95 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}

/// Returns method and path, escaped and bounded. The query may be a secret.
pub(crate) fn request_name(method: &str, path: &str) -> String {
    format!("{} {}", shortened(method, MAX_METHOD), shortened(path, MAX_PATH))
}

/// Returns the beginning of a text that a client has sent, for one line of a log or a report.
fn shortened(text: &str, max: usize) -> String {
    let short: String = text.chars().take(max).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    guarded_name(&short) + more
}
