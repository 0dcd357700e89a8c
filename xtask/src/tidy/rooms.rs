//! The rule about the rooms of a crate: references between them run downward only.
//!
//! The `mod` lines of a crate's root stand in reading order, and each paragraph of them is a room.
//! A module, with all that is below it, refers to its own room and to those further down. An
//! `impl` block stands in the room of its type, unless it gives the type a trait of its own room.

mod modules;
mod paths;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::toml;
use super::tree::{Finding, Tree, folder, join};
use modules::{Impl, Module};

/// What holds of a module however the rooms are ordered.
struct Promise {
    root: &'static str,
    module: &'static str,
    uses: Uses,
}

enum Uses {
    /// Nothing of these modules.
    Without(&'static [&'static str]),
    /// Nothing of its own crate, and of the dependencies these.
    Only(&'static [&'static str]),
}

// That these modules exist is a test of the whole tree.
const PROMISES: &[Promise] = &[
    Promise {
        root: "crates/task-manager/src/lib.rs",
        module: "threads",
        uses: Uses::Without(&["api", "group"]),
    },
    Promise {
        root: "crates/task-manager/src/lib.rs",
        module: "lifecycle",
        uses: Uses::Only(&["task_core"]),
    },
];

pub(crate) fn downward(tree: &Tree) -> Vec<Finding> {
    let roots = tree
        .files()
        .filter(|(path, _)| path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs"));
    roots.flat_map(|(root, text)| Crate::read(tree, root, text).findings()).collect()
}

/// A crate with its rooms.
struct Crate<'a> {
    root: &'a str,
    modules: Vec<Module<'a>>,
    /// The modules of each room, in reading order.
    rooms: Vec<Vec<&'a str>>,
    /// The top modules that names at the root of the crate come from.
    exports: BTreeMap<String, String>,
    /// The names of its dependencies in paths.
    dependencies: Vec<String>,
}

impl<'a> Crate<'a> {
    fn read(tree: &'a Tree, root: &'a str, text: &str) -> Self {
        let modules = modules::read(tree, root);
        let names = &modules[0].names;
        let mut rooms: Vec<Vec<&str>> = Vec::new();
        let lines: Vec<&str> = text.lines().collect();
        let mut last = 0;
        for (name, line, _) in &names.children {
            let is_apart = lines[last..*line].iter().any(|line| line.trim().is_empty());
            match rooms.last_mut().filter(|_| !is_apart) {
                Some(room) => room.push(name),
                None => rooms.push(vec![name]),
            }
            last = *line;
        }
        let is_top = |path: &[String]| {
            path.first()
                .filter(|first| rooms.iter().any(|room| room.contains(&first.as_str())))
                .cloned()
        };
        let exports = names.imports.iter();
        let exports =
            exports.filter_map(|(name, path)| Some((name.clone(), is_top(path)?))).collect();
        let manifest = join(folder(root), "../Cargo.toml");
        let manifest = manifest.and_then(|manifest| tree.text(&manifest)).unwrap_or_default();
        let entries = toml::entries(manifest).into_iter();
        let dependencies =
            entries.filter_map(|entry| Some(entry.dependency()?.replace('-', "_"))).collect();
        Self { root, modules, rooms, exports, dependencies }
    }

    fn findings(&self) -> Vec<Finding> {
        let inner = self.modules.iter().filter(|module| !module.path.is_empty());
        let found = inner.flat_map(|module| {
            let mut found = self.upward(module);
            found.extend(self.strays(module));
            found.extend(self.broken_promises(module));
            found
        });
        found.collect()
    }

    /// References to rooms above.
    fn upward(&self, module: &Module<'_>) -> Vec<Finding> {
        let Some(own) = self.room(&module.path[0]) else { return vec![] };
        let mut found = Vec::new();
        for (target, line) in &module.names.references {
            let Some(top) = self.top(target) else { continue };
            if self.room(top).is_some_and(|room| room < own) {
                let what = format!("room {} uses `{top}` above it", self.title(own));
                found.push(Finding::at(&module.file, *line, what));
            }
        }
        found.dedup();
        found
    }

