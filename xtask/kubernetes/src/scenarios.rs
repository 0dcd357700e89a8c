//! All scenarios: a sentence each, and how it is shown.

mod ends;
mod manifests;
mod shop;
mod traffic;

use anyhow::Result;

use crate::stage::Stage;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) shows: &'static str,
    /// Whether it belongs to the quick form.
    pub(crate) is_quick: bool,
    /// Returns what was seen, in a few words.
    pub(crate) run: fn(&Stage<'_>) -> Result<String>,
}

/// A new scenario is one entry here.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "apply",
        shows: "two replicas of the shop are ready, by its probes, and stop cleanly",
        is_quick: true,
        run: shop::apply,
    },
    Scenario {
        name: "manifests",
        shows: "Kubernetes takes each manifest of the checker's tests, good or bad",
        is_quick: true,
        run: manifests::accepted,
    },
    Scenario {
        name: "rollout",
        shows: "no request fails in a rollout under load, with a drain of 5 s",
        is_quick: true,
        run: shop::rollout,
    },
    Scenario {
        name: "force",
        shows: "a replica that is deleted by force loses no acknowledged order",
        is_quick: true,
        run: shop::force,
    },
    Scenario {
        name: "crash",
        shows: "each replica in turn ends by SIGKILL, and loses no acknowledged order",
        is_quick: false,
        run: shop::crash,
    },
    Scenario {
        name: "wedge",
        shows: "a wedged runtime fails the liveness probe; the message names what is stuck",
        is_quick: true,
        run: ends::wedge,
    },
    Scenario {
        name: "ends",
        shows: "what the kubelet shows after each kind of end",
        is_quick: false,
        run: ends::codes,
    },
    Scenario {
        name: "grace",
        shows: "a grace period shorter than the shutdown ends it, in the second it says",
        is_quick: false,
        run: ends::grace,
    },
    Scenario {
        name: "rollouts",
        shows: "twenty rollouts under load, scaled up and down in between, fail no request",
        is_quick: false,
        run: shop::rollouts,
    },
    Scenario {
        name: "traffic",
        shows: "a deleted pod gets new connections for less than the drain of the preset",
        is_quick: false,
        run: traffic::last_connections,
    },
];
