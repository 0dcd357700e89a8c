//! Who leads next, and when.

use tokio::time::{sleep, timeout};

use crate::rig::{Marks, Replica, ms, secs, worker};
use task_leader::MemoryLock;

#[tokio::test(start_paused = true)]
async fn the_first_replica_leads_and_the_others_follow_and_are_ready() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let one = Replica::run(worker("one", &lock, &marks, ms(0)));
    sleep(secs(1)).await;
    let two = Replica::run(worker("two", &lock, &marks, ms(0)));
    sleep(secs(100)).await;
    assert_eq!(marks.texts(), ["one begins 1"]);
    assert!(one.handle.is_leader() && !two.handle.is_leader());
    assert_eq!(one.handle.term(), Some(1));
    assert_eq!(two.handle.holder(), Some(one.handle.identity()));
    assert_eq!((one.scope.readiness(), two.scope.readiness()), (vec![true], vec![true]));
    let follows = format!("follows {}, term 1", one.handle.identity());
    assert_eq!(two.scope.statuses().last().unwrap(), &follows);
    assert_eq!(one.scope.statuses().last().unwrap(), "leads, term 1");
}

#[tokio::test(start_paused = true)]
async fn an_orderly_stop_hands_over_within_100_ms_after_the_inner_task_has_ended() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let one = Replica::run(worker("one", &lock, &marks, secs(3)));
    sleep(secs(1)).await;
    let two = Replica::run(worker("two", &lock, &marks, ms(0)));
    sleep(ms(30_300)).await;
    one.scope.cancel();
    sleep(secs(4)).await;
    one.running.await.unwrap().unwrap();
    assert_eq!(marks.texts(), ["one begins 1", "one ends 1", "one is gone 1", "two begins 2"]);
    let gap = marks.when("two begins 2") - marks.when("one is gone 1");
    assert!(gap <= ms(150), "{gap:?}");
    assert!(two.handle.is_leader());
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_another_replica_leads_within_the_lease_and_a_retry() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let one = Replica::run(worker("one", &lock, &marks, ms(0)));
    sleep(secs(1)).await;
    let _two = Replica::run(worker("two", &lock, &marks, ms(0)));
    sleep(ms(30_700)).await;
    one.running.abort();
    let killed = marks.now();
    sleep(secs(18)).await;
    let gap = marks.when("two begins 2") - killed;
    // The last renewal was at most a retry before.
    assert!((secs(13)..=secs(17)).contains(&gap), "{gap:?}");
    assert_eq!(lock.record().unwrap().term, 2);
}

#[tokio::test(start_paused = true)]
async fn of_fifty_replicas_one_leads_in_each_term_and_terms_only_grow() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let mut replicas: Vec<_> =
        (0..50).map(|_| Replica::run(worker("it", &lock, &marks, ms(100)))).collect();
    for term in 1..=20_u64 {
        sleep(secs(60)).await;
        let leaders: Vec<_> =
            (0..replicas.len()).filter(|index| replicas[*index].handle.is_leader()).collect();
        assert_eq!(leaders.len(), 1);
        assert_eq!(replicas[leaders[0]].handle.term(), Some(term));
        let leader = replicas.swap_remove(leaders[0]);
        leader.scope.cancel();
        leader.running.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_asked_to_step_down_waits_for_two_retries() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let one = Replica::run(worker("one", &lock, &marks, secs(1)));
    sleep(secs(1)).await;
    assert!(one.handle.step_down("balance") && !one.handle.step_down("balance"));
    sleep(secs(10)).await; // alone, it leads again
    assert_eq!(marks.texts(), ["one begins 1", "one ends 1", "one is gone 1", "one begins 2"]);
    let gap = marks.when("one begins 2") - marks.when("one is gone 1");
    assert!((secs(4)..secs(5)).contains(&gap), "{gap:?}");
    let two = Replica::run(worker("two", &lock, &marks, ms(0)));
    sleep(secs(5)).await;
    one.handle.step_down("balance");
    sleep(secs(5)).await;
    assert!(two.handle.is_leader() && !one.handle.is_leader());
}

#[tokio::test(start_paused = true)]
async fn a_step_down_drops_an_inner_task_that_does_not_end() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let one = Replica::run(worker("one", &lock, &marks, secs(1000)));
    sleep(secs(1)).await;
    let asked = marks.now();
    one.handle.step_down("balance");
    sleep(secs(10)).await;
    assert_eq!(marks.when("one is gone 1") - asked, secs(4));
    assert_eq!(marks.texts(), ["one begins 1", "one is gone 1", "one begins 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_between_the_call_and_the_await_is_not_missed() {
    let replica = Replica::run(worker("a", &MemoryLock::new(), &Marks::new(), ms(0)));
    let changed = replica.handle.changed();
    assert!(!replica.handle.is_leader());
    sleep(secs(1)).await;
    assert!(replica.handle.is_leader());
    timeout(secs(60), changed).await.expect("it leads since the call");
    timeout(secs(60), replica.handle.changed()).await.expect_err("nothing changes");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_lead_is_a_change_before_the_inner_task_has_ended() {
    let lock = MemoryLock::new();
    let replica = Replica::run(worker("a", &lock, &Marks::new(), secs(2)));
    sleep(secs(1)).await;
    let changed = replica.handle.changed();
    assert!(replica.handle.step_down("a test"));
    timeout(ms(100), changed).await.expect("it was asked to end");
    assert!(!replica.handle.is_leader());
}
