//! `tidings admin reports`: what people reported, and closing it.

use super::place::{Place, unreadable};
use crate::failure::Failure;
use crate::show::{out, text, time};
use jiff::tz::TimeZone;
use tidings_proto::id::MessageId;
use tidings_proto::report::Report;
use tidings_server::report::post::VERSION;
use tidings_store::census::Files;
use tidings_store::{Key, Table};

const DAY_MS: u64 = 24 * 3_600_000;
/// What a list shows of a reason.
const REASON_COLUMNS: usize = 60;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidings admin reports                    list them, the oldest first
  tidings admin reports show 0190a1b2      with the messages that the reporter attached
  tidings admin reports close 0190a1b2     delete it, once it is dealt with

A report is named by its id or the beginning of it. The messages are the reporter's word: nothing proves that they were
said so. Reports that nobody closes are deleted after a time (report.kept_days).")]
pub struct Reports {
    #[command(subcommand)]
    which: Option<Which>,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object per report
    #[arg(long, global = true)]
    json: bool,
}

#[derive(clap::Subcommand, Debug)]
enum Which {
    /// Show one of them with all that is attached
    #[command(after_help = "Example:\n  tidings admin reports show 0190a1b2")]
    Show {
        /// Its id, or the beginning of it
        report: String,
    },
    /// Delete one that was dealt with
    #[command(after_help = "Example:\n  tidings admin reports close 0190a1b2")]
    Close {
        /// Its id, or the beginning of it
        report: String,
    },
}

struct Found {
    id: MessageId,
    key: Key,
    report: Report,
}

impl Reports {
    pub fn run(self) -> Result<(), Failure> {
        let config = self.place.config()?;
        let files = Place::open(&config)?;
        let all = read(&files, u64::from(config.report.kept_days))?;
        match &self.which {
            None if self.json => all.iter().try_for_each(json),
            None if all.is_empty() => out::line("There are no reports."),
            None => all.iter().try_for_each(|found| out::line(&summary(found))),
            Some(Which::Show { report }) => {
                let found = one(&all, report)?;
                if self.json { json(found) } else { out::line(&whole(found)) }
            }
            Some(Which::Close { report }) => {
                let found = one(&all, report)?;
                files.delete(&found.key).map_err(unreadable)?;
                out::line(&format!("{} is closed.", found.id))
            }
        }
    }
}

fn read(files: &Files, kept_days: u64) -> Result<Vec<Found>, Failure> {
    let today = time::now_ms() / DAY_MS;
    let mut all = Vec::new();
    for day in today.saturating_sub(kept_days + 1)..=today + 1 {
        for (row, value) in files.rows(Table::Report, &day.to_be_bytes()).map_err(unreadable)? {
            let report = value.strip_prefix(&[VERSION]).and_then(|json| serde_json::from_slice(json).ok());
            if let (Some(id), Some(report)) = (MessageId::from_slice(&row), report) {
                all.push(Found { id, key: Key::new(Table::Report, day.to_be_bytes(), row), report });
            }
        }
    }
    Ok(all)
}

fn one<'a>(all: &'a [Found], name: &str) -> Result<&'a Found, Failure> {
    let mut matching = all.iter().filter(|found| !name.is_empty() && found.id.to_string().starts_with(name));
    match (matching.next(), matching.next()) {
        (Some(found), None) => Ok(found),
        (None, _) => Err(Failure::with(format!("there is no report {name}"), "List them: tidings admin reports")),
        (Some(_), Some(_)) => Err(Failure::new(format!("several reports begin with {name}"))),
    }
}

fn json(found: &Found) -> Result<(), Failure> {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        id: String,
        #[serde(flatten)]
        report: &'a Report,
    }
    out::json(&Line { id: found.id.to_string(), report: &found.report })
}

fn summary(found: &Found) -> String {
    let Report { time_ms, report, .. } = &found.report;
    let about = report.account.map_or_else(|| format!("group {}", report.conversation), |it| format!("account {it}"));
    let reason = text::shorten(&text::line(&report.reason), REASON_COLUMNS);
    let when = time::date_and_clock(*time_ms, &TimeZone::system());
    format!("{}  {when}  {about}  {} messages  {reason}", found.id, report.messages.len())
}

fn whole(found: &Found) -> String {
    let Report { time_ms, by, report } = &found.report;
    let zone = TimeZone::system();
    let about = report.account.map_or_else(|| "-".to_owned(), |account| account.to_string());
    let mut lines = vec![
        format!("Report         {}", found.id),
        format!("At             {}", time::date_and_clock(*time_ms, &zone)),
        format!("By             {by}"),
        format!("About          {about}"),
        format!("Conversation   {}", report.conversation),
        format!("Reason         {}", text::line(&report.reason)),
    ];
    for message in &report.messages {
        let when = time::date_and_clock(message.time_ms, &zone);
        lines.push(format!("  {when}  {}  {}", message.sender, text::line(&message.text)));
    }
    lines.join("\n")
}
