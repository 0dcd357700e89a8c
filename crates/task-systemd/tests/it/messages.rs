//! What is said and when.

use std::time::Duration;

use task_core::{Context, Outcome, Task as _, task_fn};
use task_manager::Manager;
use task_systemd::{Environment, SystemdTask};
use tokio::time::sleep;

use crate::fake::{Fake, secs, worker};

#[tokio::test(start_paused = true)]
async fn a_group_is_ready_once_and_stops_once_with_its_cause() {
    for fake in [Fake::at_path(), Fake::abstract_name()] {
        let manager = Manager::new();
        manager.run(fake.task()).unwrap();
        manager.run(worker(secs(5), secs(3))).unwrap();
        let play = async {
            manager.ready().await.unwrap();
            sleep(secs(60)).await;
            manager.stop();
        };
        let (report, ()) = tokio::join!(manager.wait(), play);
        assert!(report.unwrap().is_clean());
        let said = fake.received();
        let expected = [
            "STATUS=starting: task `worker` is not ready (joining the group)",
            "READY=1\nSTATUS=ready, 2 tasks",
            "STOPPING=1\nSTATUS=stopping (stop was called): 0 of 25 s, waits for worker (",
            "STATUS=stopping (stop was called): 1 of 25 s, waits for worker (flushing 120)",
            "STATUS=stopping (stop was called): 2 of 25 s, waits for worker (flushing 120)",
        ];
        for line in expected {
            assert!(said.iter().any(|said| said.starts_with(line)), "no {line:?} in {said:#?}");
        }
        let begins = |what: &str| said.iter().filter(|said| said.starts_with(what)).count();
        assert_eq!((begins("READY=1"), begins("STOPPING=1")), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_is_never_taken_back_but_shown() {
    let fake = Fake::at_path();
    let manager = Manager::new();
    manager.run(fake.task()).unwrap();
    let wavering = task_fn("wavering", async |ctx: Context| {
        for is_ready in [true, false].into_iter().cycle().take(6) {
            ctx.set_ready(is_ready);
            sleep(secs(10)).await;
        }
        Ok(())
    });
    manager.run(wavering.gating_readiness()).unwrap();
    manager.wait().await.unwrap();
    let said = fake.received();
    let ready = said.iter().filter(|said| said.starts_with("READY=1")).count();
    assert_eq!(ready, 1, "{said:#?}");
    let unready = "STATUS=not ready: task `wavering` is not ready";
    assert_eq!(said.iter().filter(|said| *said == unready).count(), 3, "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_busy_group_has_at_most_one_status_a_second() {
    let fake = Fake::at_path();
    let manager = Manager::new();
    manager.run(fake.task()).unwrap();
    let busy = task_fn("busy", async |ctx: Context| {
        for round in 0..1_000 {
            ctx.set_status(format!("round {round}"));
            sleep(Duration::from_millis(10)).await;
        }
        ctx.set_status("done");
        sleep(secs(5)).await;
        Ok(())
    });
    manager.run(busy.gating_readiness()).unwrap();
    manager.wait().await.unwrap();
    let said = fake.received();
    let lone = said.iter().filter(|said| said.starts_with("STATUS=")).count();
    assert!((10..=13).contains(&lone), "10 s of changes, {lone} messages: {said:#?}");
    let last = said.iter().rfind(|said| said.starts_with("STATUS=starting")).unwrap();
    assert!(last.ends_with("(done)"), "the last status is not lost: {last}");
}

#[tokio::test(start_paused = true)]
async fn a_status_stays_one_line_of_bounded_length() {
    let fake = Fake::at_path();
    let manager = Manager::new();
    manager.run(fake.task()).unwrap();
    let forging = task_fn("forging\nSTOPPING=1", async |ctx: Context| {
        ctx.set_status(format!("\nREADY=1\nMAINPID=1\r{}", "x".repeat(1 << 20)));
        sleep(secs(5)).await;
        ctx.request_stop(format!("enough\nREADY=1{}", "y".repeat(1 << 20)));
        Ok(())
    });
    manager.run(forging.gating_readiness()).unwrap();
    manager.wait().await.unwrap();
    let said = fake.received();
    assert!(said.len() >= 2, "{said:?}");
    for message in said {
        let fields: Vec<_> = message.lines().map(|line| line.split('=').next().unwrap()).collect();
        assert!([&["STATUS"][..], &["STOPPING", "STATUS"]].contains(&&fields[..]), "{message:?}");
        assert!(message.len() < 5_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_group_was_ready_is_a_stop_and_nothing_else() {
    let fake = Fake::at_path();
    let manager = Manager::new();
    manager.run(fake.task()).unwrap();
    manager.run(worker(secs(30), secs(1))).unwrap();
    let play = async {
        sleep(secs(10)).await;
        manager.stop();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
    let said = fake.received();
    assert!(!said.iter().any(|said| said.starts_with("READY=1")), "{said:#?}");
    assert_eq!(said.iter().filter(|said| said.starts_with("STOPPING=1")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn time_is_asked_for_where_it_was_set() {
    let fake = Fake::at_path();
    let manager = Manager::new();
    manager.run(fake.task().extend_start(secs(4)).extend_stop()).unwrap();
    manager.run(worker(secs(20), secs(1))).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        manager.stop();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
    let said = fake.received();
    let asked: Vec<_> = said.iter().filter(|said| said.starts_with("EXTEND")).collect();
    assert_eq!(asked.len(), 4, "once a second, until the limit: {said:#?}");
    let stop = said.iter().find(|said| said.starts_with("STOPPING=1")).unwrap();
    assert!(stop.ends_with("\nEXTEND_TIMEOUT_USEC=27000000"), "{stop}");
}

#[tokio::test(start_paused = true)]
async fn outside_of_systemd_the_task_waits_for_the_stop_and_its_handle_does_nothing() {
    let systemd = SystemdTask::with(&Environment::new()).unwrap();
    assert!(!systemd.is_active());
    let notifier = systemd.notifier();
    let manager = Manager::new();
    manager.run(systemd).unwrap();
    manager.run(worker(secs(1), secs(1))).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        notifier.reload(secs(1), async { Ok(()) }).await.unwrap();
        notifier.store("http", std::io::stdin()).unwrap();
        notifier.remove("http").unwrap();
        assert!(notifier.barrier(secs(1)));
        manager.stop();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    let report = report.unwrap();
    assert!(report.is_clean());
    assert!(report.tasks().iter().all(|task| task.outcome == Outcome::Completed));
}

#[test]
fn an_address_that_is_none_is_an_error_that_names_it() {
    for address in ["", "@", "relative", "vsock:2:3", "unix:/run/x"] {
        let error = SystemdTask::with(&Environment::new().notify_socket(address)).unwrap_err();
        assert!(error.is_environment());
        assert!(error.to_string().starts_with(&format!("NOTIFY_SOCKET is `{address}`")), "{error}");
    }
    let long = format!("/{}", "x".repeat(200));
    let error = SystemdTask::with(&Environment::new().notify_socket(long)).unwrap_err();
    assert!(error.to_string().starts_with("failed to open a socket for NOTIFY_SOCKET"), "{error}");
    assert!(error.is_environment() && std::error::Error::source(&error).is_some());
}
