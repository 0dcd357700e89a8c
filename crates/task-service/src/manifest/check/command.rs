//! How a container runs the program: whether signals reach it, and connections.

use super::{
    super::{Findings, Place, place::shown},
    pod::Pod,
};

const SHELLS: &[&str] = &["sh", "ash", "bash", "dash", "ksh", "zsh"];
/// Programs that run another as it is.
const WRAPPERS: &[&str] = &["busybox", "dumb-init", "env", "tini", "catatonit"];
/// What stops a service by default.
const SIGNALS: &[&str] = &["SIGTERM", "SIGINT", "SIGQUIT"];

pub(super) fn check(pod: &Pod<'_, '_>, findings: &mut Findings) {
    let container = &pod.container;
    let field = if container.at("command").is_some() { "command" } else { "args" };
    let mut words = container.words(field);
    if field == "command" {
        words.extend(container.words("args"));
    }
    if let Some(shell) = shell_without_exec(&words) {
        let text = format!(
            "{} gets the signal to stop and does not pass it on: run the program itself, or by \
             `exec`",
            shown(shell)
        );
        findings.error("shell", &container.at_or_here(field), text);
    }
    if let Some(place) = container.at("lifecycle.stopSignal")
        && let Some(signal) = place.node.text()
        && !SIGNALS.contains(&signal)
    {
        let text = format!("{} is not a signal that stops the service", shown(signal));
        findings.error("stop-signal", &place, text);
    }
    check_loopback(pod, findings);
}

/// Returns the shell that runs the program as its child, if there is one.
fn shell_without_exec<'a>(words: &[&'a str]) -> Option<&'a str> {
    let is_wrapper =
        |word: &str| word.starts_with('-') || word.contains('=') || WRAPPERS.contains(&file(word));
    let first = words.iter().position(|word| !is_wrapper(word))?;
    let (shell, rest) = words[first..].split_first()?;
    if !SHELLS.contains(&file(shell)) {
        return None;
    }
    // Without `-c` it runs a script, which is not known.
    let option = rest.iter().position(|word| word.starts_with('-') && word.ends_with('c'))?;
    let script = rest.get(option + 1)?;
    let mut commands = script.split(['\n', ';', '&', '|']).map(str::trim);
    let replaces = commands.any(|command| command == "exec" || command.starts_with("exec "));
    (!replaces).then_some(shell)
}

fn file(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A port that is served on the loopback address alone is out of reach, also for probes.
fn check_loopback(pod: &Pod<'_, '_>, findings: &mut Findings) {
    let words = ["command", "args"].into_iter().flat_map(|field| pod.container.list(field));
    let values = pod.container.list("env").into_iter().filter_map(|variable| variable.at("value"));
    for place in words.chain(values) {
        let text = place.node.text().unwrap_or_default();
        let port = ["127.0.0.1:", "localhost:", "[::1]:"].into_iter().find_map(|host| {
            let (_, rest) = text.split_once(host)?;
            let digits = rest.split(|character: char| !character.is_ascii_digit()).next()?;
            digits.parse().ok().filter(|port| pod.is_served(*port))
        });
        if let Some(port) = port {
            add_loopback(&place, port, findings);
        }
    }
}

fn add_loopback(place: &Place<'_>, port: u64, findings: &mut Findings) {
    let text = format!(
        "port {port} is served within the pod alone: probes and clients ask its other address, \
         which 0.0.0.0:{port} has"
    );
    findings.error("loopback", place, text);
}
