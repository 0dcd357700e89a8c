//! The printed manifest.

use std::{error::Error as _, time::Duration};

use proptest::prelude::*;
use task_core::Timeout;
use task_service::{Manifest, Platform, Service};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn orders(service: &Service) -> Manifest {
    service.manifest("orders", "orders:1", "/orders")
}

/// The number in the only line that begins with this name.
fn number(text: &str, name: &str) -> u64 {
    let prefix = format!("{name}: ");
    let mut found = text.lines().filter_map(|line| line.trim().strip_prefix(&prefix));
    let number = found.next().unwrap().parse().unwrap();
    assert_eq!(found.next(), None, "{text}");
    number
}

proptest! {
    #[test]
    fn the_grace_has_room_for_the_whole_stop(
        total in 1_000_u64..100_000,
        drop in 0_u64..5_000,
        detects in any::<bool>(),
    ) {
        let total = Duration::from_millis(total);
        let drop = Duration::from_millis(drop);
        let mut service = Service::new()
            .drop_timeout(drop)
            .manager(|manager| manager.shutdown_timeout(total).drain_delay(Duration::ZERO));
        if detects {
            service = service.platform(None);
        }
        let text = orders(&service).print().unwrap();
        let grace = secs(number(&text, "terminationGracePeriodSeconds"));
        let least = total + secs(1) + drop.max(secs(1));
        prop_assert!(grace >= least && grace < least + secs(1), "{grace:?} for {least:?}");
        let variable = format!("name: \"TASK_GRACE_SECONDS\"\n              value: \"{}\"", grace.as_secs());
        prop_assert_eq!(text.contains(&variable), detects);
        prop_assert!(!text.contains("preStop"));
    }
}

#[test]
fn a_platform_that_the_program_names_has_its_grace_and_its_hook() {
    let platform = Platform::kubernetes().grace(secs(60)).pre_stop(Duration::from_millis(4500));
    let text = orders(&Service::new().platform(platform)).print().unwrap();
    assert_eq!(number(&text, "seconds"), 5);
    // The hook is half a second longer than the program says.
    assert_eq!(number(&text, "terminationGracePeriodSeconds"), 61);
    assert!(!text.contains("TASK_GRACE_SECONDS"), "{text}");
}

#[test]
fn the_default_is_that_of_the_manager() {
    let text = orders(&Service::new()).print().unwrap();
    assert_eq!(number(&text, "terminationGracePeriodSeconds"), 27);
    assert!(!text.contains("kind: Service\n") && text.contains("kind: PodDisruptionBudget\n"));
    let text = orders(&Service::new()).replicas(1).port("http", 80).print().unwrap();
    assert!(text.contains("kind: Service\n") && !text.contains("kind: PodDisruptionBudget\n"));
}

#[test]
fn a_service_that_would_not_start_has_no_manifest() {
    let endless = Service::new().manager(|manager| manager.shutdown_timeout(Timeout::Never));
    let short = Service::new()
        .platform(Platform::kubernetes())
        .manager(|manager| manager.shutdown_timeout(secs(29)));
    for service in [endless, short] {
        let error = orders(&service).print().unwrap_err();
        assert!(error.is_platform(), "{error}");
        assert!(error.source().unwrap().to_string().contains("does not fit Kubernetes"));
    }
}

#[test]
fn texts_are_literal() {
    let text = orders(&Service::new())
        .argument("a \"b\" \\ $(HOME) \u{2028}")
        .environment("LEVEL", "no")
        .print()
        .unwrap();
    assert!(text.contains(r#"- "a \"b\" \\ $$(HOME) \U00002028""#), "{text}");
    assert!(text.contains("name: \"LEVEL\"\n              value: \"no\"\n"), "{text}");
}

#[test]
fn what_kubernetes_would_not_take_is_an_error() {
    let service = Service::new();
    let named = |name: &str| service.manifest(name, "orders:1", "/orders");
    let log = Service::new().termination_log("why.txt");
    let bad = [
        (named("Orders"), "name `Orders`"),
        (named("1orders"), "name `1orders`"),
        (named(""), "name ``"),
        (service.manifest("orders", "a b", "/orders"), "image `a b`"),
        (service.manifest("orders", "a", "orders"), "path of the program `orders`"),
        (orders(&log), "termination log `why.txt`"),
        (named("orders").secret("a..b"), "name of a Secret `a..b`"),
        (named("orders").environment("A B", ""), "name of a variable `A B`"),
        (named("orders").environment("A", "").environment("A", ""), "name of a variable `A`"),
        (named("orders").environment("TASK_GRACE_SECONDS", "9"), "TASK_GRACE_SECONDS` is there"),
        (named("orders").environment("A", "\n"), "has a control character"),
        (named("orders").argument("\0"), "has a control character"),
        (named("orders").port("80", 80), "name of a port `80`"),
        (named("orders").port("a--b", 80), "name of a port `a--b`"),
        (named("orders").port("longer-than-fifteen", 80), "name of a port `longer-than-fifteen`"),
        (named("orders").port("probes", 80), "name of a port `probes` is there twice"),
        (named("orders").port("http", 9090), "port `9090` is there twice"),
        (named("orders").port("http", 0), "port `0` is zero"),
        (named("orders").probe_port(0), "port `0` is zero"),
        (named("orders").replicas(0), "number of replicas `0` is zero"),
        (named("orders").replicas(u32::MAX), "is too large"),
        (named("orders").start_timeout(Duration::ZERO), "start timeout `0ns` is zero"),
        (named("orders").start_timeout(Duration::MAX), "is too long"),
    ];
    for (manifest, expected) in bad {
        let error = manifest.print().unwrap_err();
        assert!(!error.is_platform());
        assert!(error.to_string().contains(expected), "{error}, not {expected}");
    }
}
