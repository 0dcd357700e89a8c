//! This test program as a child process: with an environment and descriptors of its own.

use std::{
    env,
    os::fd::OwnedFd,
    process::{Command, Output, Stdio},
};

/// In the environment of a child.
const IS_CHILD: &str = "TASK_SYSTEMD_CHILD";

/// Whether this is the child, which plays the scenario.
pub(crate) fn is_child() -> bool {
    env::var_os(IS_CHILD).is_some()
}

/// Runs one test of this program as a child, with up to two sockets as descriptors 3 and 4.
/// `LISTEN_PID` is set to the child's id.
pub(crate) fn run(test: &str, environment: &[(&str, &str)], sockets: Vec<OwnedFd>) -> Output {
    let redirections = ["", "3<&0", "3<&0 4<&1"][sockets.len()];
    let script = format!("LISTEN_PID=$$ exec \"$0\" \"$@\" {redirections} 0</dev/null 1>&2");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(IS_CHILD, "1");
    command.envs(environment.iter().copied());
    let mut sockets = sockets.into_iter().map(Stdio::from);
    command.stdin(sockets.next().unwrap_or_else(Stdio::null));
    command.stdout(sockets.next().unwrap_or_else(Stdio::null));
    command.stderr(Stdio::piped());
    command.output().unwrap()
}

/// Runs it, and fails if it did.
pub(crate) fn pass(test: &str, environment: &[(&str, &str)], sockets: Vec<OwnedFd>) {
    let output = run(test, environment, sockets);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}
