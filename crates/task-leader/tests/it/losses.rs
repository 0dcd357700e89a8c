//! The register is away, or says that another leads.

use std::{sync::mpsc, thread};

use task_core::{Context, Task};
use task_leader::{MemoryFault, MemoryLock, OnLoss, Record, Term, TermOver, leading};
use task_testkit::TestScope;
use tokio::time::sleep;

use crate::rig::{Marks, OnDrop, Replica, ms, secs, worker};

/// A replica whose faults the test sets.
fn faulty(
    lock: &MemoryLock,
    marks: &Marks,
    ends_in: std::time::Duration,
) -> (MemoryLock, task_leader::Leading<MemoryLock>) {
    let access = lock.replica();
    let marks = marks.clone();
    let task = leading("purge", access.clone(), move |term: Term, ctx: Context| {
        let marks = marks.clone();
        async move {
            let number = term.number();
            marks.mark(format!("begins {number}"));
            let _gone = OnDrop(marks.clone(), format!("gone {number}"));
            term.check().unwrap();
            ctx.cancelled().await;
            marks.mark(format!(
                "cancelled {number}, {:?} left",
                ctx.remaining().map(|d| d.as_secs())
            ));
            marks.mark(format!("check {number} {}", term.check().is_ok()));
            sleep(ends_in).await;
            Ok(())
        }
    });
    (access, task)
}

