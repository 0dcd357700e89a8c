//! Names as label values: short enough, and not too many.

use std::collections::HashMap;

/// How many names have series of their own.
const NAMES: usize = 200;
/// How many bytes of a name make it into a label.
const NAME_BYTES: usize = 64;
const OTHER: &str = "other";

/// One `T` for each name, as far as there is room, and one for all others together.
pub(super) struct Labels<'a, T> {
    places: HashMap<&'a str, usize>,
    rows: Vec<(&'a str, T)>,
    other: Option<T>,
}

impl<'a, T: Default> Labels<'a, T> {
    pub(super) fn new() -> Self {
        Self { places: HashMap::new(), rows: Vec::new(), other: None }
    }

    /// Returns what belongs to a name: its own, that of all names which are the same once cut, or that of the others.
    pub(super) fn entry(&mut self, name: &'a str) -> &mut T {
        let label = cut(name);
        if let Some(place) = self.places.get(label) {
            return &mut self.rows[*place].1;
        }
        // A task that is really called so is one of the others.
        if self.rows.len() == NAMES || label == OTHER {
            return self.other();
        }
        self.places.insert(label, self.rows.len());
        self.rows.push((label, T::default()));
        // It was just pushed.
        let last = self.rows.len() - 1;
        &mut self.rows[last].1
    }

    /// Returns what belongs to all names that there is no room for.
    pub(super) fn other(&mut self) -> &mut T {
        self.other.get_or_insert_default()
    }

    /// Returns all by their names, the others last.
    pub(super) fn sorted(mut self) -> Vec<(&'a str, T)> {
        self.rows.sort_unstable_by_key(|(label, _)| *label);
        if let Some(other) = self.other {
            self.rows.push((OTHER, other));
        }
        self.rows
    }
}

fn cut(name: &str) -> &str {
    if name.len() <= NAME_BYTES {
        return name;
    }
    // `floor_char_boundary` is newer than our MSRV.
    let end = (0..=NAME_BYTES).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    &name[..end]
}
