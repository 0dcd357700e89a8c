//! The registry of `prometheus-client`. It writes OpenMetrics only.

use prometheus_client::{encoding::text::encode_registry, registry::Registry};

use crate::{config::Format, metrics::MetricsSource};

/// Writes [`Format::OpenMetrics`]. That crate (0.25) does not escape help texts: keep `\` and line breaks out of them.
impl MetricsSource for Registry {
    fn formats(&self) -> &'static [Format] {
        &[Format::OpenMetrics]
    }

    fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut text = String::new();
        // Without its `# EOF`: more may follow.
        encode_registry(&mut text, self)?;
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
