//! Paths as they are written, and as they read from the root of the crate.

use super::super::rust::{Kind, Token};

/// One path of a `use`.
pub(crate) struct Leaf {
    pub(crate) path: Vec<String>,
    /// The name that it gets here, or `None` for a glob.
    pub(crate) alias: Option<String>,
    pub(crate) line: usize,
}

/// Reads the tree that begins at a token, and returns the index after it.
pub(crate) fn tree_of_use(
    tokens: &[Token<'_>],
    mut at: usize,
    prefix: &[String],
    leaves: &mut Vec<Leaf>,
) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| !token.is("}")) {
                    at = tree_of_use(tokens, at, &path, leaves);
                    at += usize::from(tokens.get(at).is_some_and(|token| token.is(",")));
                }
                return at + 1;
            }
            "*" => {
                leaves.push(Leaf { path, alias: None, line: token.line });
                return at + 1;
            }
            // From the names of crates: no path of this one.
            "::" if path.is_empty() => path.push("::".to_owned()),
            "::" => {}
            _ if token.kind == Kind::Name => {
                let (text, line) = (token.text, token.line);
                if tokens.get(at + 1).is_some_and(|next| next.is("::")) {
                    path.push(text.to_owned());
                    at += 1;
                    continue;
                }
                // `use a::{self}` imports `a`.
                if text != "self" || prefix.is_empty() {
                    path.push(text.to_owned());
                }
                let renamed = tokens.get(at + 1).is_some_and(|next| next.is("as"));
                let alias = if renamed { tokens.get(at + 2) } else { None };
                let alias = alias.map(|alias| alias.text.to_owned());
                let alias = alias.or_else(|| path.last().cloned());
                leaves.push(Leaf { path, alias, line });
                return at + if renamed { 3 } else { 1 };
            }
            _ => return at,
        }
        at += 1;
    }
    at
}

/// The path that begins at a token, and the index after its last segment.
pub(crate) fn inline(tokens: &[Token<'_>], mut at: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    while let Some(name) = tokens.get(at).filter(|token| token.kind == Kind::Name) {
        path.push(name.text.to_owned());
        at += 1;
        let goes_on = tokens.get(at).is_some_and(|token| token.is("::"))
            && tokens.get(at + 1).is_some_and(|token| token.kind == Kind::Name);
        if !goes_on {
            break;
        }
        at += 1;
    }
    (path, at)
}

/// The path from the root of the crate, or `None` if it does not begin with `crate`, `self` or
/// `super`, or leaves the crate.
pub(crate) fn absolute(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let (first, mut rest) = path.split_first()?;
    let mut target = match first.as_str() {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module.split_last()?.1.to_vec(),
        _ => return None,
    };
    while let Some(("super", after)) =
        rest.split_first().map(|(segment, after)| (segment.as_str(), after))
    {
        target.pop()?;
        rest = after;
    }
    target.extend_from_slice(rest);
    Some(target)
}
