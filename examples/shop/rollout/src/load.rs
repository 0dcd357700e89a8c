//! A load: clients of several kinds at work, until it is ended.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::{
    balancer::Balancer,
    client::{Client, Kind, Paths, Seen, Shared},
};

/// The time in which every client makes its first request.
const START: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(10);

/// The settings of a load.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// The clients of each kind.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) clients: u32,
    pub(crate) pause: Duration,
    pub(crate) paths: Paths,
}

/// Clients at work. They end with it.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    end: watch::Sender<bool>,
    clients: JoinSet<(Kind, Seen)>,
}

impl Load {
    pub(crate) fn start(spec: &Spec, balancer: Balancer) -> Self {
        /// Makes the names of all clients of this process unique.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (end, is_over) = watch::channel(false);
        let Spec { pause, paths, .. } = *spec;
        let shared =
            Arc::new(Shared { balancer, paths, pause, is_over, requests: AtomicU64::new(0) });
        let mut clients = JoinSet::new();
        for kind in &spec.kinds {
            for _ in 0..spec.clients {
                let name = format!("c{}", COUNT.fetch_add(1, Relaxed));
                let client = Client::new(Arc::clone(&shared), name, fastrand::u64(..));
                let kind = *kind;
                clients.spawn(async move { (kind, client.run(kind).await) });
            }
        }
        Self { shared, end, clients }
    }

    pub(crate) fn balancer(&self) -> &Balancer {
        &self.shared.balancer
    }

    /// Waits until the clients have made `requests` more requests.
    ///
    /// # Errors
    ///
    /// They have not within half a minute.
    pub(crate) async fn requests(&self, requests: u64) -> Result<()> {
        let begun = Instant::now();
        let until = self.shared.requests.load(Relaxed) + requests;
        while self.shared.requests.load(Relaxed) < until {
            ensure!(begun.elapsed() < START, "the clients are not served");
            sleep(TICK).await;
        }
        Ok(())
    }

    /// Ends it and returns what the clients saw, by kind.
    pub(crate) async fn end(mut self) -> Result<BTreeMap<Kind, Seen>> {
        // An error means that no client is left.
        let _ = self.end.send(true);
        let mut all = BTreeMap::<Kind, Seen>::new();
        while let Some(ended) = self.clients.join_next().await {
            let (kind, seen) = ended?;
            let sum = all.entry(kind).or_default();
            sum.counts.merge(&seen.counts);
            sum.posts.extend(seen.posts);
        }
        Ok(all)
    }
}