#[tokio::test(start_paused = true)]
async fn a_register_that_is_away_for_less_than_the_deadline_is_no_loss() {
    for fault in [MemoryFault::Away, MemoryFault::Hangs, MemoryFault::LosesAnswers] {
        let (lock, marks) = (MemoryLock::new(), Marks::new());
        let (access, task) = faulty(&lock, &marks, ms(0));
        let one = Replica::run(task);
        sleep(ms(20_100)).await;
        access.set_fault(Some(fault));
        sleep(ms(7000)).await;
        access.set_fault(None);
        sleep(secs(60)).await;
        assert_eq!(marks.texts(), ["begins 1"], "{fault:?}");
        assert!(one.handle.is_leader());
        assert!(lock.record().unwrap().renewals > 30);
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_task_is_asked_to_end_and_a_second_before_the_end_it_is_gone() {
    for fault in [MemoryFault::Away, MemoryFault::Hangs, MemoryFault::LosesAnswers] {
        let (lock, marks) = (MemoryLock::new(), Marks::new());
        let (access, task) = faulty(&lock, &marks, secs(100));
        let one = Replica::run(task);
        sleep(ms(20_100)).await;
        let renewed = secs(20); // the last renewal is of this second, or a little later
        access.set_fault(Some(fault));
        sleep(secs(30)).await;
        let texts = ["begins 1", "cancelled 1, Some(3) left", "check 1 false", "gone 1"];
        let seen = marks.texts();
        assert_eq!(
            (&*seen[0], &seen[2..]),
            (texts[0], &[texts[2].to_owned(), texts[3].to_owned()][..])
        );
        let (asked, gone) = (marks.when(&seen[1]) - renewed, marks.when("gone 1") - renewed);
        assert!((secs(9)..=ms(10_300)).contains(&asked), "{fault:?} {asked:?}");
        assert!((secs(13)..=ms(14_300)).contains(&gone), "{fault:?} {gone:?}");
        assert!(!one.handle.is_leader());
        assert!(
            one.handle.to_string().contains("losses_total{lock=\"purge\",why=\"deadline\"} 1\n")
        );
        // It is no failure, and it leads again.
        access.set_fault(None);
        sleep(secs(60)).await;
        assert!(one.handle.is_leader(), "{fault:?}");
        assert_eq!(marks.texts().len(), 5);
        assert!(one.handle.term().unwrap() > 1);
        assert_eq!(one.scope.failures().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_after_the_deadline_does_not_resurrect_the_term() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let (access, task) = faulty(&lock, &marks, ms(2500));
    let one = Replica::run(task);
    sleep(ms(20_100)).await;
    access.set_fault(Some(MemoryFault::Away));
    sleep(secs(11)).await;
    access.set_fault(None);
    sleep(secs(20)).await;
    let texts = marks.texts();
    assert_eq!(texts[3..], ["gone 1", "begins 2"]);
    let gap = marks.when("begins 2") - marks.when("gone 1");
    assert!(gap < ms(200), "it is released and taken again at once: {gap:?}");
    assert!(one.handle.is_leader());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_taken_leaves_no_time() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let (_, task) = faulty(&lock, &marks, secs(100));
    let one = Replica::run(task);
    sleep(ms(20_500)).await;
    let holder = Some("another".to_owned());
    lock.set_record(Some(Record { holder, term: 9, renewals: 0, lease: secs(15) }));
    sleep(secs(3)).await;
    assert!(marks.when("gone 1") < ms(22_600), "{:?}", marks.texts());
    assert_eq!(one.handle.holder().unwrap(), "another");
    assert!(one.handle.to_string().contains("why=\"taken\"} 1\n"));
    sleep(secs(20)).await;
    assert_eq!(one.handle.term(), Some(10), "it waits for the lease, and leads with a higher term");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_begins_no_term_and_a_new_one_is_taken() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    lock.set_record(Some(Record { holder: None, term: 7, renewals: 0, lease: secs(15) }));
    let (access, task) = faulty(&lock, &marks, ms(0));
    let one = Replica::run(task);
    // It has read the release, and writes within 100 ms, which is applied and not answered.
    tokio::task::yield_now().await;
    access.set_fault(Some(MemoryFault::LosesAnswers));
    sleep(ms(500)).await;
    assert_eq!(lock.record().unwrap().term, 8);
    access.set_fault(None);
    sleep(secs(10)).await;
    assert_eq!(marks.texts(), ["begins 9"]);
    assert_eq!(one.handle.term(), Some(9));
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_in_the_report_or_fails_the_task_if_so_chosen() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let (access, task) = faulty(&lock, &marks, ms(0));
    let one = Replica::run(task.on_loss(OnLoss::Record));
    sleep(secs(1)).await;
    access.set_fault(Some(MemoryFault::Away));
    sleep(secs(20)).await;
    let failures = one.scope.failures();
    assert_eq!(failures, ["term 1 of lock `purge` is over: it could not be renewed in time"]);
    one.running.abort();

    let (access, task) = faulty(&MemoryLock::new(), &marks, ms(0));
    let scope = TestScope::new("purge");
    let run = task.on_loss(OnLoss::Fail).run(scope.context());
    let fault = async {
        sleep(secs(1)).await;
        access.set_fault(Some(MemoryFault::Away));
    };
    let (result, ()) = tokio::join!(run, fault);
    assert_eq!(result.unwrap_err().downcast_ref::<TermOver>().unwrap().term(), 1);
}

/// The release waits for the thread, and the lease is renewed until then.
#[tokio::test(start_paused = true)]
async fn a_hold_delays_the_release() {
    let (lock, marks) = (MemoryLock::new(), Marks::new());
    let (give, take) = mpsc::channel();
    let one = Replica::run(leading("purge", lock.replica(), move |_, ctx: Context| {
        let give = give.clone();
        async move {
            give.send(ctx.hold()).unwrap();
            ctx.cancelled().await;
            Ok(())
        }
    }));
    sleep(secs(1)).await;
    let two = Replica::run(worker("two", &lock, &marks, ms(0)));
    let hold = take.recv().unwrap();
    one.scope.cancel();
    sleep(secs(100)).await;
    assert!(!one.running.is_finished() && !two.handle.is_leader());
    assert!(lock.record().unwrap().renewals > 40);
    thread::spawn(move || drop(hold)).join().unwrap();
    sleep(secs(1)).await;
    assert!(one.running.is_finished() && two.handle.is_leader());
}
