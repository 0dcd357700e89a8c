//! The rules against bad trees of a few lines each, and then against this very tree.

use std::path::Path;

use super::tree::{Finding, Tree};
use super::{
    RULES, check, citations, dependencies, documents, links, modules, mutants, packages, sources,
    text,
};

/// What a rule says about a tree, a line each.
fn found(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
    rule(&Tree::of(files)).iter().map(ToString::to_string).collect()
}

#[test]
fn this_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let findings = check(&Tree::read(root).unwrap(), RULES.iter());
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn a_file_without_a_header_is_found() {
    let files = [
        ("a/src/bad.rs", "// Almost.\n//! Late.\n"),
        ("a/src/empty.rs", ""),
        ("a/src/good.rs", "#![no_std]\n\n//! What is here.\n"),
        ("a/src/script.rs", "#!/usr/bin/env run\n//! What is here.\n"),
    ];
    let expected =
        ["a/src/bad.rs:1: does not open with `//!`", "a/src/empty.rs:1: does not open with `//!`"];
    assert_eq!(found(sources::headers, &files), expected);
}

#[test]
fn the_line_of_code_after_300_is_found() {
    let full = "//! Docs.\n\n".to_owned() + &"a(\"b\n\"); // Why.\n/* A\nB */\n".repeat(150);
    let long = full.clone() + "\na!();\n";
    let tested = full.clone() + "#[cfg(test)]\nmod tests {\n    fn a() {}\n}\n";
    let files = [
        ("crates/a/src/long.rs", long.as_str()),
        ("crates/a/src/full.rs", full.as_str()),
        ("crates/a/src/tested.rs", tested.as_str()),
        ("crates/a/tests/it/long.rs", long.as_str()),
        ("crates/a/src/long/tests.rs", long.as_str()),
    ];
    assert_eq!(found(sources::sizes, &files), ["crates/a/src/long.rs: 301 lines of code"]);
}

#[test]
fn an_item_in_lib_rs_is_found() {
    let library = "//! Docs.\n#![doc(html_no_source)]\nmod a; // Why.\npub(crate) mod b;\n\
                   #[cfg(doctest)]\n#[doc = include_str!(\"../README.md\")]\nmod readme {}\n\
                   pub use a::{\n    One,\n    b::{Two, Three},\n};\n#[cfg(unix)]\npub use b::Four;\n";
    assert!(found(sources::libraries, &[("crates/a/src/lib.rs", library)]).is_empty());
    for item in [
        "pub fn run() {}",
        "use std::fmt;",
        "mod a { fn run() {} }",
        "pub struct A;",
        "published! {}",
    ] {
        let text = format!("{library}{item}\n");
        assert_eq!(found(sources::libraries, &[("crates/a/src/lib.rs", &text)]).len(), 1, "{item}");
        assert!(found(sources::libraries, &[("other/src/lib.rs", &text)]).is_empty());
    }
}

#[test]
fn a_module_that_says_nothing_is_found() {
    let files = [
        ("crates/task-core/src/a.rs", ""),
        ("crates/a/src/utils.rs", ""),
        ("crates/a/src/core/b.rs", ""),
        ("crates/a/tests/it/mod.rs", ""),
    ];
    let expected = [
        "crates/a/src/core/b.rs: `core` says nothing",
        "crates/a/src/utils.rs: `utils` says nothing",
        "crates/a/tests/it/mod.rs: the style here is `name.rs` beside `name/`",
    ];
    assert_eq!(found(modules::names, &files), expected);
}