    /// `impl` blocks of types that other rooms define.
    fn strays(&self, module: &Module<'_>) -> Vec<Finding> {
        let Some(own) = self.room(&module.path[0]) else { return vec![] };
        let mut found = Vec::new();
        for Impl { of, of_trait, line } in &module.names.impls {
            let Some(room) = self.home(module, of).filter(|room| *room != own) else { continue };
            let own_trait = of_trait.as_ref().and_then(|name| self.home(module, name));
            if own_trait != Some(own) {
                let (name, here, there) = (of.join("::"), self.title(own), self.title(room));
                let what = format!("room {here} has an `impl` of `{name}`, a type of room {there}");
                found.push(Finding::at(&module.file, *line, what));
            }
        }
        found
    }

    fn broken_promises(&self, module: &Module<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        let own = |promise: &&Promise| {
            promise.root == self.root && promise.module == module.path[0].as_str()
        };
        for Promise { module: name, uses, .. } in PROMISES.iter().filter(own) {
            let references = module.names.references.iter();
            let used = references.filter_map(|(target, line)| Some((self.top(target)?, *line)));
            let mut broken: Vec<_> = match uses {
                Uses::Without(refused) => used.filter(|(top, _)| refused.contains(top)).collect(),
                Uses::Only(_) => used.filter(|(top, _)| top != name).collect(),
            };
            if let Uses::Only(allowed) = uses {
                let foreign = module.names.foreign.iter();
                let foreign = foreign.map(|(first, line)| (first.as_str(), *line));
                let is_dependency =
                    |first: &str| self.dependencies.iter().any(|name| name == first);
                broken.extend(
                    foreign.filter(|(first, _)| is_dependency(first) && !allowed.contains(first)),
                );
            }
            found.extend(broken.into_iter().map(|(used, line)| {
                Finding::at(&module.file, line, format!("`{name}` may not use `{used}`"))
            }));
        }
        found.dedup();
        found
    }

    /// The place of the room of a top module, from 0 for the uppermost.
    fn room(&self, module: &str) -> Option<usize> {
        self.rooms.iter().position(|room| room.contains(&module))
    }

    fn title(&self, room: usize) -> String {
        match self.rooms[room].as_slice() {
            [one] => format!("`{one}`"),
            [one, two] => format!("`{one}`, `{two}`"),
            [first, .., last] => format!("`{first}` to `{last}`"),
            [] => String::new(),
        }
    }

    /// The top module that a path from the root leads to.
    fn top<'b>(&'b self, path: &'b [String]) -> Option<&'b str> {
        let first = path.first()?;
        if self.room(first).is_some() {
            return Some(first);
        }
        self.exports.get(first).map(String::as_str)
    }

    /// The room that defines a type or a trait, if this crate does.
    fn home(&self, module: &Module<'_>, path: &[String]) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        if let Some(target) = paths::absolute(path, &module.path) {
            return self.room(self.top(&target)?);
        }
        if rest.is_empty() && module.names.definitions.contains(&first.as_str()) {
            return self.room(&module.path[0]);
        }
        if let Some(target) = module.names.imports.get(first) {
            return self.room(self.top(target)?);
        }
        if self.is_child(module, first) {
            return self.room(&module.path[0]);
        }
        // It came by a glob, which names nothing: the crate must define it once.
        let mut definers =
            self.modules.iter().filter(|other| other.names.definitions.contains(&first.as_str()));
        let definer = definers.next().filter(|_| module.names.has_globs && rest.is_empty())?;
        if definers.next().is_some() { None } else { self.room(definer.path.first()?) }
    }

    fn is_child(&self, module: &Module<'_>, name: &str) -> bool {
        let is_below = |other: &Module<'_>| {
            other.path.len() == module.path.len() + 1
                && other.path.starts_with(&module.path)
                && other.path.last().is_some_and(|last| last == name)
        };
        self.modules.iter().any(is_below)
    }
}
