//! The service, stopped at any time: while it opens its database and migrates, and while it works.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use shop::service;
use task_testkit::stop_everywhere;
use taskkit::Manager;

use crate::{database::TestFile, within::config};

#[test]
fn a_stop_at_any_time_of_the_start_is_clean() {
    stop_everywhere(async |manager: &Manager| {
        static LIVES: AtomicUsize = AtomicUsize::new(0);
        let file = TestFile::new(&format!("everywhere-{}", LIVES.fetch_add(1, Relaxed)));
        let config = config(&file, &[]);
        manager.cleanup("file", async move || {
            drop(file);
            Ok(())
        })?;
        service::start(manager, &config).await.map(drop)
    })
    .in_real_time(10, Duration::from_secs(1))
    .within(Duration::from_secs(15))
    .check();
}
