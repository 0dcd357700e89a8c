//! The registry of `prometheus`, on which `opentelemetry-prometheus` is built, too.

use prometheus::{Encoder, Registry, TextEncoder};

use crate::{config::Format, metrics::MetricsSource};

/// Writes [`Format::Text`].
impl MetricsSource for Registry {
    fn formats(&self) -> &'static [Format] {
        &[Format::Text]
    }

    fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        Ok(TextEncoder::new().encode(&self.gather(), out)?)
    }
}
