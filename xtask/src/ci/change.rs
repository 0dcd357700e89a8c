//! The files that a change touches, and the sections whose verdict they can affect.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::command::Run;
use crate::workspace::{Package, Workspace};

/// The branch that a change lands on, as the last fetch left it.
const MAIN: &str = "origin/main";
/// The crate whose doctests include the README of the repository.
const FACADE: &str = "taskkit";
/// The crate that runs the sections: a change of it may affect each of them.
const CHORES: &str = "xtask";

/// What the verdict of a section depends on.
#[derive(Clone, Copy)]
pub(super) enum Reads {
    /// Every file. Also for a section so short that leaving it out saves nothing.
    Everything,
    /// The code of some packages, and of the members of the workspace that they depend on.
    Code(fn(&Package) -> bool),
    /// The same, and the texts of these packages, which their documentation includes.
    Documentation(fn(&Package) -> bool),
}

/// The files that differ from a commit, in the work tree or by commits since.
#[derive(Debug)]
pub(super) struct Change {
    /// The commit, by the name that a user knows.
    pub(super) since: &'static str,
    /// Relative to the root of the workspace.
    pub(super) files: Vec<String>,
}

impl Change {
    /// Compares the work tree with the last commit that this branch and `origin/main` have in
    /// common, or with `HEAD` if there is no `origin/main`.
    ///
    /// # Errors
    ///
    /// This is no git repository, or it lacks the history to compare.
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let git = |arguments: &[&str]| {
            let (output, _) = Run::program(workspace, "git").arguments(arguments).read()?;
            anyhow::Ok(output)
        };
        let remote = format!("refs/remotes/{MAIN}");
        let (since, commit) = match git(&["rev-parse", "--verify", "--quiet", &remote]) {
            Ok(_) => (MAIN, git(&["merge-base", "HEAD", MAIN])?),
            Err(_) => ("HEAD", git(&["rev-parse", "--verify", "HEAD"])?),
        };
        // A renamed file counts under both names: something may still refer to the old one.
        let tracked =
            git(&["diff", "--name-only", "--no-renames", "--relative", "-z", commit.trim()])?;
        let untracked = git(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        let files = tracked.split('\0').chain(untracked.split('\0'));
        let files = files.filter(|file| !file.is_empty()).map(str::to_owned).collect();
        Ok(Self { since, files })
    }

    /// Returns whether a section with these dependencies can end differently than before.
    ///
    /// # Errors
    ///
    /// The workspace lacks a package that is named here.
    pub(super) fn affects(&self, workspace: &Workspace, reads: Reads) -> Result<bool> {
        let (own, has_texts): (fn(&Package) -> bool, bool) = match reads {
            Reads::Everything => return Ok(true),
            Reads::Code(own) => (own, false),
            Reads::Documentation(own) => (own, true),
        };
        let code = with_dependencies(workspace, own);
        let facade = workspace.package(FACADE)?;
        Ok(self.files.iter().any(|file| match Touched::of(workspace, file) {
            Touched::Everything => true,
            Touched::Code(package) => code.contains(package.name.as_str()),
            Touched::Text(package) => has_texts && own(package.unwrap_or(facade)),
        }))
    }
}

