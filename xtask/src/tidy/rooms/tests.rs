//! The rule against crates of a few lines.

use std::{fs, path::Path};

use super::{PROMISES, downward};
use crate::tidy::tree::Tree;

/// Two rooms of one module, one of two, and one of a folder.
const ROOT: &str = "//! Docs.\n\nmod api;\n\n// What is kept.\nmod group;\n\n#[cfg(unix)]\nmod report;\n\
    mod values;\n\nmod rt;\n\n#[cfg(test)]\nmod tests;\n\npub use group::Group;\npub(crate) use rt::clock::now;\n";

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> =
        files.iter().map(|(name, text)| (format!("crates/a/src/{name}.rs"), *text)).collect();
    let mut all = vec![("crates/a/src/lib.rs", ROOT)];
    all.extend(files.iter().map(|(path, text)| (path.as_str(), *text)));
    let strip = |line: String| line.replace("crates/a/src/", "");
    downward(&Tree::of(&all)).iter().map(|finding| strip(finding.to_string())).collect()
}

#[test]
fn an_arrow_that_runs_up_is_found_however_it_is_written() {
    for (line, used) in [
        ("use crate::group::Member;", "group"),
        ("use crate::{rt, group::{self, Member}};", "group"),
        ("use crate::group::*;", "group"),
        ("use super::group;", "group"),
        ("pub(crate) use self::super::super::api;", ""),
        ("use crate::Group;", "group"),
        ("fn a(group: &crate::group::Group) {}", "group"),
        ("fn a() { super::api::go(); }", "api"),
        ("mod inner { use super::super::api::go; }", "api"),
        ("fn a() { b::<crate::Group>() }", "group"),
    ] {
        let expected = if used.is_empty() {
            vec![]
        } else {
            vec![format!("report.rs:1: room `report`, `values` uses `{used}` above it")]
        };
        assert_eq!(found(&[("report", line)]), expected, "{line}");
    }
}

#[test]
fn an_arrow_from_below_a_folder_or_up_to_a_file_of_one_is_found() {
    let files = [
        ("rt", "mod clock;\n"),
        ("rt/clock", "use std::time;\n\nuse super::super::values;\nuse super::rest;\n"),
        ("group", "mod member;\n"),
        ("group/member", "mod entry { use super::super::super::api::go; }\n"),
    ];
    let expected = [
        "group/member.rs:1: room `group` uses `api` above it",
        "rt/clock.rs:3: room `rt` uses `values` above it",
    ];
    assert_eq!(found(&files), expected);
}

#[test]
fn what_runs_down_or_stays_in_its_room_is_fine() {
    let files = [
        ("api", "use crate::{Group, group, now, report::Report, values::Value};\nmod own;\n"),
        ("api/own", "use super::Own;\nuse crate::api::Own as _;\nuse crate::rt;\n"),
        ("report", "use crate::values::Value;\nuse super::rt::clock;\nuse std::group::api;\n"),
        (
            "values",
            "//! See [`crate::api::Manager`].\nuse crate::report::Report;\n\
             // use crate::group;\nconst A: &str = \"crate::group::A\";\n\
             pub(in crate::values) fn a() -> impl crate::rt::Time + use<> { group::a() }\n\
             #[cfg(test)]\nmod tests { use crate::api::Manager; }\n\
             use crate::Unknown;\nuse crate::*;\n",
        ),
        ("tests", "use crate::api::Manager;\n"),
        ("rt", "pub(crate) mod clock { pub(super) use super::b; }\n"),
    ];
    assert_eq!(found(&files), Vec::<String>::new());
}

#[test]
fn an_impl_outside_of_the_room_of_its_type_is_found() {
    let group = ("group", "pub struct Group;\npub(crate) struct State<T>(T);\n");
    for block in [
        "use crate::report::Report;\nimpl Report {}",
        "use crate::report::Report;\nimpl fmt::Display for Report {}",
        "use crate::report as said;\nimpl<T: Fn() -> u8> From<T> for said::Report {}",
        "use crate::{report::*};\nimpl Drop for &mut Report {}",
        "\nimpl<'a> crate::report::Report<'a> where u8: Copy {}",
        "\nimpl crate::values::Own for super::report::Report {}",
    ] {
        let files = [group, ("report", "pub enum Report {}\n"), ("api", block)];
        let name = block.rsplit_once("Report").map_or("", |(before, _)| before);
        let name = name.rsplit([' ', '\n']).next().unwrap_or_default().replace("&mut", "");
        let line = 1 + block.split("impl").next().map_or(0, |before| before.matches('\n').count());
        let expected = format!(
            "api.rs:{line}: room `api` has an `impl` of `{name}Report`, a type of room `report`, \
             `values`"
        );
        assert_eq!(found(&files), [expected], "{block}");
    }
}

#[test]
fn an_impl_in_the_room_of_its_type_or_of_its_trait_is_fine() {
    let files = [
        ("report", "pub enum Report {}\nimpl Report {}\nimpl Drop for Report {}\n"),
        ("values", "use crate::report::Report;\nimpl Report {}\n"),
        (
            "api",
            "use crate::report::Report;\ntrait Show { type Of; }\nimpl Show for Report {}\n\
             impl Show for Vec<Report> {}\nimpl From<Report> for std::io::Error {}\n\
             fn a() -> impl Show { impl Show for Local {} struct Local; }\n\
             fn b(shown: impl Fn(Report) -> u8) {}\n",
        ),
    ];
    assert_eq!(found(&files), Vec::<String>::new());
}

#[test]
fn what_the_threads_and_the_lifecycle_of_the_manager_may_not_use_is_found() {
    let root = "mod threads;\nmod group;\n\nmod lifecycle;\n\nmod rt;\n";
    let lifecycle = "use std::fmt;\nuse task_core::Phase;\nmod plan;\nuse plan::Plan;\n\
                     use super::rt;\nuse tokio::time;\nuse crate::lifecycle::plan;\n\
                     fn a() { Phase::last(); plan::b(); tokio_util::c() }\n";
    let manifest = "[dependencies]\ntask-core.workspace = true\ntokio.workspace = true\n\
                    tokio-util = { workspace = true }\n";
    let file = |name| format!("crates/task-manager/src/{name}.rs");
    let files = [
        ("crates/task-manager/Cargo.toml".to_owned(), manifest),
        (file("lib"), root),
        (file("threads"), "use crate::group::Group;\nuse crate::rt;\n"),
        (file("lifecycle"), lifecycle),
        (file("lifecycle/plan"), "use super::Step;\n"),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let found: Vec<_> = downward(&Tree::of(&files)).iter().map(ToString::to_string).collect();
    let expected = [
        "crates/task-manager/src/lifecycle.rs:5: `lifecycle` may not use `rt`",
        "crates/task-manager/src/lifecycle.rs:6: `lifecycle` may not use `tokio`",
        "crates/task-manager/src/lifecycle.rs:8: `lifecycle` may not use `tokio_util`",
        "crates/task-manager/src/threads.rs:1: `threads` may not use `group`",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_promise_is_about_a_module_that_exists() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for promise in PROMISES {
        let root = fs::read_to_string(workspace.join(promise.root)).unwrap();
        assert!(root.contains(&format!("\nmod {};", promise.module)), "{}", promise.module);
    }
}
