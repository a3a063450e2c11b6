//! `tidings list`: the conversations.

use super::{catch_up_to_look, open, unexpected};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::{line, out, plain, text, time};
use clap::Args;
use jiff::tz::TimeZone;
use tidings_client::view::Conversation;
use tidings_client::{Command, Reply};

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings list
  tidings list --json | jq 'select(.unread > 0) | .with.title'

Pinned conversations come first, then the most recently active ones.")]
pub struct List {
    /// Archived conversations too
    #[arg(long)]
    all: bool,
    /// Print one JSON object per conversation
    #[arg(long)]
    json: bool,
}

impl List {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let (_, handle) = open(common, &[]).await?;
        let result = self.show(&handle).await;
        handle.close().await;
        result
    }

    async fn show(&self, handle: &Handle) -> Result<(), Failure> {
        catch_up_to_look(handle).await?;
        let rows = match handle.call(Command::Conversations).await? {
            Reply::Conversations(rows) => rows,
            other => return Err(unexpected(&other)),
        };
        let zone = TimeZone::system();
        let archived = rows.iter().filter(|row| row.archived).count();
        for row in rows.iter().filter(|row| self.all || !row.archived) {
            if self.json {
                out::json(&plain::Conversation::from(row))?;
            } else {
                out::line(&human(row, &zone))?;
            }
        }
        if rows.is_empty() && !self.json {
            out::line("No conversations yet. Start one with: tidings chat +31…")?;
        }
        if archived > 0 && !self.all && !self.json {
            out::line(&format!("({archived} archived: tidings list --all)"))?;
        }
        Ok(())
    }
}

/// As in `+31687654321  2 unread  2026-11-21 09:14  You ✓✓: hello`.
fn human(row: &Conversation, zone: &TimeZone) -> String {
    let mut out = text::line(&row.title);
    if let Some(phone) = row.phone.as_ref().filter(|phone| **phone != row.title) {
        out.push_str(&format!(" ({})", text::line(phone)));
    }
    if row.unread > 0 {
        out.push_str(&format!("  {} unread", row.unread));
    }
    if row.unread == 0 && row.marked_unread {
        out.push_str("  marked unread");
    }
    let flags = [(row.pinned, "pinned"), (row.archived, "archived"), (row.muted_until_ms.is_some(), "muted")];
    for (_, flag) in flags.into_iter().filter(|(on, _)| *on) {
        out.push_str("  ");
        out.push_str(flag);
    }
    if row.blocked {
        out.push_str("  blocked");
    }
    if !row.member {
        out.push_str("  (you are not in it any more)");
    }
    if let Some(draft) = &row.draft {
        out.push_str(&format!("  draft: {}", text::shorten(&text::line(draft), LAST_COLUMNS)));
    } else if let Some(last) = &row.last {
        let said = text::shorten(&line::said(last), LAST_COLUMNS);
        out.push_str(&format!("  {}  {said}", time::date_and_clock(last.time_ms, zone)));
    }
    out
}

const LAST_COLUMNS: usize = 80;
