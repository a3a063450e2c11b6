//! `tidings admin retention`: what is stored, and how old it is.
//!
//! Counted from the files themselves, by a reader of its own beside the running server (or without one). So it needs no
//! access to the server, only to its data folder, and shows what is on the disk, not what the server believes.

use crate::failure::Failure;
use crate::show::{out, time};
use serde::Serialize;
use std::path::PathBuf;
use tidings_server::config::Config;
use tidings_store::census::{self, Census, Entries};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidings admin retention                              of the server whose data is in ./data
  tidings admin retention --data /var/lib/tidings
  tidings admin retention --config tidings.toml --json

Works while the server runs. Expired messages are removed within some two minutes; \"overdue\" counts those that wait
for that. Commits and leaves are kept for ever: they say who is in a conversation, and hold nothing that was said.")]
pub struct Retention {
    /// The server's settings, in TOML
    #[arg(long, value_name = "FILE", env = "TIDINGS_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Folder of everything that is stored [default: ./data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// As it is printed with `--json`.
#[derive(Debug, Serialize)]
struct Report {
    retention_days: u32,
    delete_delivered: bool,
    messages: Part,
    handshakes: Part,
    /// Expired and not yet removed, and for how long the first of them.
    overdue: u64,
    overdue_s: u64,
    file_bytes: u64,
    write_ahead_log_bytes: u64,
    free_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Part {
    rows: u64,
    bytes: u64,
    oldest_age_s: Option<u64>,
}

impl Part {
    fn new(entries: &Entries, now_ms: u64) -> Self {
        let age_s = |oldest_ms: u64| now_ms.saturating_sub(oldest_ms) / 1_000;
        Self { rows: entries.rows, bytes: entries.bytes, oldest_age_s: entries.oldest_ms.map(age_s) }
    }
}

impl Retention {
    pub fn run(self) -> Result<(), Failure> {
        let config = Config::load(self.config.as_deref())
            .map_err(|error| Failure::with(format!("the settings are wrong: {error}"), "See: tidings serve --help"))?;
        let folder = self.data.as_ref().unwrap_or(&config.data);
        let now_ms = time::now_ms();
        let census = census::take(folder, now_ms).map_err(|error| {
            let what = format!("the data in {} cannot be read: {error}", folder.display());
            Failure::with(
                what,
                "Name the server's folder with --data, and run this as the user that the server runs as.",
            )
        })?;
        let report = report(&config, &census, now_ms);
        if self.json { out::json(&report) } else { out::line(&text(&report)) }
    }
}

fn report(config: &Config, census: &Census, now_ms: u64) -> Report {
    let overdue_since = census.messages.overdue_since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
    Report {
        retention_days: config.retention_days,
        delete_delivered: config.delete_delivered,
        messages: Part::new(&census.messages, now_ms),
        handshakes: Part::new(&census.handshakes, now_ms),
        overdue: census.messages.overdue,
        overdue_s: overdue_since / 1_000,
        file_bytes: census.file_bytes,
        write_ahead_log_bytes: census.wal_bytes,
        free_bytes: census.free_bytes,
    }
}

fn text(report: &Report) -> String {
    let part = |name: &str, part: &Part| {
        let oldest = part.oldest_age_s.map_or("-".to_owned(), age);
        format!("{name:<22}{:>10} {:>12}   {oldest}", part.rows, size(part.bytes))
    };
    let delivered = if report.delete_delivered { ", or until every device has them" } else { "" };
    let lines = [
        format!("Messages are kept for {} days{delivered}.", report.retention_days),
        String::new(),
        format!("{:<22}{:>10} {:>12}   oldest", "", "rows", "size"),
        part("messages, welcomes", &report.messages),
        part("commits, leaves", &report.handshakes),
        String::new(),
        match report.overdue {
            0 => "Nothing is overdue.".to_owned(),
            overdue => format!("Overdue: {overdue}, the first of them for {}.", age(report.overdue_s)),
        },
        format!(
            "The file has {}, {} of it free; its write-ahead log has {}.",
            size(report.file_bytes),
            size(report.free_bytes),
            size(report.write_ahead_log_bytes)
        ),
    ];
    lines.join("\n")
}

/// As in `3 days 4 hours`.
fn age(seconds: u64) -> String {
    let of = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => of(seconds, "second"),
        (0, 0, _) => of(minutes, "minute"),
        (0, ..) => format!("{} {}", of(hours, "hour"), of(minutes, "minute")),
        _ => format!("{} {}", of(days, "day"), of(hours, "hour")),
    }
}

/// As in `1.5 MiB`.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_a_table() {
        let now_ms = 1_700_000_000_000;
        let entries = |rows, age_s: Option<u64>, overdue| Entries {
            rows,
            bytes: rows * 300,
            oldest_ms: age_s.map(|age_s| now_ms - age_s * 1_000),
            overdue,
            overdue_since_ms: (overdue > 0).then_some(now_ms - 61_000),
        };
        let census = Census {
            messages: entries(12_345, Some(29 * 86_400 + 3 * 3_600), 2),
            handshakes: entries(0, None, 0),
            file_bytes: 5 * 1024 * 1024,
            wal_bytes: 4_000,
            free_bytes: 0,
        };
        let report = report(&Config::default(), &census, now_ms);
        insta::assert_snapshot!(text(&report));
        insta::assert_json_snapshot!(report);
    }

    #[test]
    fn ages_and_sizes_read_well() {
        let ages = [0, 1, 59, 60, 3_599, 3_600, 86_399, 86_400, 2 * 86_400 + 3_600];
        insta::assert_snapshot!(ages.map(age).join(", "), @"0 seconds, 1 second, 59 seconds, 1 minute, 59 minutes, 1 hour 0 minutes, 23 hours 59 minutes, 1 day 0 hours, 2 days 1 hour");
        insta::assert_snapshot!([0, 1_023, 1_024, 1_600, 3 << 30].map(size).join(", "), @"0 B, 1023 B, 1.0 KiB, 1.6 KiB, 3.0 GiB");
    }
}
