//! The loop that reads credentials and certificates again.

use std::{sync::Arc, time::Duration};

use task_core::scope::guarded_text;
use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    reload::{Reload, Reloaded},
    stats::Stats,
};

/// Reads all files again at each interval, until dropped.
pub(super) async fn run(reloads: Vec<Arc<dyn Reload>>, interval: Duration, stats: Arc<Stats>) {
    let mut last_faults = vec![String::new(); reloads.len()];
    loop {
        sleep(interval).await;
        for (reload, last_fault) in reloads.iter().zip(&mut last_faults) {
            let reading = Arc::clone(reload);
            // An error is a panic, or the end of the runtime. The current value stays in use.
            let Ok(result) = spawn_blocking(move || reading.reload()).await else { continue };
            let what = reload.what();
            match result {
                Ok(Reloaded::Same) => last_fault.clear(),
                Ok(Reloaded::Changed) => {
                    last_fault.clear();
                    stats.count_reload(what, true);
                    tracing::info!(what, "reloaded files that changed");
                }
                Err(error) => {
                    let fault = guarded_text(format_args!("{error:#}"));
                    // A fault that persists is reported once, not at each interval.
                    if *last_fault != fault {
                        stats.count_reload(what, false);
                        tracing::warn!(
                            what,
                            error = fault,
                            "failed to reload files, the last good ones stay in use"
                        );
                        *last_fault = fault;
                    }
                }
            }
        }
    }
}
