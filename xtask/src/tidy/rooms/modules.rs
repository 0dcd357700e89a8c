//! The module files of a crate, and what each of them names, defines and implements.

use std::collections::BTreeMap;

use super::super::rust::{Kind, Token, code};
use super::super::tree::{Tree, folder};
use super::paths::{Leaf, absolute, inline, tree_of_use};

/// One file of a crate.
pub(crate) struct Module<'a> {
    pub(crate) file: String,
    /// Its path from the root of the crate; empty for the root itself.
    pub(crate) path: Vec<String>,
    pub(crate) names: Names<'a>,
}

/// What stands in a file.
#[derive(Default)]
pub(crate) struct Names<'a> {
    /// `mod a;`, with the line, from 0, and the file that a `path` attribute names.
    pub(crate) children: Vec<(&'a str, usize, Option<&'a str>)>,
    /// Paths from the root of the crate that it refers to, with their lines.
    pub(crate) references: Vec<(Vec<String>, usize)>,
    /// First segments of paths that may be those of other crates.
    pub(crate) foreign: Vec<(String, usize)>,
    /// What each imported name stands for, from the root of the crate; empty if it is foreign.
    pub(crate) imports: BTreeMap<String, Vec<String>>,
    pub(crate) has_globs: bool,
    /// Types and traits.
    pub(crate) definitions: Vec<&'a str>,
    pub(crate) impls: Vec<Impl>,
}

/// The header of an `impl` block.
pub(crate) struct Impl {
    pub(crate) of: Vec<String>,
    pub(crate) of_trait: Option<Vec<String>>,
    pub(crate) line: usize,
}

/// The root and every module file below it, without those that only tests see.
pub(crate) fn read<'a>(tree: &'a Tree, root: &str) -> Vec<Module<'a>> {
    let mut modules = Vec::new();
    let mut waiting = vec![(root.to_owned(), folder(root).to_owned(), Vec::new())];
    while let Some((file, below, path)) = waiting.pop() {
        let Some(text) = tree.text(&file) else { continue };
        let names = Reader::read(&code(text), &path);
        for (name, _, own_file) in &names.children {
            let candidates = match own_file {
                Some(own) => vec![format!("{}/{own}", folder(&file))],
                None => vec![format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")],
            };
            let found = candidates.into_iter().find(|file| tree.text(file).is_some());
            let child = [path.as_slice(), &[(*name).to_owned()]].concat();
            waiting.extend(found.map(|file| (file, format!("{below}/{name}"), child)));
        }
        modules.push(Module { file, path, names });
    }
    // The root stays in front.
    modules.sort_by(|one, other| {
        (one.file != root, &one.file).cmp(&(other.file != root, &other.file))
    });
    modules
}

/// A pass over the tokens of a file.
struct Reader<'a, 't> {
    tokens: &'t [Token<'a>],
    /// The module of the current token.
    module: Vec<String>,
    /// Whether each open brace is that of a module.
    braces: Vec<bool>,
    names: Names<'a>,
}

