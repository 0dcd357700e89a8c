//! Runs other programs to completion.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// Runs a program and returns its stdout.
///
/// # Errors
///
/// Returns an error if the program could not be started, or did not exit with 0; the message then
/// has its stderr.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let shown: Vec<OsString> =
        [command.get_program()].into_iter().chain(command.get_args()).map(OsString::from).collect();
    let shown = shown.join(" ".as_ref()).to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{shown}`: {}\n{stderr}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
