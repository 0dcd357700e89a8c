//! The rule against lines of 101 columns and more, and against those that may be as wide.

use super::wrapped;
use crate::tidy::tree::Tree;

fn found(files: &[(&str, &str)]) -> Vec<String> {
    wrapped(&Tree::of(files)).iter().map(ToString::to_string).collect()
}

#[test]
fn a_comment_or_a_document_wider_than_100_columns_is_found() {
    let wide = "x".repeat(50) + " " + &"y".repeat(50);
    let source = format!(
        "//! {wide}\nfn a() {{\n    let b = \"{wide}\"; // c\n    // {}\n}}\n/* {wide} */\n",
        &wide[..93]
    );
    let document = format!("# A\n{wide}\n- {}\n", &wide[..98]);
    let expected = |lines: &[(&str, usize)]| -> Vec<String> {
        let say = |(at, columns): &(&str, usize)| format!("{at}: {columns} columns, 100 at most");
        lines.iter().map(say).collect()
    };
    assert_eq!(
        found(&[("a.rs", &source), ("b.md", &document)]),
        expected(&[("a.rs:1", 105), ("a.rs:3", 121), ("a.rs:6", 107), ("b.md:2", 101)])
    );
    let comment = format!("[a]\nb = \"{wide}\"\n# {wide}\n");
    assert_eq!(found(&[("c.toml", &comment)]), expected(&[("c.toml:3", 103)]));
    let script = format!("#!/bin/sh\n{comment}");
    assert_eq!(found(&[("run", &script)]), expected(&[("run:4", 103)]));
}

#[test]
fn tables_links_and_fenced_code_are_as_wide_as_they_have_to_be() {
    let wide = "x".repeat(50) + " " + &"y".repeat(50);
    let target = "z".repeat(90);
    let document = format!(
        "| {wide} |\n```\n{wide}\n```\n[a]: {target}{target}\n[b]({target}) [c]({target}#d) e\n\
         https://{target}.example/f\n{}\n",
        "é".repeat(100)
    );
    let source = document.lines().map(|line| format!("    /// {line}\n")).collect::<String>();
    let source = source.replace(&"é".repeat(100), &"é".repeat(92));
    assert_eq!(found(&[("a.md", &document), ("b.rs", &source)]), [""; 0]);
}
