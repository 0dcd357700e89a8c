//! What is wrong with a manifest, and where.

use std::fmt;

use super::place::Place;

/// What is wrong with a manifest for a service: see [`Manifest::check`](super::Manifest::check).
///
/// `Display` is one line, which a program puts behind the name of the file and a colon, as
/// compilers do:
///
/// ```text
/// 20: error: spec.template.spec.terminationGracePeriodSeconds: the pod is killed after 20 s, and
/// its stop takes up to 27 s: 25 s of the shutdown, 2 s for the end [grace]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFinding {
    rule: &'static str,
    is_error: bool,
    document: usize,
    line: usize,
    path: String,
    text: String,
}

impl ManifestFinding {
    /// Returns the name of the rule: one of the [table](super::Manifest::check).
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// Returns whether it is an error: requests or work are lost, or the service does not start or
    /// stop as it should. Otherwise it is an advice.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// Returns the document of the text in which it is, counted from 1; empty ones do not count.
    pub fn document(&self) -> usize {
        self.document
    }

    /// Returns the line on which the value begins that is wrong, counted from 1, or where something
    /// is missing that of what lacks it.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the path of the field within its object: `spec.template.spec`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for ManifestFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, is_error, line, path, text, .. } = self;
        let kind = if *is_error { "error" } else { "advice" };
        let colon = if path.is_empty() { "" } else { ": " };
        write!(f, "{line}: {kind}: {path}{colon}{text} [{rule}]")
    }
}

/// Collects findings.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<ManifestFinding>);

impl Findings {
    pub(super) fn error(&mut self, rule: &'static str, place: &Place<'_>, text: impl Into<String>) {
        self.add(rule, true, place, text.into());
    }

    pub(super) fn advice(
        &mut self,
        rule: &'static str,
        place: &Place<'_>,
        text: impl Into<String>,
    ) {
        self.add(rule, false, place, text.into());
    }

    fn add(&mut self, rule: &'static str, is_error: bool, place: &Place<'_>, text: String) {
        let Place { document, node, path } = place;
        let path = path.clone();
        let line = node.line;
        self.0.push(ManifestFinding { rule, is_error, document: *document, line, path, text });
    }

    /// Returns them in the order of the text.
    pub(super) fn ordered(mut self) -> Vec<ManifestFinding> {
        self.0.sort_by_key(|finding| finding.line);
        self.0
    }
}
