//! A running server for a test.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use task_core::Task;
use task_http::{HttpTask, HttpTaskBuilder};
use tokio::{task::JoinHandle, time::timeout};

use crate::{
    client::{self, HttpResponse},
    group::TestGroup,
};

/// A server that runs in a spawned task.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) group: Arc<TestGroup>,
    pub(crate) ended: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    /// Starts a server on a free port of loopback.
    pub(crate) fn start(configure: impl FnOnce(HttpTaskBuilder) -> HttpTaskBuilder) -> Self {
        let http = configure(HttpTask::builder()).bind("127.0.0.1:0").unwrap();
        Self::run(http, TestGroup::new())
    }

    pub(crate) fn run(http: HttpTask, group: Arc<TestGroup>) -> Self {
        let address = http.local_addr().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let ended = tokio::spawn(http.run(group.context()));
        Self { address, group, ended }
    }

    pub(crate) async fn get(&self, target: &str) -> HttpResponse {
        client::get(self.address, target).await
    }

    /// Stops the server, and checks that it ends in time, and that no panic in a connection, a
    /// check or a source was taken for the task's.
    pub(crate) async fn stop(self) {
        self.group.cancel(Duration::from_secs(10));
        timeout(Duration::from_secs(10), self.ended).await.unwrap().unwrap().unwrap();
        assert!(!self.group.has_panicked());
    }
}

/// Returns the value of a series in a scrape, by its exact text up to the blank.
pub(crate) fn value(scrape: &str, series: &str) -> Option<f64> {
    scrape
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
        .map(|value| value.parse().unwrap())
}
