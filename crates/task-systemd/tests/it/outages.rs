//! A systemd that is slow, away or back: the service is neither failed nor blocked.

use std::{fs, time::Instant};

use task_manager::Manager;
use task_systemd::{Environment, SystemdTask};
use tokio::time::sleep;

use crate::fake::{Fake, path, secs, worker};

#[tokio::test(start_paused = true)]
async fn a_socket_that_comes_late_gets_what_was_said_before() {
    let path = path();
    let environment = Environment::new().notify_socket(&path);
    let manager = Manager::new();
    manager.run(SystemdTask::with(&environment).unwrap()).unwrap();
    manager.run(worker(secs(1), secs(1))).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        sleep(secs(30)).await;
        let fake = Fake::at(path);
        fake.until("readiness", |said| said.starts_with("READY=1")).await;
        manager.stop();
        fake.until("stop", |said| said.starts_with("STOPPING=1")).await;
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_gone_fails_nothing() {
    let fake = Fake::at_path();
    let manager = Manager::new();
    manager.run(fake.task()).unwrap();
    manager.run(worker(secs(1), secs(1))).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        drop(fake);
        sleep(secs(30)).await;
        manager.stop();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    let report = report.unwrap();
    assert!(report.is_clean());
    let stops = report.tasks().iter().map(|task| task.stop_took.unwrap());
    assert!(stops.max() < Some(secs(3)), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_delays_the_messages_and_not_the_service() {
    let fake = Fake::at_path();
    fake.fill();
    let began = Instant::now();
    let manager = Manager::new();
    manager.run(fake.task()).unwrap();
    manager.run(worker(secs(1), secs(1))).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        sleep(secs(5)).await;
        let ready = fake.until("readiness", |said| said.starts_with("READY=1")).await;
        assert_eq!(ready, "READY=1\nSTATUS=ready, 2 tasks");
        manager.stop();
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
    assert!(began.elapsed() < secs(60), "a blocking send would not have returned at all");
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_was_opened_again_is_found_again() {
    let fake = Fake::at_path();
    let path = fake.socket.local_addr().unwrap().as_pathname().unwrap().to_owned();
    let manager = Manager::new();
    manager.run(fake.task()).unwrap();
    manager.run(worker(secs(1), secs(1))).unwrap();
    let play = async {
        manager.ready().await.unwrap();
        drop(fake);
        assert!(!fs::exists(&path).unwrap());
        let fake = Fake::at(path);
        manager.stop();
        fake.until("stop", |said| said.starts_with("STOPPING=1")).await;
    };
    let (report, ()) = tokio::join!(manager.wait(), play);
    assert!(report.unwrap().is_clean());
}
