//! `tidings group list`

use crate::Common;
use crate::command::{catch_up_to_look, with};
use crate::failure::Failure;
use crate::feed;
use crate::show::{out, plain, text};
use clap::Args;
use tidings_proto::entry::ConversationKind;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group list
  tidings group list --json | jq -r .id

The id stands for the group wherever its name does, and never changes.")]
pub struct List {
    /// Print one JSON object per group
    #[arg(long)]
    json: bool,
}

impl List {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[], async |handle| {
            catch_up_to_look(handle).await?;
            let mut rows = feed::conversations(handle).await?;
            rows.retain(|row| row.kind == ConversationKind::Group);
            for row in &rows {
                if self.json {
                    out::json(&plain::Conversation::from(row))?;
                    continue;
                }
                let left = if row.member { "" } else { "  (you are not in it any more)" };
                let unread = if row.unread > 0 { format!("  {} unread", row.unread) } else { String::new() };
                out::line(&format!("{}  {}{unread}{left}", row.conversation, text::line(&row.title)))?;
            }
            if rows.is_empty() && !self.json {
                out::line("No groups yet. Make one with: tidings group create NAME +31…")?;
            }
            Ok(())
        })
        .await
    }
}
