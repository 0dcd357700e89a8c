//! The registry of `prometheus-client`.

use prometheus_client::{encoding::text::encode_registry, registry::Registry};

use crate::{config::Format, metrics::MetricsSource};

/// Writes [`Format::OpenMetrics`].
///
/// Version 0.25 of that crate does not escape help texts: they must not have `\` or line breaks.
impl MetricsSource for Registry {
    fn formats(&self) -> &'static [Format] {
        &[Format::OpenMetrics]
    }

    fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut text = String::new();
        // `encode_registry` leaves out the `# EOF`, which follows the last source.
        encode_registry(&mut text, self)?;
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
