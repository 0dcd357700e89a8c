//! A value of a manifest, and where it stands.

use std::time::Duration;

use task_core::scope::guarded_name;

use super::yaml::Node;

/// A value, its document, counted from 1, and its path there.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub(super) document: usize,
    pub(super) node: &'a Node,
    pub(super) path: String,
}

impl<'a> Place<'a> {
    /// Returns the value at a path of keys, joined by dots.
    pub(super) fn at(&self, path: &str) -> Option<Self> {
        let node = path.split('.').try_fold(self.node, |node, key| node.get(key))?;
        let dot = if self.path.is_empty() { "" } else { "." };
        Some(Self { document: self.document, node, path: format!("{}{dot}{path}", self.path) })
    }

    /// The same, or this value if there is none.
    pub(super) fn at_or_here(&self, path: &str) -> Self {
        self.at(path).unwrap_or_else(|| self.clone())
    }

    /// Returns the values of the list at a path.
    pub(super) fn list(&self, path: &str) -> Vec<Self> {
        let Some(list) = self.at(path) else { return Vec::new() };
        let item = |(index, node)| Self {
            document: list.document,
            node,
            path: format!("{}[{index}]", list.path),
        };
        list.node.nodes().iter().enumerate().map(item).collect()
    }

    pub(super) fn text(&self, path: &str) -> Option<&'a str> {
        self.at(path)?.node.text()
    }

    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    pub(super) fn is_true(&self, path: &str) -> bool {
        self.text(path) == Some("true")
    }

    pub(super) fn seconds(&self, path: &str, default: u64) -> Duration {
        Duration::from_secs(self.number(path).unwrap_or(default))
    }

    /// Returns the words of the list at a path.
    pub(super) fn words(&self, path: &str) -> Vec<&'a str> {
        let Some(list) = self.at(path) else { return Vec::new() };
        list.node.nodes().iter().filter_map(Node::text).collect()
    }
}

/// A text of the manifest, as it stands in a sentence.
pub(super) fn shown(text: &str) -> String {
    format!("`{}`", guarded_name(text))
}