#[test]
fn a_file_that_nothing_declares_is_found() {
    let files = [
        (
            "a/src/lib.rs",
            "mod one;\npub(crate) mod two;\n// mod commented;\n#[path = \"five.rs\"]\nmod cinq;\n",
        ),
        ("a/src/one.rs", "mod three;"),
        ("a/src/one/three.rs", ""),
        ("a/src/one/four.rs", ""),
        ("a/src/two.rs", ""),
        ("a/src/five.rs", ""),
        ("a/src/commented.rs", ""),
        ("a/src/none/lost.rs", ""),
        ("a/src/bin/tool.rs", ""),
        ("a/build.rs", ""),
        ("a/tests/own.rs", ""),
        ("a/tests/it/main.rs", "mod six;"),
        ("a/tests/it/six.rs", ""),
        ("a/tests/it/seven.rs", ""),
    ];
    let expected = [
        "a/src/commented.rs: no `mod` declares it",
        "a/src/none/lost.rs: no `mod` declares it",
        "a/src/one/four.rs: no `mod` declares it",
        "a/tests/it/seven.rs: no `mod` declares it",
    ];
    assert_eq!(found(modules::orphans, &files), expected);
}

#[test]
fn an_unfinished_word_without_an_issue_is_found() {
    let word = ["TO", "DO"].concat();
    let text = format!("{word}\n{word} #12: later\n{word}S are fine\n# {word}: # 1\n");
    let say = |line: usize| format!("a.md:{line}: {word} without the number of an issue");
    assert_eq!(
        found(text::unfinished, &[("a.md", &text), ("Cargo.lock", &text)]),
        [say(1), say(4)]
    );
}

#[test]
fn a_path_of_a_machine_is_found() {
    let path = ["/ho", "me/"].concat();
    let text = format!("cd {path}me\nhttps://example.com{path}page\n\"{path}me\"\n..{path}\n");
    let say = |line: usize| format!("a.sh:{line}: a path that begins with {path}");
    assert_eq!(found(text::machine_paths, &[("a.sh", &text)]), [say(1), say(3)]);
}

#[test]
fn a_version_without_a_heading_is_found() {
    let manifest = ("Cargo.toml", "[workspace.package]\nversion = \"1.2.0\"\n");
    assert!(
        found(
            documents::changelog,
            &[manifest, ("CHANGELOG.md", "# Changes\n\n## [1.2.0] 2026\n")]
        )
        .is_empty()
    );
    for text in ["", "## 11.2.0\n", "1.2.0\n", "## 1.2.0-beta\n"] {
        assert_eq!(
            found(documents::changelog, &[manifest, ("CHANGELOG.md", text)]),
            ["CHANGELOG.md: no `## 1.2.0`"]
        );
    }
}

#[test]
fn an_example_that_nothing_compiles_is_found() {
    let files = [
        ("README.md", "```rust,no_run\n```\n"),
        ("crates/a/README.md", "```rust\n```\n"),
        ("crates/b/README.md", "```sh\n```\n"),
        ("crates/a/src/lib.rs", "#[doc = include_str!(\"../../../README.md\")]\nmod readme {}\n"),
    ];
    let expected = ["crates/a/README.md: no crate includes it, so its example is not compiled"];
    assert_eq!(found(documents::doctests, &files), expected);
}

#[test]
fn an_alias_counts_as_the_file_it_stands_for() {
    let source = ("crates/a/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n");
    let tree = Tree::of(&[("README.md", "```rust\n```\n[a](b.md)\n"), ("b.md", ""), source])
        .alias("crates/a/README.md", "README.md");
    assert!(documents::doctests(&tree).is_empty());
    assert!(documents::self_contained(&tree).is_empty());
    assert!(links::resolve(&tree).is_empty());
}

#[test]
fn a_file_from_outside_of_the_package_is_found() {
    let source = "#![doc = include_str!(\"../../../README.md\")]\n\n#[cfg(doctest)]\n\
                  #[doc = include_str!(\"../../../README.md\")]\nmod readme {}\n\
                  const A: &str = include_str!(\"a.txt\");\n";
    let expected = ["crates/a/src/b/c.rs:1: `crates/README.md` is not in the crate's package"];
    assert_eq!(found(documents::self_contained, &[("crates/a/src/b/c.rs", source)]), expected);
}

