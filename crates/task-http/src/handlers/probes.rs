//! `/livez`, `/readyz` and `/startupz`.
//!
//! The body of a probe is `ok`, or one line for each thing that is looked at, in the form that Kubernetes' own servers
//! use: `[+]NAME ok` or `[-]NAME failed: REASON`. Who prefers JSON gets everything as JSON.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use hyper::{HeaderMap, StatusCode};
use task_core::{Blocker, Readiness, TaskInfo};
use tokio::time::{Instant, timeout_at};

use crate::{
    config::{Endpoint, limits::after},
    health::check::{Probe, Verdict},
    message::{
        negotiate,
        query::{Query, decoded},
        reply::Reply,
    },
    serve::server::Server,
};

mod json;

/// What one line says: nothing is wrong, or what is.
type Findings = BTreeMap<String, Option<Cow<'static, str>>>;

/// Answers a probe: about everything, or about `child` alone.
pub(crate) async fn answer(
    server: &Server,
    endpoint: Endpoint,
    child: Option<&str>,
    headers: &HeaderMap,
    query: Query<'_>,
) -> Reply {
    let is_json = match query.value("format").as_deref() {
        Some("json") => true,
        Some("text") => false,
        _ => negotiate::prefers_json(headers, "plain"),
    };
    let child = child.map(decoded);
    let excluded: Vec<_> = query.values("exclude").collect();
    let is_verbose = query.has("verbose");
    let in_full = is_json || is_verbose || child.is_some() || !excluded.is_empty();

    let wanted = |name: &str| {
        child.as_ref().is_none_or(|child| child == name)
            && !excluded.iter().any(|excluded| excluded == name)
    };
    let mut findings = Findings::new();
    // The checks take their time. What the rest looks like is looked at when they have ended: an answer that was begun
    // before a drain says that the group drains.
    match endpoint {
        Endpoint::Livez => {
            from_checks(server, Probe::Live, wanted, &mut findings).await;
            from_runtimes(server, &mut findings);
        }
        Endpoint::Startupz => from_startup(server, in_full, &mut findings),
        _ => {
            from_checks(server, Probe::Ready, wanted, &mut findings).await;
            from_group(server, in_full, &mut findings);
        }
    }
    let unknown: Vec<_> =
        excluded.iter().filter(|name| !is_known(server, endpoint, &findings, name)).collect();
    findings.retain(|name, _| wanted(name));
    if child.is_some() && findings.is_empty() {
        return Reply::text(StatusCode::NOT_FOUND, "no such check\n");
    }

    let has_failed = findings.values().any(Option::is_some);
    let status = if has_failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let unknown: Vec<&str> = unknown.into_iter().map(AsRef::as_ref).collect();
    let vary = Some("Accept");
    if is_json {
        let body = json::write(endpoint, &findings, &unknown);
        let content_type = "application/json".into();
        return Reply { content_type, vary, ..Reply::text(status, body) };
    }
    if !has_failed && !is_verbose {
        return Reply { vary, ..Reply::text(status, "ok\n") };
    }
    // Writing to a string cannot fail.
    let mut body = String::new();
    for (name, reason) in &findings {
        let name = OneLine(name);
        match reason {
            Some(reason) => _ = writeln!(body, "[-]{name} failed: {}", OneLine(reason)),
            None if in_full => _ = writeln!(body, "[+]{name} ok"),
            None => {}
        }
    }
    for name in unknown {
        let _ = writeln!(body, "warn: no check `{}` to exclude", OneLine(name));
    }
    let _ = writeln!(body, "{endpoint} check {}", if has_failed { "failed" } else { "passed" });
    Reply { vary, ..Reply::text(status, body) }
}

/// The runtime that answers this, and others that are watched.
fn from_runtimes(server: &Server, findings: &mut Findings) {
    findings.insert("runtime".to_owned(), None);
    for pulse in &server.pulses {
        let reason = |stalled| format!("has run nothing new for {stalled:.1?}").into();
        findings.insert(pulse.name.clone(), pulse.stalled().map(reason));
    }
}

/// The manager and every task that gates readiness; if not in full, only what is wrong with them.
fn from_group(server: &Server, in_full: bool, findings: &mut Findings) {
    let readiness = if in_full {
        let snapshot = server.group.snapshot();
        findings.insert("manager".to_owned(), None);
        for TaskInfo { name, is_ready, .. } in
            snapshot.tasks.into_iter().filter(|task| task.gates_readiness)
        {
            findings.insert(format!("task/{name}"), (!is_ready).then_some("not ready".into()));
        }
        snapshot.readiness
    } else {
        server.group.readiness()
    };
    from_blockers(readiness, findings);
}

fn from_startup(server: &Server, in_full: bool, findings: &mut Findings) {
    if server.group.readiness().has_started {
        findings.insert("manager".to_owned(), None);
    } else {
        from_group(server, in_full, findings);
        // Ready for the first time, this very instant.
        findings.entry("manager".to_owned()).or_insert(None);
    }
}

fn from_blockers(readiness: Readiness, findings: &mut Findings) {
    for blocker in readiness.blockers {
        let (name, reason) = match blocker {
            Blocker::SettingUp => ("manager".to_owned(), "setting up".into()),
            Blocker::ShuttingDown(step) => {
                ("manager".to_owned(), format!("shutting down ({step})").into())
            }
            Blocker::NotReady(name) => (format!("task/{name}"), "not ready".into()),
            Blocker::HasEnded(name, outcome) => {
                (format!("task/{name}"), format!("has ended ({outcome})").into())
            }
            other => ("manager".to_owned(), other.to_string().into()),
        };
        findings.insert(name, Some(reason));
    }
}

/// Runs the checks that are wanted, together.
async fn from_checks(
    server: &Server,
    probe: Probe,
    wanted: impl Fn(&str) -> bool,
    findings: &mut Findings,
) {
    let checks = server.checks.iter().filter(|check| check.probe == probe && wanted(&check.name));
    let begun: Vec<_> =
        checks.map(|check| (check, check.begin(&server.limits, &server.helpers))).collect();
    // A check that blocks its thread does not see its own time limit.
    let deadline = after(Instant::now(), server.limits.check_time);
    for (check, boarded) in begun {
        let verdict = match timeout_at(deadline, boarded.landed()).await {
            Ok(verdict) => verdict.unwrap_or(Verdict::Panicked),
            Err(_) => Verdict::TimedOut,
        };
        let reason = match verdict {
            Verdict::Passed => None,
            Verdict::Failed(reason) if server.reveals_reasons => Some(reason.to_string().into()),
            Verdict::Failed(_) => Some("reason withheld".into()),
            Verdict::TimedOut => Some("timed out".into()),
            Verdict::Panicked => Some("panicked".into()),
        };
        findings.insert(check.name.clone(), reason);
    }
}

fn is_known(server: &Server, endpoint: Endpoint, findings: &Findings, name: &str) -> bool {
    let probe = match endpoint {
        Endpoint::Livez => Some(Probe::Live),
        Endpoint::Readyz => Some(Probe::Ready),
        _ => None,
    };
    findings.contains_key(name)
        || server.checks.iter().any(|check| Some(check.probe) == probe && check.name == name)
}

/// Shows a text without line breaks and other control characters, which would forge lines.
struct OneLine<'a>(&'a str);

impl std::fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|character| {
            f.write_char(if character.is_control() { ' ' } else { character })
        })
    }
}
