//! `ServeTask` in a service, as its documentation shows it.

use std::{process::ExitCode, time::Duration};

use task_serve::ServeTask;
use taskkit::{HttpTask, Service};

use super::{Settings, app::app};

/// The time of a shutdown after its drain. The harness kills a server after five seconds.
const SHUTDOWN: Duration = Duration::from_secs(4);

pub(super) fn serve(settings: &Settings) -> ExitCode {
    let drain = settings.drain();
    Service::new()
        .manager(|manager| manager.drain_delay(drain).shutdown_timeout(drain + SHUTDOWN))
        .run(async |manager| {
            let api = ServeTask::bind(settings.address)?.service(app(&settings.record)?);
            manager.run(api)?;
            manager.run(HttpTask::builder().bind(settings.probes)?)?;
            Ok(())
        })
}
