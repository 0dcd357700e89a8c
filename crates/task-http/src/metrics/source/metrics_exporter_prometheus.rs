//! The handle of `metrics-exporter-prometheus`, the recorder of the `metrics` facade.

use metrics_exporter_prometheus::PrometheusHandle;

use crate::{config::Format, metrics::MetricsSource};

/// Writes [`Format::Text`]. The upkeep is left to the service: see `PrometheusHandle::run_upkeep`.
impl MetricsSource for PrometheusHandle {
    fn formats(&self) -> &'static [Format] {
        &[Format::Text]
    }

    fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        Ok(self.render_to_write(out)?)
    }
}
