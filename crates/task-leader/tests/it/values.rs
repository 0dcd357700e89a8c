//! Values that constructors refuse, and identities.

use task_leader::{LeaderError, MemoryLock, Times, leading};

use crate::rig::{ms, secs};

fn text(times: Result<Times, LeaderError>) -> String {
    times.map_or_else(|error| error.to_string(), |times| format!("{times:?}"))
}

#[test]
fn times_that_do_not_fit_are_refused() {
    assert_eq!(text(Times::new(secs(15), secs(10), ms(9))), "retry of 9ms is shorter than 10ms");
    assert_eq!(
        text(Times::new(secs(15), secs(3), secs(2))),
        "deadline of 3s is shorter than two retries of 2s"
    );
    let lease = "lease of 10.9s is not from 1s more than the deadline of 10s to a day long";
    assert_eq!(text(Times::new(ms(10_900), secs(10), secs(2))), lease);
    assert!(Times::new(secs(24 * 3600 + 1), secs(10), secs(2)).is_err());
    assert!(Times::new(std::time::Duration::MAX, std::time::Duration::MAX, secs(2)).is_err());
    assert_eq!(Times::new(secs(15), secs(10), secs(2)).unwrap(), Times::default());
    assert_eq!(Times::new(secs(11), secs(10), secs(2)).unwrap().stop_budget(), ms(0));
}

#[test]
fn two_replicas_of_one_name_have_two_identities() {
    let task = || leading("purge", MemoryLock::new(), async |_, _| Ok(())).identity("pod");
    let (one, other) = (task().handle().identity(), task().handle().identity());
    assert!(one != other && one.starts_with("pod-") && one.len() == 20, "{one} {other}");
}
