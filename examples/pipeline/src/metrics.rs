//! The metrics of the service, in addition to those of the HTTP task.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::totals::Totals;

/// Returns a registry with the totals.
pub fn registry(totals: Arc<Totals>) -> Registry {
    let mut registry = Registry::with_prefix("pipeline");
    registry.register_collector(Box::new(TotalsCollector(totals)));
    registry
}

/// Reads the totals at each scrape, so that each number has one counter.
#[derive(Debug)]
struct TotalsCollector(Arc<Totals>);

impl Collector for TotalsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.0.counts();
        let totals = [&self.0.generated, &self.0.rows, &self.0.purged];
        let [generated, rows, purged] = totals.map(|total| total.load(Relaxed));
        for (name, help, value) in [
            ("messages_consumed", "Messages received from the brokers", counts.consumed),
            ("records_produced", "Records that the brokers acknowledged", counts.produced),
            ("messages_dead_lettered", "Messages sent as dead letters", counts.dead_lettered),
            ("messages_retried", "Repeated transformations of a message", counts.retried),
            ("messages_settled", "Messages whose offset is stored", counts.settled),
            ("rebalances", "Assignments and revocations of partitions", counts.rebalances),
            ("unclean_revocations", "Revocations that repeat messages", counts.unclean_revocations),
            ("commits", "Commits that the brokers acknowledged", counts.commits),
            ("commit_failures", "Commits that failed", counts.commit_failures),
            (
                "producers_renewed",
                "Producers made anew after a commit or an abort of unknown fate",
                counts.renewals,
            ),
            ("orders_generated", "Orders delivered by the generator", generated),
            ("rows_written", "Rows inserted into the database", rows),
            ("rows_purged", "Rows deleted because of their age", purged),
        ] {
            encode(&mut encoder, name, help, &ConstCounter::new(value))?;
        }
        for (name, help, value) in [
            (
                "messages_in_flight",
                "Messages received whose offset is not stored",
                counts.in_flight,
            ),
            ("lag_messages", "Messages after the last stored offset", counts.lag),
            ("slow_calls", "Calls of the transform or the sink that take long", counts.slow_calls),
            ("partitions_assigned", "Partitions assigned to this instance", counts.assigned),
        ] {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            encode(&mut encoder, name, help, &ConstGauge::new(value))?;
        }
        let stalled = ConstGauge::new(counts.stalled.as_secs_f64());
        let (name, help) = ("stalled", "Time for which nothing has moved although there is lag");
        stalled.encode(encoder.encode_descriptor(
            name,
            help,
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?)?;
        for (name, help, latency) in [
            (
                "delivery",
                "Time from the producer's queue to the acknowledgement",
                counts.delivery_latency,
            ),
            ("commit", "Time from the request of a commit to its response", counts.commit_latency),
        ] {
            let seconds = Unit::Seconds;
            let mut encoder =
                encoder.encode_descriptor(name, help, Some(&seconds), MetricType::Histogram)?;
            let buckets: Vec<_> = latency
                .buckets()
                .map(|(bound, count)| (bound.map_or(f64::INFINITY, |it| it.as_secs_f64()), count))
                .collect();
            let (sum, count) = (latency.sum().as_secs_f64(), latency.count());
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use prometheus_client::encoding::text;

    use super::*;

    #[test]
    fn every_metric_exists_from_the_start() {
        let totals = Arc::new(Totals::default());
        totals.rows.store(7, Relaxed);
        let mut text = String::new();
        text::encode(&mut text, &registry(totals)).unwrap();
        assert!(text.contains("\npipeline_rows_written_total 7\n"), "{text}");
        assert!(text.contains("\npipeline_messages_consumed_total 0\n"), "{text}");
        assert!(text.contains("# TYPE pipeline_lag_messages gauge\n"), "{text}");
        assert!(text.contains("\npipeline_stalled_seconds 0.0\n"), "{text}");
        assert!(text.contains("\npipeline_commit_seconds_bucket{le=\"+Inf\"} 0\n"), "{text}");
    }
}
