//! `tidings history`: the messages with somebody.

use super::{catch_up_to_look, unexpected, with};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::{line, out, plain};
use crate::target::Target;
use clap::Args;
use jiff::tz::TimeZone;
use tidings_client::view::{Message, Position};
use tidings_client::{ClientError, Command, Peer, Reply};

/// Messages that are asked for at once.
const PAGE: u32 = 200;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings history +31687654321
  tidings history +31687654321 --limit 500 --json > conversation.jsonl
  tidings history Cinema --before 120 --mark-read          a group, by its name

Oldest first. The number after # is what `react`, `edit`, `delete` and `send --reply-to` take.
Ticks: ◷ stored on this device, ✓ on the server's disk, ✓✓ on the other's device, ✓✓ read, ✗ failed.")]
pub struct History {
    /// Which conversation: a number, a group's name, `me`, or an id
    with: Target,
    /// How many of the newest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Only messages before this number
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    /// Tell the other person that you have seen them
    #[arg(long)]
    mark_read: bool,
    /// Print one JSON object per message
    #[arg(long)]
    json: bool,
}

impl History {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| self.show(handle).await).await
    }

    async fn show(&self, handle: &Handle) -> Result<(), Failure> {
        catch_up_to_look(handle).await?;
        let of = self.with.peer(handle).await?;
        let messages = self.messages(handle, &of).await?;
        let zone = TimeZone::system();
        for message in &messages {
            if self.json {
                out::json(&plain::Message::from(message))?;
            } else {
                out::line(&line::message(message, &zone))?;
            }
        }
        if messages.is_empty() && !self.json {
            out::line("No messages yet.")?;
        }
        let newest = messages.iter().rev().find(|message| !message.own);
        if let (true, Some(newest)) = (self.mark_read, newest) {
            handle.call(Command::MarkRead { to: of, up_to: newest.message }).await?;
        }
        Ok(())
    }

    /// Ascending; asked for page by page from the newest.
    async fn messages(&self, handle: &Handle, of: &Peer) -> Result<Vec<Message>, Failure> {
        let mut before = self.before.map(|seq| Position { seq, local: 0 });
        let mut pages: Vec<Vec<Message>> = Vec::new();
        let mut wanted = self.limit;
        while wanted > 0 {
            let limit = wanted.min(PAGE);
            let page = match handle.ask(Command::Messages { of: of.clone(), before, limit }).await? {
                Ok(Reply::Messages(page)) => page,
                Ok(other) => return Err(unexpected(&other)),
                // A person who is known, and nothing was said yet.
                Err(ClientError::NoSuchConversation) => break,
                Err(error) => return Err(error.into()),
            };
            let Some(first) = page.first() else { break };
            before = Some(first.position);
            wanted -= u32::try_from(page.len()).unwrap_or(wanted).min(wanted);
            pages.push(page);
        }
        Ok(pages.into_iter().rev().flatten().collect())
    }
}
