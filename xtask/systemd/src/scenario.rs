//! A scenario: a sentence of the docs, and how it is shown.

use anyhow::Result;

use crate::trial::Trial;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What it shows, as in the table of the crate's docs.
    pub(crate) shows: &'static str,
    /// Whether it belongs to the quick form.
    pub(crate) is_quick: bool,
    /// The first version of systemd that has what it takes.
    pub(crate) since: u32,
    /// Whether it is played alone: it measures.
    pub(crate) is_alone: bool,
    /// Returns what was seen, in a few words.
    pub(crate) run: fn(&Trial<'_>) -> Result<String>,
}

impl Scenario {
    pub(crate) const fn new(
        name: &'static str,
        shows: &'static str,
        run: fn(&Trial<'_>) -> Result<String>,
    ) -> Self {
        Self { name, shows, is_quick: true, since: 0, is_alone: false, run }
    }

    /// Takes a version.
    pub(crate) const fn since(self, since: u32) -> Self {
        Self { since, ..self }
    }

    /// Is no part of the quick form.
    pub(crate) const fn long(self) -> Self {
        Self { is_quick: false, ..self }
    }

    pub(crate) const fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }
}
