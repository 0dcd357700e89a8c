//! Rust source as tokens: as much of the language as rules about paths, words and lines need.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or a keyword.
    Name,
    /// A string, a character or a number.
    Literal,
    /// A comment or a line of docs.
    Comment,
    Lifetime,
    /// A single character, or `::`.
    Symbol,
}

/// A piece of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// The line on which it begins, from 0.
    pub(crate) line: usize,
}

impl Token<'_> {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text && matches!(self.kind, Kind::Name | Kind::Symbol)
    }

    /// The lines that it covers.
    pub(crate) fn lines(&self) -> std::ops::RangeInclusive<usize> {
        self.line..=self.line + self.text.matches('\n').count()
    }
}

/// All tokens of a file, comments included.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 0);
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match first {
            _ if first.is_whitespace() => {
                line += usize::from(first == '\n');
                rest = &rest[first.len_utf8()..];
                continue;
            }
            '/' if rest.starts_with("//") => (Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (Kind::Comment, block_comment(rest)),
            '"' => (Kind::Literal, quoted(rest, '"')),
            '\'' => quote(rest),
            _ if first.is_ascii_digit() => (Kind::Literal, number(rest)),
            _ if in_name(first) => name_or_string(rest),
            ':' if rest.starts_with("::") => (Kind::Symbol, 2),
            _ => (Kind::Symbol, first.len_utf8()),
        };
        let (text, after) = rest.split_at(length);
        tokens.push(Token { kind, text, line });
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The tokens that are compiled into the library: neither comments nor what stands below
/// `#[cfg(test)]`.
pub(crate) fn code(text: &str) -> Vec<Token<'_>> {
    let all: Vec<_> =
        tokens(text).into_iter().filter(|token| token.kind != Kind::Comment).collect();
    let mut kept = Vec::new();
    let mut index = 0;
    while index < all.len() {
        if is_for_tests(&all[index..]) {
            index += item(&all[index..]);
        } else {
            kept.push(all[index]);
            index += 1;
        }
    }
    kept
}

fn in_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(next) = text[at..].find(['/', '*']).map(|found| at + found) {
        at = next + 1;
        if text[next..].starts_with("/*") {
            depth += 1;
            at = next + 2;
        } else if text[next..].starts_with("*/") {
            depth -= 1;
            at = next + 2;
            if depth == 0 {
                return at;
            }
        }
    }
    text.len()
}

/// The length of a literal that begins with its quote and may have escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character, or a lifetime.
fn quote(text: &str) -> (Kind, usize) {
    let mut characters = text.chars().skip(1);
    let (first, second) = (characters.next(), characters.next());
    if first == Some('\\') || second == Some('\'') {
        (Kind::Literal, quoted(text, '\''))
    } else {
        (Kind::Lifetime, 1 + name(&text[1..]))
    }
}

fn name(text: &str) -> usize {
    text.find(|character| !in_name(character)).unwrap_or(text.len())
}

fn number(text: &str) -> usize {
    let whole = name(text);
    let fraction = text[whole..].strip_prefix('.').unwrap_or_default();
    if fraction.starts_with(|next: char| next.is_ascii_digit()) {
        whole + 1 + name(fraction)
    } else {
        whole
    }
}

