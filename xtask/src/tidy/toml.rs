//! The little of TOML that the rules ask of a manifest: which keys stand in which table.
//!
//! `cargo metadata` cannot answer them: it shows what a manifest means after inheritance, and the
//! rules are about what is written.

/// One `key = value`; a value that spans lines is given by its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) line: usize,
    /// `package`, `dependencies`, `target.'cfg(unix)'.dependencies`; empty before the first table.
    pub(crate) table: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

pub(crate) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut table = "";
    let mut entries = Vec::new();
    for (line, content) in text.lines().enumerate() {
        let content = content.trim();
        if let Some(name) = content.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            table = name;
        } else if let Some((key, value)) = content.split_once('=')
            && is_key(key.trim())
        {
            entries.push(Entry { line, table, key: key.trim(), value: value.trim() });
        }
    }
    entries
}

/// The value of a key, unquoted.
pub(crate) fn value<'a>(text: &'a str, table: &str, key: &str) -> Option<&'a str> {
    let entry = entries(text).into_iter().find(|entry| entry.table == table && entry.key == key)?;
    Some(entry.value.trim_matches('"'))
}

impl Entry<'_> {
    /// The dependency that this line asks for.
    pub(crate) fn dependency(&self) -> Option<&str> {
        let dependencies = self.table.rsplit('.').next()?.ends_with("dependencies");
        dependencies.then(|| self.key.split('.').next().unwrap_or(self.key))
    }

    /// Whether it says `workspace = true` in either way of writing.
    pub(crate) fn inherits(&self) -> bool {
        self.key.ends_with(".workspace") || self.value.contains("workspace = true")
    }
}

fn is_key(text: &str) -> bool {
    let allowed =
        |character: char| character.is_ascii_alphanumeric() || "-_.\"".contains(character);
    !text.is_empty() && text.chars().all(allowed)
}
