//! Names as label values, with a limit for their length and their number.

use std::collections::HashMap;

/// How many names have series of their own.
const MAX_NAMES: usize = 200;
/// How many bytes of a name are used in a label.
const MAX_NAME_BYTES: usize = 64;
/// The label of all names beyond the limit.
const OTHER: &str = "other";

/// One `T` for each name within the limit, and one for all others together.
pub(super) struct Labels<'a, T> {
    places: HashMap<&'a str, usize>,
    rows: Vec<(&'a str, T)>,
    other: Option<T>,
}

impl<'a, T: Default> Labels<'a, T> {
    /// Makes an empty collection.
    pub(super) fn new() -> Self {
        Self { places: HashMap::new(), rows: Vec::new(), other: None }
    }

    /// Returns the `T` of a name. Names that are equal once cut share one; a name beyond the limit
    /// has that of the others.
    pub(super) fn entry(&mut self, name: &'a str) -> &mut T {
        let label = cut(name);
        if let Some(place) = self.places.get(label) {
            return &mut self.rows[*place].1;
        }
        // A task whose name is `other` counts with the others.
        if self.rows.len() == MAX_NAMES || label == OTHER {
            return self.other();
        }
        self.places.insert(label, self.rows.len());
        self.rows.push((label, T::default()));
        let last = self.rows.len() - 1;
        &mut self.rows[last].1
    }

    /// Returns the `T` of all names beyond the limit.
    pub(super) fn other(&mut self) -> &mut T {
        self.other.get_or_insert_default()
    }

    /// Returns all in the order of their names, the others last.
    pub(super) fn sorted(mut self) -> Vec<(&'a str, T)> {
        self.rows.sort_unstable_by_key(|(label, _)| *label);
        if let Some(other) = self.other {
            self.rows.push((OTHER, other));
        }
        self.rows
    }
}

/// Cuts a name to the limit, at a character boundary.
fn cut(name: &str) -> &str {
    if name.len() <= MAX_NAME_BYTES {
        return name;
    }
    // `floor_char_boundary` is newer than the MSRV.
    let end = (0..=MAX_NAME_BYTES).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    &name[..end]
}
