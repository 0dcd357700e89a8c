//! A text without what differs from run to run.

/// What takes the place of what is left out.
const LEFT_OUT: &str = "…";
const UNITS: &[&str] = &["ns", "µs", "us", "ms", "s", "min", "h"];

/// Returns `text` with `…` in place of durations, addresses, the numbers of threads, and absolute
/// paths; of a path to Rust source with its line as well. Line breaks stay.
///
/// It goes by the form of a word, so a name that looks like a duration is left out as well.
///
/// # Examples
///
/// ```
/// use task_testkit::redact;
///
/// assert_eq!(redact("stopped in 19.25 s of 25s, at 0x7f3a10"), "stopped in … of …, at …");
/// assert_eq!(redact("panicked at src/main.rs:7:5: no disk"), "panicked at …: no disk");
/// ```
pub fn redact(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let blank = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        redacted.push_str(&rest[..blank]);
        rest = &rest[blank..];
        let (word, after) = split(rest);
        // A number and its unit may be two words.
        if is_number(bare(word).1)
            && bare(word).2.is_empty()
            && let Some(spaced) = after.strip_prefix(' ')
            && let (_, unit, _) = bare(split(spaced).0)
            && UNITS.contains(&unit)
        {
            let (before, ..) = bare(word);
            let (next, after) = split(spaced);
            redacted.extend([before, LEFT_OUT, bare(next).2]);
            rest = after;
            continue;
        }
        let (before, middle, behind) = bare(word);
        let middle = match kind(middle) {
            Some(replacement) => replacement,
            None => middle,
        };
        redacted.extend([before, middle, behind]);
        rest = after;
    }
    redacted
}

/// The first word and what follows it.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// A word without the punctuation around it, which comes first and last.
fn bare(word: &str) -> (&str, &str, &str) {
    let is_around = |c: char| matches!(c, '(' | '[' | '{' | '`' | '"' | '\'' | '+' | '-');
    let is_behind = |c: char| {
        matches!(c, ')' | ']' | '}' | '`' | '"' | '\'' | ',' | ';' | ':' | '.' | '!' | '?')
    };
    let middle = word.trim_start_matches(is_around);
    let before = &word[..word.len() - middle.len()];
    // The number of a thread has parentheses of its own.
    let bare = if middle.starts_with("ThreadId(") {
        &middle[..middle.find(')').map_or(middle.len(), |end| end + 1)]
    } else {
        middle.trim_end_matches(is_behind)
    };
    (before, bare, &middle[bare.len()..])
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// What stands for a word that is left out.
fn kind(word: &str) -> Option<&'static str> {
    let number = word.trim_end_matches(|c: char| c.is_alphabetic());
    let is_duration = is_number(number) && UNITS.contains(&&word[number.len()..]);
    let is_address = word
        .strip_prefix("0x")
        .is_some_and(|digits| digits.len() >= 4 && digits.chars().all(|c| c.is_ascii_hexdigit()));
    let is_path = word.contains(".rs:") || (word.len() > 1 && word.starts_with('/'));
    if word.starts_with("ThreadId(") {
        return Some("ThreadId(…)");
    }
    (is_duration || is_address || is_path).then_some(LEFT_OUT)
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn durations_addresses_threads_and_paths_are_left_out() {
        for (text, redacted) in [
            ("in 19.25 s", "in …"),
            ("(phase WORK had 19.00 s) and", "(phase WORK had …) and"),
            ("1.5µs, 3ms; 2 h.", "…, …; …."),
            ("(+250 ms)", "(+…)"),
            ("at 0x7fff1234.", "at …."),
            ("on ThreadId(12), busy", "on ThreadId(…), busy"),
            ("writing to /mnt/archive", "writing to …"),
            ("panicked at crates/a/src/lib.rs:12:9: no", "panicked at …: no"),
            ("[3 s]", "[…]"),
        ] {
            assert_eq!(redact(text), redacted);
        }
    }

    #[test]
    fn everything_else_stays() {
        for text in [
            "",
            " two  blanks\n\tand a tab ",
            "5 tasks of 7",
            "task `ingest/consumer#3` failed",
            "0x12, 3 sheep, version 1.2.3, 10 / 2",
            "job-1s-poll",
            "ünïcode … stays",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
