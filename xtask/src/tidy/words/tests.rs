//! The rule against a tree that has every refused word in every place, and against plain ones.

use super::plain;
use super::table::WORDS;
use crate::tidy::tree::Tree;

fn found(files: &[(&str, &str)]) -> Vec<String> {
    plain(&Tree::of(files)).iter().map(ToString::to_string).collect()
}

/// Every phrase that a line of the table stands for.
fn phrases() -> impl Iterator<Item = Vec<&'static str>> {
    WORDS.iter().flat_map(|(words, _)| {
        words.split(' ').fold(vec![Vec::new()], |phrases, slot| {
            let longer = |phrase: &Vec<&'static str>| {
                let phrase = phrase.clone();
                slot.split('|').map(move |word| [phrase.as_slice(), &[word]].concat())
            };
            phrases.iter().flat_map(longer).collect()
        })
    })
}

fn capital(word: &&str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

#[test]
fn each_refused_word_is_found_in_a_name_a_message_a_comment_and_a_document() {
    for phrase in phrases() {
        let (plain, snake) = (phrase.join(" "), phrase.join("_"));
        let camel: String = phrase.iter().map(capital).collect();
        let wrapped = phrase.join("\n    /// ");
        let mut sources = vec![
            format!("// It is {plain}, here."),
            format!("/// {}\n", capital(&plain.as_str())),
            format!("    /// Is {wrapped}.\n"),
            format!("log(\"was {plain}\");"),
            format!("log(\"a\\n{plain}\");"),
        ];
        // An apostrophe is in no name.
        if !plain.contains('\'') {
            sources.extend([
                format!("fn is_{snake}_now() {{}}"),
                format!("struct Was{camel}(u8);"),
                format!("const MOST_{}: u8 = 1;", snake.to_uppercase()),
            ]);
        }
        for source in sources {
            for path in ["crates/a/src/b.rs", "README.md", "xtask/src/c.rs", "a/Cargo.toml"] {
                let found = found(&[(path, source.as_str())]);
                let says = |line: &String| line.contains(&format!("`{plain}`: say "));
                assert!(found.iter().any(says), "{plain}: {source}: {found:?}");
            }
        }
        let path = format!("crates/a/src/{snake}.rs");
        let in_path = found(&[(&path, "//! A module.\n")]).len();
        assert!(plain.contains('\'') || in_path > 0, "{path}");
    }
}

#[test]
fn the_finding_says_where_and_what_to_say() {
    let word = ["hur", "ry"].concat();
    let text = format!("//! Docs.\n\nfn is_{word}() {{}}\n");
    let expected = format!("a/src/b.rs:3: `{word}`: say `escalation`, `escalated`");
    assert_eq!(found(&[("a/src/b.rs", &text)]), [expected]);
}

#[test]
fn other_senses_and_parts_of_other_words_are_fine() {
    let text = "//! Newsletters are crewed, desktops are invoiced, and nobody retold it.\n\
                /// Two of one name are told apart; the id tells\n/// those of one name apart.\n\
                fn tell_apart(output: Put) { put(off); give(up, upward); a.leave(group, inside) }\n\
                /// Put it. Off it goes, the group. Around it is a fence.\n\
                const GIVE: [Up; 2] = [delivery, whatever]; // lets, parceled, forgiven upside\n";
    assert_eq!(found(&[("a/src/b.rs", text), ("Cargo.lock", "new"), ("a.md", "hur ry")]), [""; 0]);
}
