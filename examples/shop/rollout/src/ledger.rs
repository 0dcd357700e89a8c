//! The `POST`s as both sides saw them: what clients sent and had answered, and what servers did.

use std::collections::HashMap;

use serde_json::{Value, json};

/// A `POST` with a unique id, as its client saw it.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) is_answered: bool,
}

/// The comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Posts {
    pub(crate) answered: u64,
    /// Not answered with 2xx: the client cannot know whether it was done.
    pub(crate) unknown: u64,
    /// Of these, what a server did.
    pub(crate) unknown_done: u64,
    /// Answered with 2xx, and no server did it.
    pub(crate) undone: u64,
    /// Done more than once.
    pub(crate) repeated: u64,
}

impl Posts {
    /// Compares what clients sent with how often the servers did each id.
    pub(crate) fn compare(sent: &[Post], done: &HashMap<String, u64>) -> Self {
        let mut posts = Self::default();
        for post in sent {
            let times = done.get(&post.id).copied().unwrap_or(0);
            posts.repeated += u64::from(times > 1);
            if post.is_answered {
                posts.answered += 1;
                posts.undone += u64::from(times == 0);
            } else {
                posts.unknown += 1;
                posts.unknown_done += u64::from(times > 0);
            }
        }
        posts
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.answered += other.answered;
        self.unknown += other.unknown;
        self.unknown_done += other.unknown_done;
        self.undone += other.undone;
        self.repeated += other.repeated;
    }

    pub(crate) fn json(self) -> Value {
        json!({
            "answered": self.answered,
            "unknown": self.unknown,
            "unknown_and_done": self.unknown_done,
            "answered_and_undone": self.undone,
            "done_twice": self.repeated,
        })
    }
}

/// Counts the lines of the file to which servers append an id when they do a `POST`.
pub(crate) fn done(lines: &str) -> HashMap<String, u64> {
    let mut done = HashMap::new();
    for id in lines.lines() {
        *done.entry(id.to_owned()).or_insert(0) += 1;
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_the_deed_and_a_deed_done_twice_are_found() {
        let post = |id: &str, is_answered| Post { id: id.to_owned(), is_answered };
        let sent = [
            post("kept", true),
            post("undone", true),
            post("unknown", false),
            post("done", false),
            post("repeated", true),
        ];
        let done = done("kept\ndone\nrepeated\nrepeated\n");
        assert_eq!(
            Posts::compare(&sent, &done),
            Posts { answered: 3, unknown: 2, unknown_done: 1, undone: 1, repeated: 1 }
        );
    }
}
