//! What Prometheus reads at `/metrics`. Counting is an atomic addition; nothing here takes a lock on the hot path.

mod store;

use prometheus_client::encoding::text;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tidings_store::Store;

/// Label of [`Metrics::shed`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Shed {
    /// `signal`, `receipt`, `live`, `append`, `request`, …: what was not done.
    pub what: &'static str,
}

/// Labels of [`Metrics::requests`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    pub method: &'static str,
    /// The route's pattern, never the path.
    pub route: String,
    pub status: u16,
}

/// Every number that the server counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Entries appended to conversations.
    pub appends: Counter,
    /// Entries appended to inboxes.
    pub inbox_appends: Counter,
    /// From the call of an append to its durability.
    pub commit: Latency,
    /// Sockets that are open and said hello.
    pub sessions: Gauge,
    /// Long polls that wait.
    pub polls: Gauge,
    /// Frames received from, and sent to, sockets.
    pub frames_in: Counter,
    pub frames_out: Counter,
    /// Devices woken for an entry.
    pub wakes: Counter,
    /// Frames that wait to be written to sockets.
    pub queued_frames: Gauge,
    /// Appends that wait for the disk.
    pub appends_in_flight: Gauge,
    /// Requests under way, without sockets.
    pub requests_in_flight: Gauge,
    pub requests: Family<Request, Counter>,
    /// From a request's headers to its answer's.
    pub request: Latency,
    /// Work that was not done, by kind.
    pub shed: Family<Shed, Counter>,
    /// Codes sent, and codes that the adapter could not send.
    pub codes_sent: Counter,
    pub codes_failed: Counter,
}

impl Metrics {
    pub fn new(store: &Store) -> Self {
        let mut registry = Registry::with_prefix("tidings");
        registry.register_collector(Box::new(store::StoreMetrics(store.clone())));
        let mut made = Made(&mut registry);
        let appends = made.counter("appends", "Entries appended to conversations");
        let inbox_appends = made.counter("inbox_appends", "Entries appended to inboxes");
        let commit = made.latency("commit", "From the call of an append to its durability");
        let sessions = made.gauge("sessions", "Sockets that are open and said hello");
        let polls = made.gauge("polls", "Long polls that wait");
        let frames_in = made.counter("frames_in", "Frames received from sockets");
        let frames_out = made.counter("frames_out", "Frames sent to sockets");
        let wakes = made.counter("wakes", "Devices woken for an entry");
        let queued_frames = made.gauge("queued_frames", "Frames that wait to be written to sockets");
        let appends_in_flight = made.gauge("appends_in_flight", "Appends that wait for the disk");
        let requests_in_flight = made.gauge("requests_in_flight", "Requests under way, without sockets");
        let request = made.latency("request", "From a request's headers to its answer's");
        let codes_sent = made.counter("codes_sent", "Codes sent to phones");
        let codes_failed = made.counter("codes_failed", "Codes that could not be sent");
        let (requests, shed) = (Family::default(), Family::default());
        registry.register("requests", "HTTP requests by route and status", requests.clone());
        registry.register("shed", "Work that was not done, by kind", shed.clone());
        Self {
            registry,
            appends,
            inbox_appends,
            commit,
            sessions,
            polls,
            frames_in,
            frames_out,
            wakes,
            queued_frames,
            appends_in_flight,
            requests_in_flight,
            requests,
            request,
            shed,
            codes_sent,
            codes_failed,
        }
    }

    /// Counts work that was not done.
    pub fn count_shed(&self, what: &'static str) {
        self.shed.get_or_create(&Shed { what }).inc();
    }

    /// The text that Prometheus reads (OpenMetrics 1.0).
    pub fn encode(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        text::encode(&mut out, &self.registry).expect("writing to a string does not fail");
        out
    }
}

struct Made<'a>(&'a mut Registry);

impl Made<'_> {
    fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.0.register(name, help, counter.clone());
        counter
    }

    fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.0.register(name, help, gauge.clone());
        gauge
    }

    fn latency(&mut self, name: &str, help: &str) -> Latency {
        let latency = Latency::default();
        self.0.register_with_unit(name, help, Unit::Seconds, latency.clone());
        latency
    }
}

/// Upper bounds of [`Latency`]'s buckets, in microseconds; the last bucket has none.
const BOUNDS_US: [u64; 14] =
    [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000];

/// A histogram of durations, of atomics alone.
#[derive(Clone, Debug, Default)]
pub struct Latency(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Latency {
    pub fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), std::fmt::Error> {
        let bounds = BOUNDS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
        let counts = self.0.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_buckets() {
        let metrics = Metrics::new(&Store::memory(tidings_store::Clock::system()));
        metrics.appends.inc();
        metrics.count_shed("signal");
        for us in [0, 50, 51, 700, 9_000_000] {
            metrics.commit.observe(Duration::from_micros(us));
        }
        let text = metrics.encode();
        for line in [
            "tidings_appends_total 1",
            "tidings_shed_total{what=\"signal\"} 1",
            "tidings_commit_seconds_bucket{le=\"0.00005\"} 2",
            "tidings_commit_seconds_bucket{le=\"0.0001\"} 3",
            "tidings_commit_seconds_bucket{le=\"0.001\"} 4",
            "tidings_commit_seconds_bucket{le=\"+Inf\"} 5",
            "tidings_commit_seconds_count 5",
            "tidings_store_commits_total 0",
            "tidings_store_group_bucket{le=\"1.0\"} 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