/// What one file belongs to.
#[derive(Debug)]
enum Touched<'a> {
    /// Something that no package owns, such as `Cargo.lock`, or the sections themselves.
    Everything,
    Code(&'a Package),
    /// A text for people, of a package or of the repository.
    Text(Option<&'a Package>),
}

impl<'a> Touched<'a> {
    fn of(workspace: &'a Workspace, file: &str) -> Self {
        let file = Path::new(file);
        // Packages lie within packages: the innermost one owns the file.
        let owners = workspace.packages.iter().filter(|package| file.starts_with(&package.folder));
        let owner = owners.max_by_key(|package| package.folder.components().count());
        match owner {
            _ if is_text(file) => Self::Text(owner),
            Some(package) if package.name != CHORES => Self::Code(package),
            Some(_) | None => Self::Everything,
        }
    }
}

/// Texts below `src` and `tests` count as code: tests include them, and compare.
fn is_text(file: &Path) -> bool {
    let is_code = file.iter().any(|part| part == "src" || part == "tests");
    let has_extension = file.extension().is_some_and(|it| it == "md" || it == "svg");
    let is_license = file.to_str().is_some_and(|file| file.starts_with("LICENSE"));
    !is_code && (has_extension || is_license)
}

/// Returns the names of some packages and of all members of the workspace that they depend on.
fn with_dependencies(workspace: &Workspace, own: fn(&Package) -> bool) -> BTreeSet<&str> {
    let mut waiting: Vec<&Package> =
        workspace.packages.iter().filter(|package| own(package)).collect();
    let mut found = BTreeSet::new();
    while let Some(package) = waiting.pop() {
        if found.insert(package.name.as_str()) {
            let is_used = |other: &&Package| package.dependencies.contains(&other.name);
            waiting.extend(workspace.packages.iter().filter(is_used));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Change, Reads};
    use crate::command::Run;
    use crate::workspace::Workspace;

    fn is_affected(reads: Reads, files: &[&str]) -> bool {
        let files = files.iter().map(|&file| file.to_owned()).collect();
        let workspace = Workspace::load().unwrap();
        Change { since: "HEAD", files }.affects(&workspace, reads).unwrap()
    }

    const CORE: Reads = Reads::Code(|package| package.name == "task-core");
    const MANAGER: Reads = Reads::Code(|package| package.name == "task-manager");
    const MANAGER_DOCS: Reads = Reads::Documentation(|package| package.name == "task-manager");
    const FACADE_DOCS: Reads = Reads::Documentation(|package| package.name == "taskkit");

    #[test]
    fn code_affects_its_package_and_those_that_depend_on_it() {
        assert!(is_affected(CORE, &["crates/task-core/src/lib.rs"]));
        assert!(is_affected(MANAGER, &["crates/task-core/src/lib.rs"]));
        assert!(is_affected(MANAGER_DOCS, &["crates/task-core/src/lib.rs"]));
        assert!(!is_affected(CORE, &["crates/task-manager/src/lib.rs"]));
        assert!(!is_affected(CORE, &["examples/pipeline/src/main.rs"]));
    }

    #[test]
    fn a_text_affects_the_documentation_of_its_package_alone() {
        assert!(!is_affected(MANAGER, &["crates/task-manager/README.md"]));
        assert!(is_affected(MANAGER_DOCS, &["crates/task-manager/README.md"]));
        assert!(!is_affected(MANAGER_DOCS, &["crates/task-core/README.md"]));
    }

    #[test]
    fn a_text_of_the_repository_affects_the_documentation_of_the_facade() {
        for text in ["README.md", "CHANGELOG.md", "LICENSE-MIT"] {
            assert!(is_affected(FACADE_DOCS, &[text]), "{text}");
            assert!(!is_affected(MANAGER_DOCS, &[text]), "{text}");
            assert!(!is_affected(MANAGER, &[text]), "{text}");
        }
    }

    #[test]
    fn a_text_among_sources_or_tests_counts_as_code() {
        assert!(is_affected(MANAGER, &["crates/task-manager/tests/README.md"]));
        assert!(is_affected(MANAGER, &["crates/task-manager/src/api/notes.md"]));
    }

    #[test]
    fn the_innermost_package_owns_a_file() {
        let is_pipeline = Reads::Code(|package| package.name == "pipeline");
        let is_examples = Reads::Code(|package| package.name == "task-examples");
        let file = &["examples/pipeline/migrations/1_orders.sql"];
        assert!(is_affected(is_pipeline, file));
        assert!(!is_affected(is_examples, file));
    }

    #[test]
    fn what_no_package_owns_affects_everything_and_so_do_the_chores() {
        for file in ["Cargo.lock", "Cargo.toml", ".ci/run", "crates/gone/src/lib.rs"] {
            assert!(is_affected(CORE, &[file]), "{file}");
        }
        assert!(is_affected(CORE, &["xtask/src/ci/test.rs"]));
    }

    #[test]
    fn one_file_among_many_is_enough() {
        assert!(is_affected(CORE, &["README.md", "crates/task-core/src/lib.rs"]));
        assert!(!is_affected(CORE, &["README.md", "crates/task-manager/src/lib.rs"]));
    }

    #[test]
    fn a_section_that_reads_everything_is_always_affected() {
        assert!(is_affected(Reads::Everything, &["CHANGELOG.md"]));
    }

    fn git(workspace: &Workspace, arguments: &[&str]) {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
        let quiet = ["-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"];
        let git = Run::program(workspace, "git").arguments(identity).arguments(quiet);
        git.arguments(arguments).read().unwrap();
    }

    fn changed(workspace: &Workspace) -> (&'static str, Vec<String>) {
        let mut change = Change::read(workspace).unwrap();
        change.files.sort_unstable();
        (change.since, change.files)
    }

    #[test]
    fn commits_and_the_work_tree_are_compared_with_what_origin_has() {
        let root = std::env::temp_dir().join(format!("xtask-change-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let workspace =
            Workspace { root: root.clone(), target: root.join("target"), packages: vec![] };
        let write = |file: &str, text: &str| fs::write(root.join(file), text).unwrap();
        assert!(Change::read(&workspace).is_err(), "no repository");

        git(&workspace, &["init"]);
        write("old", "a file long enough to be recognized after a rename\n");
        write("edited", "before\n");
        write(".gitignore", "ignored\n");
        git(&workspace, &["add", "--all"]);
        git(&workspace, &["commit", "--message", "first"]);
        write("ignored", "");
        assert_eq!(changed(&workspace), ("HEAD", vec![]));

        write("edited", "after\n");
        write("new", "");
        fs::rename(root.join("old"), root.join("renamed")).unwrap();
        git(&workspace, &["add", "old", "renamed"]);
        let all = ["edited", "new", "old", "renamed"].map(str::to_owned).to_vec();
        assert_eq!(changed(&workspace), ("HEAD", all.clone()));

        git(&workspace, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
        git(&workspace, &["add", "--all"]);
        git(&workspace, &["commit", "--message", "second"]);
        assert_eq!(changed(&workspace), ("origin/main", all));
        fs::remove_dir_all(&root).unwrap();
    }
}
