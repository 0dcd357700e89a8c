//! Runs the examples: one that hangs or ends with the wrong exit code is broken.
//!
//! An example that has to end with a code other than 0, or that runs until a signal stops it,
//! states so in a line of its `//!` header, where its readers see it too:
//!
//! ```text
//! //! Expected exit code: 1
//! //! Stopped with: SIGTERM after it printed `listening`
//! ```

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::Run;
use crate::running::Running;
use crate::section::Ending;
use crate::workspace::{Target, Workspace};

/// The package of the small examples.
pub(super) const PACKAGE: &str = "task-examples";
/// The time one example may run; the longest is meant to take a few seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// The expected end of an example.
#[derive(Debug, PartialEq, Eq)]
struct Expectation {
    code: i32,
    /// The signal to send, such as `TERM`, and the text after which it is sent.
    stopped: Option<(String, String)>,
}

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    let targets = &workspace.package(PACKAGE)?.targets;
    let examples = targets.iter().filter(|target| target.kind == "example");
    Run::cargo(workspace)
        .arguments(["build", "--quiet", "--locked", "-p", PACKAGE])
        .arguments(["--all-features", "--examples"])
        .run()?;
    let mut failed = Vec::new();
    for example in examples {
        if let Err(error) = try_one(workspace, example) {
            println!("FAILED: {}: {error:#}", example.name);
            failed.push(example.name.as_str());
        }
    }
    if !failed.is_empty() {
        bail!("examples with an unexpected end: {}", failed.join(", "));
    }
    Ok(Ending::Passed)
}

fn try_one(workspace: &Workspace, example: &Target) -> Result<()> {
    let source = fs::read_to_string(&example.source)?;
    let expectation = Expectation::read(&source)?;
    let folder = workspace.target.join("debug").join("examples");
    let begun = Instant::now();
    let mut running =
        Running::start(Run::program(workspace, folder.join(&example.name)).into_command())?;
    let ended = expectation.meet(&mut running);
    if ended.is_err() {
        println!("{}", running.output());
    } else {
        println!("  as expected, {} ms", begun.elapsed().as_millis());
    }
    ended
}

impl Expectation {
    fn read(source: &str) -> Result<Self> {
        let mut expectation = Self { code: 0, stopped: None };
        for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
            if let Some(code) = line.trim().strip_prefix("Expected exit code:") {
                let code = code.trim().trim_end_matches('.');
                expectation.code = code.parse().with_context(|| format!("exit code `{code}`"))?;
            }
            if let Some(stopped) = line.trim().strip_prefix("Stopped with:") {
                expectation.stopped = Some(read_stopped(stopped).with_context(|| {
                    format!("`Stopped with:{stopped}` is not of the form SIGTERM after it printed `text`")
                })?);
            }
        }
        Ok(expectation)
    }

    fn meet(&self, running: &mut Running) -> Result<()> {
        if let Some((signal, text)) = &self.stopped {
            let what = format!("it printed `{text}`");
            running.until(&what, LIMIT, |output| Ok(output.contains(text).then_some(())))?;
            running.signal(signal)?;
        }
        let status = running.ended(LIMIT)?;
        ensure!(status.code() == Some(self.code), "{status}, expected exit code {}", self.code);
        Ok(())
    }
}

fn read_stopped(line: &str) -> Option<(String, String)> {
    let (signal, text) = line.trim().strip_prefix("SIG")?.split_once(" after it printed `")?;
    let (text, _) = text.split_once('`')?;
    Some((signal.to_owned(), text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Expectation;

    #[test]
    fn an_example_ends_without_a_signal_and_with_code_0_by_default() {
        let expectation = Expectation::read("//! The first.\nfn main() {}\n").unwrap();
        assert_eq!(expectation, Expectation { code: 0, stopped: None });
    }

    #[test]
    fn the_header_names_the_code_and_the_signal() {
        let source = "//! A service.\n//!\n//! Expected exit code: 143.\n\
                      //! Stopped with: SIGTERM after it printed `listening on`\nfn main() {}\n";
        let stopped = Some(("TERM".to_owned(), "listening on".to_owned()));
        assert_eq!(Expectation::read(source).unwrap(), Expectation { code: 143, stopped });
    }

    #[test]
    fn only_the_header_is_read() {
        let source = "//! The first.\nfn main() {}\n//! Expected exit code: 1\n";
        assert_eq!(Expectation::read(source).unwrap().code, 0);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        assert!(Expectation::read("//! Expected exit code: one\n").is_err());
        assert!(Expectation::read("//! Stopped with: Ctrl-C\n").is_err());
    }
}
