//! What the store counts by itself, read when Prometheus asks.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use std::fmt;
use tidings_store::Store;
use tidings_store::stats::{COMMIT_BOUNDS_US, GROUP_BOUNDS};

#[derive(Debug)]
pub(super) struct StoreMetrics(pub Store);

impl Collector for StoreMetrics {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let stats = self.0.stats();
        let mut out = Out(encoder);
        out.counter("store_commits", "Batches that were committed", stats.commits)?;
        out.counter("store_conflicts", "Batches that failed by an assert", stats.conflicts)?;
        out.counter("store_overloads", "Calls that were refused because too much waited", stats.overloads)?;
        out.counter("store_failures", "Transactions that failed as a whole", stats.failures)?;
        out.counter("store_fsyncs", "Transactions that were made durable", stats.fsyncs)?;
        out.counter("store_merges", "Merged rows that were taken", stats.merges)?;
        out.counter("store_merges_flushed", "Merged rows that reached the disk", stats.merges_flushed)?;
        out.counter("store_swept", "Rows that had expired and were removed", stats.swept)?;
        out.gauge("store_queue", "Batches that wait now", None, stats.queue)?;
        out.gauge("store_size", "Size of the files", Some(&Unit::Bytes), stats.bytes)?;
        let bounds = COMMIT_BOUNDS_US.iter().map(|us| *us as f64 / 1e6);
        let sum = stats.commit_us_sum as f64 / 1e6;
        out.histogram(
            "store_commit",
            "From the call to the answer",
            Some(&Unit::Seconds),
            bounds,
            &stats.commit_us,
            sum,
        )?;
        let bounds = GROUP_BOUNDS.iter().map(|batches| *batches as f64);
        let sum = stats.commits as f64;
        out.histogram("store_group", "Batches that shared an fsync", None, bounds, &stats.group, sum)
    }
}

struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?)
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        bounds: impl Iterator<Item = f64>,
        counts: &[u64],
        sum: f64,
    ) -> fmt::Result {
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts.iter().copied()).collect();
        let mut encoder = self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }
}
