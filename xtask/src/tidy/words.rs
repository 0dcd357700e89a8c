//! The rule about words: one for each concept, and that of the field.
//!
//! A file is read as one stream of words: `put_on`, `PutOn` and "put on" are the same two, in a
//! name, a message, a comment or a document, also across the end of a line.

mod table;
#[cfg(test)]
mod tests;

use super::tree::{Finding, Tree};
use table::{ALLOWED, WORDS};

/// Not written here, or the very list of the words.
const UNREAD: &[&str] =
    &["Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT", "xtask/src/tidy/words/table.rs"];

/// The most words that `*` stands for.
const WILD: usize = 6;

pub(crate) fn plain(tree: &Tree) -> Vec<Finding> {
    let words = WORDS.iter().map(|(word, instead)| (Pattern::new(word), *instead));
    let words: Vec<_> = words.collect();
    let allowed: Vec<_> = ALLOWED.iter().map(|phrase| Pattern::new(phrase)).collect();
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !UNREAD.contains(path)) {
        for (line, found, instead) in occurrences(text, &words, &allowed) {
            findings.push(Finding::at(path, line, format!("`{found}`: say {instead}")));
        }
        for (_, found, instead) in occurrences(path, &words, &allowed) {
            findings.push(Finding::new(path, format!("`{found}` in its path: say {instead}")));
        }
    }
    findings
}

/// What stands between a word and the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    /// Nothing that separates them: blanks, `_`, a change of case, the start of a comment's line.
    Joined,
    /// Something else in the same clause.
    Loose,
    /// The end of a clause or a sentence.
    Apart,
}

/// A word in lower case.
#[derive(Debug)]
struct Word {
    text: String,
    line: usize,
    gap: Gap,
}

/// A phrase: the alternatives of each word, or `*`.
struct Pattern(Vec<Vec<&'static str>>);

impl Pattern {
    fn new(phrase: &'static str) -> Self {
        Self(phrase.split(' ').map(|word| word.split('|').collect()).collect())
    }

    /// How many words it covers at the beginning of these.
    fn length(&self, words: &[Word]) -> Option<usize> {
        fits(&self.0, words, true)
    }
}

fn fits(pattern: &[Vec<&str>], words: &[Word], is_first: bool) -> Option<usize> {
    let Some((alternatives, rest)) = pattern.split_first() else { return Some(0) };
    if alternatives.first() == Some(&"*") {
        let clause = words.iter().take_while(|word| word.gap != Gap::Apart).count();
        let lengths = 1..=clause.min(WILD);
        return lengths
            .filter_map(|length| Some(length + fits(rest, &words[length..], false)?))
            .next();
    }
    let (word, after) = words.split_first()?;
    let follows = is_first || word.gap == Gap::Joined;
    let is_it = follows && alternatives.contains(&word.text.as_str());
    if is_it { Some(1 + fits(rest, after, false)?) } else { None }
}

/// Every refused phrase of a text: its line, from 0, itself, and what to say.
fn occurrences<'a>(
    text: &str,
    refused: &[(Pattern, &'a str)],
    allowed: &[Pattern],
) -> Vec<(usize, String, &'a str)> {
    let words = words(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let rest = &words[at..];
        if let Some(length) = allowed.iter().find_map(|pattern| pattern.length(rest)) {
            at += length;
            continue;
        }
        for (pattern, instead) in refused {
            if let Some(length) = pattern.length(rest) {
                let texts: Vec<_> = rest[..length].iter().map(|word| word.text.as_str()).collect();
                found.push((rest[0].line, texts.join(" "), *instead));
            }
        }
        at += 1;
    }
    found
}

/// The words of a text, names split at `_` and where their case changes.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut characters = text.chars().peekable();
    let (mut line, mut gap) = (0, Gap::Apart);
    let mut before = ' ';
    while let Some(character) = characters.next() {
        let next = characters.peek().copied().unwrap_or(' ');
        let is_apostrophe = character == '\'' && before.is_alphabetic() && next.is_alphabetic();
        if character == '\\' && matches!(next, 'n' | 't') {
            // An escape in a string is a blank.
            characters.next();
            before = ' ';
        } else if character.is_alphanumeric() || is_apostrophe {
            let continues = before.is_alphanumeric() || before == '\'';
            let is_hump = character.is_uppercase()
                && (before.is_lowercase() || (before.is_uppercase() && next.is_lowercase()));
            match words.last_mut().filter(|_| continues && !is_hump) {
                Some(word) => word.text.extend(character.to_lowercase()),
                None => {
                    words.push(Word { text: character.to_lowercase().collect(), line, gap });
                }
            }
            gap = Gap::Joined;
            before = character;
        } else {
            let ends = matches!(character, '.' | ';' | ':' | '{' | '}')
                || (character == '\n' && before == '\n');
            if ends {
                gap = Gap::Apart;
            } else if !(character.is_whitespace() || "_-/!#*>\\".contains(character)) {
                gap = gap.max(Gap::Loose);
            }
            line += usize::from(character == '\n');
            before = character;
        }
    }
    words
}
