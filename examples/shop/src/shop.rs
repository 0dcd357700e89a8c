//! What the API and the packer share.

use tokio::sync::{broadcast, mpsc};

use crate::{counts::Counts, database::Database, order::Order};

/// How many changes a stream may be behind before it misses some.
const CHANGES: usize = 1_000;

/// The database, the queue of the packer, and what has changed; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shop {
    /// The orders.
    pub database: Database,
    /// The ids of the orders that this instance is to pack.
    pub queue: mpsc::Sender<String>,
    /// The changes of orders that this instance has made.
    pub changes: broadcast::Sender<Order>,
    /// What is counted.
    pub counts: Counts,
}

impl Shop {
    /// Creates a shop with a queue of so many places, and returns the end that the packer takes
    /// from.
    pub fn new(database: Database, queue: u16, counts: Counts) -> (Self, mpsc::Receiver<String>) {
        let (queue, received) = mpsc::channel(queue.into());
        let changes = broadcast::Sender::new(CHANGES);
        (Self { database, queue, changes, counts }, received)
    }
}