impl<'a> Reader<'a, '_> {
    fn read(tokens: &[Token<'a>], path: &[String]) -> Names<'a> {
        let mut reader =
            Reader { tokens, module: path.to_vec(), braces: Vec::new(), names: Names::default() };
        let mut at = 0;
        while at < tokens.len() {
            at = reader.step(at);
        }
        reader.names
    }

    /// Takes in what begins at a token, and returns where to go on.
    fn step(&mut self, at: usize) -> usize {
        let token = self.tokens[at];
        match token.text {
            "}" => {
                let ends_module = self.braces.pop() == Some(true);
                self.module.truncate(self.module.len() - usize::from(ends_module));
            }
            "{" => self.braces.push(false),
            "mod" if self.name(at + 1).is_some() => return self.child(at),
            // Not `impl Trait + use<'a>`.
            "use" if token.kind == Kind::Name && !self.is(at + 1, "<") => return self.imports(at),
            "struct" | "enum" | "union" | "trait" | "type" => {
                self.names.definitions.extend(self.name(at + 1));
            }
            "impl" if self.begins_item(at) => self.implementation(at),
            "crate" | "self" | "super" if self.is(at + 1, "::") => self.reference(at),
            name if token.kind == Kind::Name && self.is(at + 1, "::") => {
                self.names.foreign.push((name.to_owned(), token.line));
            }
            _ => {}
        }
        at + 1
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(text))
    }

    fn name(&self, at: usize) -> Option<&'a str> {
        self.tokens.get(at).filter(|token| token.kind == Kind::Name).map(|token| token.text)
    }

    fn child(&mut self, at: usize) -> usize {
        let (name, line) = (self.tokens[at + 1].text, self.tokens[at].line);
        if self.is(at + 2, "{") {
            self.module.push(name.to_owned());
            self.braces.push(true);
            return at + 3;
        }
        // `#[path = "file.rs"] mod name;`
        let before = &self.tokens[at.saturating_sub(4)..at];
        let file = match before {
            [path, equals, file, end] if path.is("path") && equals.is("=") && end.is("]") => {
                Some(file.text.trim_matches('"'))
            }
            _ => None,
        };
        self.names.children.push((name, line, file));
        at + 2
    }

    fn imports(&mut self, at: usize) -> usize {
        let mut leaves = Vec::new();
        let end = tree_of_use(self.tokens, at + 1, &[], &mut leaves);
        for Leaf { path, alias, line } in leaves {
            let target = absolute(&path, &self.module).or_else(|| self.below(&path));
            match &target {
                Some(target) => self.names.references.push((target.clone(), line)),
                None => self.names.foreign.extend(path.first().map(|it| (it.clone(), line))),
            }
            match alias {
                Some(alias) => drop(self.names.imports.insert(alias, target.unwrap_or_default())),
                None => self.names.has_globs = true,
            }
        }
        end
    }

    /// The path from the root of one that begins with a child declared above.
    fn below(&self, path: &[String]) -> Option<Vec<String>> {
        let is_child = self.names.children.iter().any(|(name, ..)| Some(*name) == first(path));
        is_child.then(|| [self.module.as_slice(), path].concat())
    }

    fn reference(&mut self, at: usize) {
        let continues = at > 0 && self.is(at - 1, "::");
        let restricts = at > 1 && self.is(at - 1, "in") && self.is(at - 2, "(");
        if continues || restricts {
            return;
        }
        let (path, _) = inline(self.tokens, at);
        if let Some(target) = absolute(&path, &self.module) {
            self.names.references.push((target, self.tokens[at].line));
        }
    }

    /// Whether an item can begin there: `impl` is also a type.
    fn begins_item(&self, at: usize) -> bool {
        let before = at.checked_sub(1).map(|before| self.tokens[before].text);
        before.is_none_or(|text| ["}", ";", "{", "]", "unsafe"].contains(&text))
    }

    fn implementation(&mut self, at: usize) {
        let line = self.tokens[at].line;
        let mut next = at + 1;
        if self.is(next, "<") {
            next = self.after_angles(next);
        }
        next += usize::from(self.is(next, "!"));
        let (first, after) = self.type_path(next);
        let (of, of_trait) = if self.is(after, "for") {
            (self.type_path(after + 1).0, Some(first))
        } else {
            (first, None)
        };
        self.names.impls.push(Impl { of, of_trait, line });
    }

    /// The path of a type without its arguments, and the index after those. A reference counts
    /// as what it refers to.
    fn type_path(&self, mut at: usize) -> (Vec<String>, usize) {
        while self.tokens.get(at).is_some_and(|token| {
            token.kind == Kind::Lifetime || ["&", "mut", "dyn", "::"].contains(&token.text)
        }) {
            at += 1;
        }
        let (path, mut at) = inline(self.tokens, at);
        at = if self.is(at, "<") { self.after_angles(at) } else { at };
        (path, at)
    }

    fn after_angles(&self, at: usize) -> usize {
        let mut depth = 0_usize;
        for index in at..self.tokens.len() {
            // The arrow of `Fn() -> A` closes nothing.
            if self.is(index, "<") {
                depth += 1;
            } else if self.is(index, ">") && !self.is(index - 1, "-") {
                depth -= 1;
            }
            if depth == 0 {
                return index + 1;
            }
        }
        self.tokens.len()
    }
}

fn first(path: &[String]) -> Option<&str> {
    path.first().map(String::as_str)
}
