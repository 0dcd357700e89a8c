//! The errors: an invalid value, a lock that cannot be reached, a term that is over.

use std::{error::Error, fmt, time::Duration};

/// An invalid value, rejected by a constructor of this crate.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LeaderError(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("retry of {0:?} is shorter than 10ms")]
    Retry(Duration),
    #[error("deadline of {deadline:?} is shorter than two retries of {retry:?}")]
    Deadline { deadline: Duration, retry: Duration },
    #[error(
        "lease of {lease:?} is not from 1s more than the deadline of {deadline:?} to a day long"
    )]
    Lease { lease: Duration, deadline: Duration },
    #[cfg(all(feature = "file", unix))]
    #[error("path `{0}` of a lock has no file name")]
    Path(String),
    #[cfg(feature = "postgres")]
    #[error("name {0:?} of a lock is empty or has a NUL")]
    LockName(String),
    #[cfg(feature = "postgres")]
    #[error(
        "table {0:?} is not `name` or `schema.name`, of at most 63 lower-case letters, digits and \
         underscores each"
    )]
    Table(String),
}

/// The error of an attempt to reach a [`Register`](crate::Register).
///
/// Whether a write that failed with it was or will still be applied is not known.
#[derive(Debug)]
pub struct RegisterError {
    text: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl RegisterError {
    /// Creates an error without a cause.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), source: None }
    }

    /// Creates an error that says what failed, and why.
    pub fn because(
        text: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { text: text.into(), source: Some(source.into()) }
    }

    /// Returns the error with all its causes in one line.
    pub(crate) fn line(&self) -> String {
        let mut line = self.text.clone();
        let mut next = self.source();
        while let Some(cause) = next {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            next = cause.source();
        }
        line
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for RegisterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The error of work whose term is over: of [`Term::check`](crate::Term::check), and of a
/// task whose [losses](crate::OnLoss) are failures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("term {term} of lock `{lock}` is over: {why}")]
pub struct TermOver {
    pub(crate) lock: String,
    pub(crate) term: u64,
    pub(crate) why: &'static str,
}

impl TermOver {
    /// Returns the number of the term.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// Returns why it is over, in a few words.
    pub fn why(&self) -> &'static str {
        self.why
    }
}
