//! Services on a platform.

use std::{process::ExitCode, time::Duration};

use task_service::{Platform, PlatformError, Service};
use task_signal::{Reaction, Signal, SignalError};

use super::SECOND;

pub(super) fn run(scenario: &str) -> Option<ExitCode> {
    let scenario = scenario.strip_prefix("on ")?;
    let service = Service::new()
        .manager(|manager| manager.name("example"))
        .exit_code_for(|_: &PlatformError| 78)
        .exit_code_for(|_: &SignalError| 79);
    let service = match scenario {
        "the detected platform" => service.platform(Platform::detect()),
        "Kubernetes" => service.platform(Platform::kubernetes()),
        "Nomad" => service.platform(Platform::nomad()),
        "Cloud Run, with a total set before" => service
            .manager(|manager| manager.shutdown_timeout(5 * SECOND).drain_delay(SECOND / 10))
            .platform(Platform::cloud_run()),
        "Cloud Run, with a total of 25 s set after" => service
            .platform(Platform::cloud_run())
            .manager(|manager| manager.shutdown_timeout(25 * SECOND)),
        "Cloud Run, with a drain of 25 s" => service
            .platform(Platform::cloud_run())
            .manager(|manager| manager.drain_delay(25 * SECOND)),
        "Fly.io, with INT left out" => {
            service.platform(Platform::fly()).signals(|signals| signals.signals([Signal::TERM]))
        }
        "Fly.io, with an INT that aborts" => service
            .platform(Platform::fly())
            .signals(|signals| signals.ladder(Signal::INT, [Reaction::Abort])),
        "Docker, without signals" => service.platform(Platform::docker()).without_signals(),
        "Docker, with long drops" => {
            service.platform(Platform::docker()).drop_timeout(Duration::from_secs(4))
        }
        "a platform of 3.5 s, wedged" => {
            return Some(
                service
                    .platform(Platform::other("Short", Duration::from_millis(3_500)))
                    .current_thread()
                    .run(super::blocked),
            );
        }
        _ => return None,
    };
    Some(service.run(async |manager| {
        manager.run(super::worker())?;
        println!("ready");
        if scenario.starts_with("Docker") {
            manager.stop();
        }
        Ok(())
    }))
}