#[test]
fn a_dead_link_is_found() {
    let text = "[a](b.md) [c](../d.md#e) [f](#g) [h](https://i.example/j) `[k](l)` [`m`](n.md)\n\
                ```\n[o](p.md)\n```\n[q]: r.md\n[s](..) [t](../..) [u](mailto:v@w.example)\n";
    let files = [("x/a.md", text), ("d.md", "")];
    let expected = [
        "x/a.md:1: `b.md` is not there",
        "x/a.md:1: `n.md` is not there",
        "x/a.md:5: `r.md` is not there",
        "x/a.md:6: `../..` is not there",
    ];
    assert_eq!(found(links::resolve, &files), expected);
}

#[test]
fn an_invariant_without_a_test_and_a_citation_of_nothing_are_found() {
    let architecture = "# A\n\n1. No invariant.\n\n## Invariants\n\n1. One.\n2. Two\n   (2. 5).\n\
                        10. Ten.\n\nAnd one more, L1.\n\n## More\n\n3. No invariant.\n";
    let readme = "# Tests\n\n## Failures\n\n| no. | failure |\n|---|---|\n| 7 | it fails |\n\
                  | 38 | it fails deeply |\n| 40 | no test: it cannot fail |\n\n\
                  ## Requirements\n\n| 5 | it serves |\n";
    let all = "//! Invariant 2.\n\n/// Invariants 1, L1 and 10. FAILURES 7, 38.\n/// Requirement 5.\n#[test]\nfn a() {}\n";
    let test = "//! Invariant 2, and FAILURES 38.\n\n/// Invariant 1, FAILURES 7 and a half.\n\
                #[test]\nfn a() { assert!(b(), \"invariant 10: {}\") }\n// invariant 11\n";
    let of = |test| {
        let files = [
            ("ARCHITECTURE.md", architecture),
            ("crates/a/tests/README.md", readme),
            ("crates/a/tests/it/main.rs", test),
            (
                "crates/a/src/b.rs",
                "//! Invariant 2.\n//! FAILURES 8.\n/// Invariant L1.\nfn b() {}\n",
            ),
            ("crates/a/src/tests.rs", "// Holds invariant 2.\n"),
        ];
        found(citations::held, &files)
    };
    let unknown = "crates/a/src/b.rs:2: there is no FAILURES 8";
    assert_eq!(of(all), [unknown]);
    let expected = [
        unknown,
        "crates/a/tests/it/main.rs:6: there is no invariant 11",
        "ARCHITECTURE.md:10: no comment at a test cites invariant 10",
        "ARCHITECTURE.md:12: no comment at a test cites invariant L1",
        "crates/a/tests/README.md:8: no comment at a test cites FAILURES 38",
        "crates/a/tests/README.md:13: no comment at a test cites Requirement 5",
    ];
    assert_eq!(of(test), expected);
}

#[test]
fn an_accepted_mutant_of_a_function_that_is_gone_is_found() {
    let source = "struct List; impl List { fn is_kept() {} }\nfn limit() {}\n// fn gone() {}\n\
                  #[cfg(test)]\nmod tests { fn gone() {} }\n";
    let excluded = [
        "exclude_globs = [\"**/gone.rs\"]",
        "exclude_re = [",
        "    # Gone.",
        "    \"<impl (fmt::)?Debug for\",",
        "    \"replace List::is_kept -> bool with true\",",
        "    \"replace \\\\|\\\\| with && in List::gone\",",
        "    \"delete ! in Gone::is_kept\",",
        "    \":28: replace - with \\\\+ in limit\",",
        "    \"<impl View for Gone>\",",
        "    \"replace < with <= in <impl View for List>::gone\",",
        "    \"replace gone with\",",
        "]",
    ];
    let files = [(".cargo/mutants.toml", &*excluded.join("\n")), ("crates/a/src/b.rs", source)];
    let expected = [
        "6: no source defines `gone`",
        "7: no source defines `Gone`",
        "8: names a line or a column, not a function",
        "9: no source defines `Gone`",
        "10: no source defines `gone`",
        "11: no source defines `gone`",
    ]
    .map(|end| format!(".cargo/mutants.toml:{end}"));
    assert_eq!(found(mutants::pinned, &files), expected);
}

