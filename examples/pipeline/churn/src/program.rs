//! Programs that are run to their end.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// Runs it and returns what it wrote to stdout.
///
/// # Errors
///
/// It could not be started, or ended with another code than 0; then what it wrote to stderr is in the message.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let shown: Vec<OsString> =
        [command.get_program()].into_iter().chain(command.get_args()).map(OsString::from).collect();
    let shown = shown.join(" ".as_ref()).to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{shown}`: {}\n{told}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
