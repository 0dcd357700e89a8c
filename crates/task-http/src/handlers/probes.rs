//! `/livez`, `/readyz` and `/startupz`.
//!
//! The body of a probe is `ok`, or one line for each item, in the form of the servers of
//! Kubernetes: `[+]NAME ok` or `[-]NAME failed: REASON`. A client that prefers JSON gets all items
//! as JSON.
//!
//! | probe | items |
//! |---|---|
//! | `/livez` | the liveness checks, `runtime`, and `runtime/NAME` for each other runtime that is watched |
//! | `/readyz` | the readiness checks, `manager`, and `task/NAME` for each task that gates readiness |
//! | `/startupz` | those of `/readyz` without the checks until the group was ready once, then `manager` |
//!
//! Without a query, a probe takes no snapshot of the group, which would cost time in proportion to
//! the number of tasks.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{self, Write},
};

use hyper::{HeaderMap, StatusCode};
use task_core::{Blocker, Group, Readiness, TaskInfo};

use crate::{
    config::{Endpoint, Limits},
    health::{Health, check::Probe},
    message::{
        negotiate::{self, Alternative},
        query::{Query, decoded},
        reply::Reply,
    },
};

mod json;

/// The items of a probe by name, with the reason of each that failed.
type Items = BTreeMap<String, Option<Cow<'static, str>>>;

/// What a probe looks at.
pub(crate) struct Probes<'a> {
    pub(crate) health: &'a Health,
    pub(crate) group: &'a Group,
    pub(crate) limits: &'a Limits,
}

impl Probes<'_> {
    /// Responds to a probe: about all items, or about `child` alone.
    pub(crate) async fn respond(
        &self,
        endpoint: Endpoint,
        child: Option<&str>,
        headers: &HeaderMap,
        query: Query<'_>,
    ) -> Reply {
        let is_json = negotiate::wants_json(headers, query, Alternative::Text);
        let child = child.map(decoded);
        let excluded: Vec<_> = query.values("exclude").collect();
        let is_verbose = query.has("verbose");
        let detailed = is_json || is_verbose || child.is_some() || !excluded.is_empty();

        let wanted = |name: &str| {
            child.as_ref().is_none_or(|child| child == name)
                && !excluded.iter().any(|excluded| excluded == name)
        };
        let mut items = Items::new();
        // The group is read after the checks have ended, so that a drain that began meanwhile
        // shows.
        let probe = match endpoint {
            Endpoint::Livez => {
                self.add_checks(Probe::Live, wanted, &mut items).await;
                self.add_runtimes(&mut items);
                Some(Probe::Live)
            }
            Endpoint::Startupz => {
                self.add_startup(detailed, &mut items);
                None
            }
            Endpoint::Readyz | Endpoint::Index | Endpoint::Metrics | Endpoint::Tasks => {
                self.add_checks(Probe::Ready, wanted, &mut items).await;
                self.add_group(detailed, &mut items);
                Some(Probe::Ready)
            }
        };
        let is_known = |name: &str| {
            let has_check = |probe| self.health.checks_of(probe).any(|check| check.name == name);
            items.contains_key(name) || probe.is_some_and(has_check)
        };
        // A name that is excluded is reported as unknown before the excluded items are removed.
        let unknown: Vec<&str> =
            excluded.iter().map(AsRef::as_ref).filter(|name| !is_known(name)).collect();
        items.retain(|name, _| wanted(name));
        if child.is_some() && items.is_empty() {
            return Reply::text(StatusCode::NOT_FOUND, "no such check\n");
        }

        let has_failed = items.values().any(Option::is_some);
        let status = if has_failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let vary = Some("Accept");
        if is_json {
            let body = json::write(endpoint, &items, &unknown);
            let content_type = "application/json".into();
            return Reply { content_type, vary, ..Reply::text(status, body) };
        }
        if !has_failed && !is_verbose {
            return Reply { vary, ..Reply::text(status, "ok\n") };
        }
        let mut body = String::new();
        // Writing to a string cannot fail.
        let _ = write_text(&mut body, endpoint, &items, &unknown, detailed);
        Reply { vary, ..Reply::text(status, body) }
    }

    /// Adds the checks that are wanted, after running them.
    async fn add_checks(&self, probe: Probe, wanted: impl Fn(&str) -> bool, items: &mut Items) {
        for (check, result) in self.health.run_checks(probe, self.limits, wanted).await {
            let reason = result.reason(self.health.reveals_reasons);
            items.insert(check.name.clone(), reason);
        }
    }

    /// Adds the runtimes. The one that runs this code works, even if it has no monitor.
    fn add_runtimes(&self, items: &mut Items) {
        items.insert("runtime".to_owned(), None);
        for monitor in &self.health.monitors {
            let reason = |stalled| format!("no spawned task has run for {stalled:.1?}").into();
            items.insert(monitor.name.clone(), monitor.stalled().map(reason));
        }
    }

    /// Adds the manager and the tasks that gate readiness; unless `detailed`, only those that are
    /// not ready.
    fn add_group(&self, detailed: bool, items: &mut Items) {
        if !detailed {
            return add_blockers(self.group.readiness(), items);
        }
        let snapshot = self.group.snapshot();
        items.insert("manager".to_owned(), None);
        let gating = snapshot.tasks.into_iter().filter(|task| task.gates_readiness);
        for TaskInfo { name, is_ready, .. } in gating {
            items.insert(format!("task/{name}"), (!is_ready).then_some("not ready".into()));
        }
        add_blockers(snapshot.readiness, items);
    }

    /// Adds the manager as passed once the group has been ready, and what
    /// [`add_group`](Self::add_group) adds before.
    fn add_startup(&self, detailed: bool, items: &mut Items) {
        if self.group.readiness().has_started {
            items.insert("manager".to_owned(), None);
        } else {
            self.add_group(detailed, items);
            // It may have become ready for the first time between the two reads.
            items.entry("manager".to_owned()).or_insert(None);
        }
    }
}

/// Adds the reasons why the group is not ready, under the names of their items.
fn add_blockers(readiness: Readiness, items: &mut Items) {
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
            Blocker::CheckFailed(name) => (name, "failed".into()),
            // The enum is non-exhaustive.
            other => ("manager".to_owned(), other.to_string().into()),
        };
        items.insert(name, Some(reason));
    }
}

/// Writes one line for each item that failed, or for all if `detailed`, and the result.
fn write_text(
    out: &mut String,
    endpoint: Endpoint,
    items: &Items,
    unknown: &[&str],
    detailed: bool,
) -> fmt::Result {
    let mut has_failed = false;
    for (name, reason) in items {
        let name = OneLine(name);
        match reason {
            Some(reason) => {
                has_failed = true;
                writeln!(out, "[-]{name} failed: {}", OneLine(reason))?;
            }
            None if detailed => writeln!(out, "[+]{name} ok")?,
            None => {}
        }
    }
    for name in unknown {
        writeln!(out, "warn: no check `{}` to exclude", OneLine(name))?;
    }
    writeln!(out, "{endpoint} check {}", if has_failed { "failed" } else { "passed" })
}

/// Displays a text with its control characters as blanks, since a line break would forge a line.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| {
            f.write_char(if character.is_control() { ' ' } else { character })
        })
    }
}