const MANIFEST: &str = "[package]\nname = \"task-a\"\ndescription = \"What it is, in a sentence\"\n\
    readme = \"README.md\"\nversion.workspace = true\nedition.workspace = true\n\
    rust-version.workspace = true\nlicense.workspace = true\nkeywords.workspace = true\n\
    categories.workspace = true\n[package.metadata.task]\npublic-api = []\n[lints]\nworkspace = true\n";

#[test]
fn a_crate_that_does_not_say_what_it_is_is_found() {
    let described = |manifest: &str, readme: &str| {
        found(
            packages::described,
            &[("crates/a/Cargo.toml", manifest), ("crates/a/README.md", readme)],
        )
    };
    assert!(described(MANIFEST, "What it is.").is_empty());
    assert_eq!(described(MANIFEST, "\n"), ["crates/a/Cargo.toml: no readme with something in it"]);
    assert_eq!(described("[package]\nname = \"task-a\"\n", "").len(), 6);
    assert!(described("[package]\npublish = false\n", "").is_empty());
    let with_features = format!("{MANIFEST}[features]\ntls = []\n");
    let expected = "crates/a/Cargo.toml: features, and no `all-features = true` in \
                    [package.metadata.docs.rs]";
    assert_eq!(described(&with_features, "What it is."), [expected]);
    let documented = format!("{with_features}[package.metadata.docs.rs]\nall-features = true\n");
    assert!(described(&documented, "What it is.").is_empty());
}

#[test]
fn a_crate_that_nobody_names_is_found() {
    let files = [
        ("crates/task-a/Cargo.toml", MANIFEST),
        (
            "crates/taskkit/Cargo.toml",
            "[package]\nname = \"taskkit\"\n[dependencies]\ntask-b.workspace = true\n",
        ),
        ("ARCHITECTURE.md", "| `taskkit` | `task-ab` |"),
    ];
    let expected = [
        "ARCHITECTURE.md: does not name `task-a`",
        "crates/taskkit/Cargo.toml: does not offer `task-a`",
    ];
    assert_eq!(found(packages::listed, &files), expected);
}

#[test]
fn a_member_that_goes_its_own_way_is_found() {
    assert!(found(packages::inherited, &[("crates/a/Cargo.toml", MANIFEST)]).is_empty());
    let own =
        "[package]\nversion = \"1.0.0\"\nedition.workspace = true\nlicense.workspace = true\n";
    let expected = [
        "a/Cargo.toml: `version.workspace = true` is missing",
        "a/Cargo.toml: `[lints] workspace = true` is missing",
    ];
    assert_eq!(found(packages::inherited, &[("a/Cargo.toml", own)]), expected);
}

#[test]
fn a_dependency_with_a_version_of_its_own_is_found() {
    let manifest = "[dependencies]\na.workspace = true\nb = { workspace = true, optional = true }\nc = \"1\"\n\
                    [target.'cfg(unix)'.dev-dependencies]\nd = { version = \"1\" }\n[features]\ne = [\"dep:c\"]\n";
    let expected = ["a/Cargo.toml:4: `c` does not inherit", "a/Cargo.toml:6: `d` does not inherit"];
    assert_eq!(found(dependencies::inherited, &[("a/Cargo.toml", manifest)]), expected);
}

#[test]
fn a_public_crate_that_is_no_dependency_is_found() {
    let manifest = "[dependencies]\na.workspace = true\n[dev-dependencies]\nb.workspace = true\n\
                    [package.metadata.task]\npublic-api = [\"a\", \"b\"]\n";
    assert_eq!(
        found(dependencies::public, &[("a/Cargo.toml", manifest)]),
        ["a/Cargo.toml: `b` is no dependency"]
    );
}
