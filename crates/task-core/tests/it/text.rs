//! Foreign text in a line.

use std::fmt;

use task_core::scope::{guarded_name, guarded_text};

#[test]
fn whatever_moves_the_cursor_or_begins_a_line_is_escaped_and_all_else_is_kept() {
    assert_eq!(guarded_text("a\r\n\tb"), r"a\r\n\tb");
    assert_eq!(guarded_text("\u{1b}[31m\u{7f}\u{85}\u{0}"), r"\u{1b}[31m\u{7f}\u{85}\u{0}");
    assert_eq!(
        guarded_text("\u{2028}\u{2029}\u{202e}\u{2066}"),
        r"\u{2028}\u{2029}\u{202e}\u{2066}"
    );
    let harmless = r#"C:\new "größer" 漢字 👩‍🔧 `x` …"#;
    assert_eq!(guarded_text(harmless), harmless);
}

#[test]
fn a_long_text_and_a_long_name_are_cut_at_their_limits_between_characters() {
    let text = guarded_text("ü".repeat(20 << 20));
    assert_eq!(text, "ü".repeat(8 << 10) + "... (cut)");
    let name = guarded_name(&"\n".repeat(20 << 20));
    assert_eq!(name, r"\n".repeat(2 << 10) + "... (cut)");
    assert_eq!(guarded_name(&"x".repeat(4 << 10)), "x".repeat(4 << 10));
}

/// An error that is its own cause.
#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("again")
    }
}

impl std::error::Error for Endless {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&Self)
    }
}

#[test]
fn an_endless_chain_of_causes_is_cut() {
    let error = anyhow::Error::new(Endless);
    let text = guarded_text(format_args!("{error:#}"));
    assert!(text.starts_with("again: again: ") && text.ends_with("... (cut)"));
    assert!(text.len() < 17 << 10, "{}", text.len());
}

#[test]
fn a_display_that_panics_or_fails_is_survived() {
    struct Faulty(bool);
    impl fmt::Display for Faulty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("said")?;
            assert!(!self.0, "no more");
            Err(fmt::Error)
        }
    }
    assert_eq!(guarded_text(Faulty(true)), "(its Display panicked)");
    assert_eq!(guarded_text(Faulty(false)), "said");
}
