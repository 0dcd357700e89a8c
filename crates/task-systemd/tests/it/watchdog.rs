//! The watchdog, and the beats of the end. They come from a thread, by the system's clock.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
    thread,
    time::{self, Duration},
};

use task_core::{Context, Task as _, scope::StageCell};
use task_manager::Manager;
use task_systemd::SystemdTask;
use tokio::time::{Instant, sleep, timeout};

use crate::fake::{Fake, secs, worker};

#[tokio::test]
async fn the_watchdog_is_fed_four_times_within_its_time() {
    const TIME: Duration = Duration::from_millis(400);
    let fake = Fake::at_path();
    let manager = Manager::new();
    manager.run(SystemdTask::with(&fake.environment().watchdog(TIME)).unwrap()).unwrap();
    let play = async {
        let mut last = VecDeque::new();
        let began = Instant::now();
        // A busy machine has late beats at times.
        while last.len() < 4 || last[3] - last[0] > TIME {
            assert!(began.elapsed() < secs(300), "beats at {last:?}");
            let beats = fake.received_all().into_iter().filter(|said| said == "WATCHDOG=1");
            last.extend(beats.map(|_| Instant::now()));
            last.drain(..last.len().saturating_sub(4));
            sleep(Duration::from_millis(5)).await;
        }
        manager.stop();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_watchdog_that_nothing_would_feed_fails_the_task() {
    let fake = Fake::at_path();
    let without_manager = || Context::new(Arc::new(StageCell::new()));
    let systemd = SystemdTask::with(&fake.environment().watchdog(secs(10))).unwrap();
    let ended = timeout(secs(1), systemd.run(without_manager())).await;
    let error = ended.expect("it has failed").unwrap_err();
    assert_eq!(error.to_string(), "nothing would feed the watchdog of systemd");
}

#[tokio::test]
async fn systemd_is_asked_once_to_confirm_what_was_said_last() {
    let fake = Fake::at_path();
    let manager = Manager::builder().telemetry_timeout(secs(30)).shutdown_timeout(secs(90));
    let manager = manager.build().unwrap();
    manager.run(fake.task()).unwrap();
    manager.run(worker(Duration::ZERO, Duration::ZERO)).unwrap();
    // A beat each second.
    let flush = |_| {
        thread::sleep(Duration::from_millis(2_500));
        Ok(())
    };
    manager.telemetry("traces", flush).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        manager.stop();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
    let said = fake.received_all();
    assert!(said[said.len() - 2].starts_with("STATUS=stopped"), "{said:#?}");
    assert_eq!(said.iter().filter(|said| *said == "BARRIER=1").count(), 1, "{said:#?}");
}

#[tokio::test]
async fn what_systemd_does_not_take_at_the_end_is_sent_while_telemetry_is_flushed() {
    let fake = Arc::new(Fake::at_path());
    let manager = Manager::builder().telemetry_timeout(secs(60)).shutdown_timeout(secs(150));
    let manager = manager.build().unwrap();
    manager.run(fake.task()).unwrap();
    manager.run(worker(Duration::ZERO, Duration::ZERO)).unwrap();
    let systemd = Arc::clone(&fake);
    let flush = move |left| {
        let began = time::Instant::now();
        // The first beats of the end find the queue full.
        thread::sleep(Duration::from_millis(400));
        while began.elapsed() < left {
            if systemd.received().iter().any(|said| said.starts_with("STATUS=stopped")) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it was not sent")
    };
    let (sender, sent) = mpsc::channel();
    let reported = move |left| flush(left).inspect(|()| sender.send(()).unwrap());
    manager.telemetry("traces", reported).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        fake.fill();
        manager.stop();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
    sent.try_recv().unwrap();
}