/// A name, unless it is the prefix of a literal: `b"`, `r#"`, `b'`.
fn name_or_string(text: &str) -> (Kind, usize) {
    let prefix = name(text);
    let rest = &text[prefix..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    match &text[..prefix] {
        "r" | "br" | "cr" if rest[hashes..].starts_with('"') => {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = prefix + hashes + 1;
            let length = text[body..].find(&end).map_or(text.len() - body, |at| at + end.len());
            (Kind::Literal, body + length)
        }
        "r" if hashes == 1 => (Kind::Name, prefix + 1 + name(&rest[1..])),
        "b" | "c" if rest.starts_with('"') => (Kind::Literal, prefix + quoted(rest, '"')),
        "b" if rest.starts_with('\'') => (Kind::Literal, prefix + quoted(rest, '\'')),
        _ => (Kind::Name, prefix),
    }
}

/// Whether an attribute stands there that leaves out what follows unless tests are built.
fn is_for_tests(tokens: &[Token<'_>]) -> bool {
    let begins = |texts: &[&str]| {
        tokens.len() > texts.len() && texts.iter().zip(tokens).all(|(text, token)| token.is(text))
    };
    begins(&["#", "[", "cfg", "(", "test"]) || begins(&["#", "[", "cfg", "(", "all", "(", "test"])
}

/// How many tokens an item takes, with the attributes before it; a field or a variant, too.
fn item(tokens: &[Token<'_>]) -> usize {
    let mut at = 0;
    while tokens.get(at).is_some_and(|token| token.is("#")) {
        at = closed(tokens, at + 1);
    }
    let keyword = tokens[at..].iter().take(8).find(|token| {
        ["use", "const", "static", "type", "mod", "fn", "struct", "enum", "impl", "trait", "let"]
            .contains(&token.text)
    });
    // The braces of these end nothing.
    let has_semicolon = keyword
        .is_some_and(|token| ["use", "const", "static", "type", "let"].contains(&token.text));
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" if token.kind == Kind::Symbol && !has_semicolon => return closed(tokens, at),
            "(" | "[" | "{" if token.kind == Kind::Symbol => at = closed(tokens, at),
            ";" => return at + 1,
            "," if keyword.is_none() => return at + 1,
            "}" | ")" | "]" => return at,
            _ => at += 1,
        }
    }
    at
}

/// The index after the bracket that closes the one at `at`.
fn closed(tokens: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text {
            "(" | "[" | "{" if token.kind == Kind::Symbol => depth += 1,
            ")" | "]" | "}" if token.kind == Kind::Symbol => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::{Kind, code, tokens};

    fn texts(source: &str) -> Vec<&str> {
        code(source).iter().map(|token| token.text).collect()
    }

    #[test]
    fn a_quote_in_a_string_a_comment_or_a_lifetime_ends_nothing() {
        let source = "a(\"b\\\" // c\", 'd', '\\'', b'\"', &'e str, r#\"f\" g\"#, br\"h\", r#type)\n\
                      // \"i\n/* j /* k */ \" */ l 1.5 0..2";
        let expected = [
            "a",
            "(",
            "\"b\\\" // c\"",
            ",",
            "'d'",
            ",",
            "'\\''",
            ",",
            "b'\"'",
            ",",
            "&",
            "'e",
            "str",
            ",",
            "r#\"f\" g\"#",
            ",",
            "br\"h\"",
            ",",
            "r#type",
            ")",
            "l",
            "1.5",
            "0",
            ".",
            ".",
            "2",
        ];
        assert_eq!(texts(source), expected);
    }

    #[test]
    fn a_token_knows_its_line() {
        let found: Vec<_> = tokens("a\n\"b\nc\" // d\ne::f").iter().map(|it| it.line).collect();
        assert_eq!(found, [0, 1, 2, 3, 3, 3]);
        assert_eq!(tokens("/* a\n b */").first().map(|it| it.lines()), Some(0..=1));
        assert_eq!(tokens("//! a").first().map(|it| it.kind), Some(Kind::Comment));
    }

    #[test]
    fn what_is_for_tests_alone_is_left_out() {
        for (source, kept) in [
            ("#[cfg(test)]\nmod tests;\nmod a;", "mod a ;"),
            (
                "#[cfg(test)] #[allow(x)] pub(crate) mod tests { fn b() {} } fn a() {}",
                "fn a ( ) { }",
            ),
            ("#[cfg(all(test, unix))] use a::{b, c}; use d;", "use d ;"),
            ("struct A { #[cfg(test)] b: Vec<u8>, c: u8 }", "struct A { c : u8 }"),
            ("struct A { #[cfg(test)] b: u8 }", "struct A { }"),
            ("#[cfg(not(test))] use a;", "# [ cfg ( not ( test ) ) ] use a ;"),
            ("#[cfg(test)] fn a() -> [u8; 2] { b() } c", "c"),
        ] {
            assert_eq!(texts(source).join(" "), kept);
        }
    }
}
