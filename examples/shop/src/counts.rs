//! The metrics of the service, in addition to those of the servers.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

/// What the service has counted since it started; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Orders recorded.
    pub placed: Counter,
    /// Requests for orders that were recorded before.
    pub repeated: Counter,
    /// Requests that were refused because the queue was full.
    pub refused: Counter,
    /// Orders packed.
    pub packed: Counter,
}

impl Counts {
    /// Returns a registry with the counters.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("shop");
        for (name, help, counter) in [
            ("orders_placed", "Orders recorded", &self.placed),
            ("requests_repeated", "Requests for orders recorded before", &self.repeated),
            ("requests_refused", "Requests refused because the queue was full", &self.refused),
            ("orders_packed", "Orders packed", &self.packed),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry
    }
}
