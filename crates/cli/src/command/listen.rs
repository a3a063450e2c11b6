//! `tidings listen`: what happens, as it happens.

use super::{logged_out, open, unexpected};
use crate::Common;
use crate::driver::{Handle, Listener};
use crate::failure::Failure;
use crate::feed::{self, Feed, Item};
use crate::show::{line, out, plain, text};
use crate::target::Target;
use clap::Args;
use jiff::tz::TimeZone;
use tidings_client::view::Message;
use tidings_client::{Command, Peer, Reply};

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings listen
  tidings listen --json | jq -r 'select(.event == \"message\" and (.message.own | not)) | .message.text'
  tidings listen --unread --mark-read
  tidings listen --in Cinema --in +31687654321

With --json, each line is an object with `event`: message, message_changed, tick (each with the whole message),
conversation, typing, join_requested, connection, caught_up, missed (some events were lost), logged_out.
Other commands work on the same account meanwhile. Ctrl-C ends it.")]
pub struct Listen {
    /// Print one JSON object per event
    #[arg(long)]
    json: bool,
    /// Only what is about this conversation: a number, a group's name, or an id. Repeat it for several
    #[arg(long = "in", value_name = "CONVERSATION")]
    only: Vec<Target>,
    /// Begin with the messages that are unread, at most 500 of each conversation
    #[arg(long)]
    unread: bool,
    /// Tell the senders that their messages were seen
    #[arg(long)]
    mark_read: bool,
}

impl Listen {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let (_, handle) = open(common, &[]).await?;
        let news = handle.listen();
        let result = tokio::select! {
            result = self.listen(&handle, news) => result,
            () = super::stopped() => Ok(()),
        };
        handle.close().await;
        result
    }

    async fn listen(&self, handle: &Handle, mut news: Listener) -> Result<(), Failure> {
        let zone = TimeZone::system();
        let only = self.only(handle).await?;
        let wanted = |item: &Item| only.is_empty() || item.conversation().is_none_or(|it| only.contains(it));
        let mut feed = Feed::start(handle).await?;
        if self.json {
            let state = feed::word(super::status(handle).await?.connection).to_owned();
            out::json(&Item::Connection { state })?;
        }
        if self.unread {
            for message in unread(handle).await? {
                let item = Item::Message { message: plain::Message::from(&message) };
                if wanted(&item) {
                    self.print(handle, &item, &Some(message), &zone).await?;
                }
            }
        }
        while let Some(next) = news.next().await {
            for (item, shown) in feed.items(handle, next).await? {
                if wanted(&item) {
                    self.print(handle, &item, &shown, &zone).await?;
                }
                if let Item::LoggedOut { reason } = &item {
                    return Err(logged_out(reason));
                }
            }
        }
        Err(handle.gone())
    }

    /// The ids of the conversations that are listened to; of all if there are none.
    async fn only(&self, handle: &Handle) -> Result<Vec<String>, Failure> {
        let mut only = Vec::new();
        for target in &self.only {
            let who = target.peer(handle).await?;
            match handle.call(Command::Resolve { who }).await? {
                Reply::Conversation { conversation, .. } => only.push(conversation.to_string()),
                other => return Err(unexpected(&other)),
            }
        }
        Ok(only)
    }

    async fn print(
        &self,
        handle: &Handle,
        item: &Item,
        shown: &Option<Message>,
        zone: &TimeZone,
    ) -> Result<(), Failure> {
        if self.json {
            out::json(item)?;
        } else if let Some(text) = human(item, shown, zone) {
            out::line(&text)?;
        }
        match (item, shown) {
            (Item::Message { .. }, Some(message)) if self.mark_read && !message.own => {
                let to = Peer::Conversation(message.conversation);
                handle.call(Command::MarkRead { to, up_to: message.message }).await.map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// What is worth a line to a person.
fn human(item: &Item, shown: &Option<Message>, zone: &TimeZone) -> Option<String> {
    match (item, shown) {
        (Item::Message { .. }, Some(message)) => Some(line::message(message, zone)),
        (Item::MessageChanged { .. }, Some(message)) => Some(format!("changed: {}", line::message(message, zone))),
        (Item::Tick { .. }, Some(message)) => {
            let number = plain::number(message).map(|number| format!("#{number} ")).unwrap_or_default();
            let said = text::shorten(&text::line(&line::body(message)), SAID_COLUMNS);
            Some(format!("{} {number}{said}", line::tick(message.tick?)))
        }
        (Item::JoinRequested { conversation, account }, _) => {
            Some(format!("({account} asks to be let into a group: tidings group approve {conversation} {account})"))
        }
        (Item::Presence { account, online: true, .. }, _) => Some(format!("({account} is online)")),
        (Item::Connection { state }, _) => Some(format!("({})", state.replace('_', " "))),
        (Item::LockReset { opens }, _) => Some(format!(
            "(somebody says that they forgot your PIN, and gets in at {opens}; if it was not you: tidings lock keep)"
        )),
        (Item::Missed, _) => Some("(some events were missed; `tidings history` shows everything)".into()),
        _ => None,
    }
}

const SAID_COLUMNS: usize = 50;

/// Unread messages of a conversation that are printed at the beginning.
const UNREAD_MAX: u32 = 500;

/// Oldest first.
async fn unread(handle: &Handle) -> Result<Vec<Message>, Failure> {
    let mut all = Vec::new();
    for row in feed::conversations(handle).await? {
        let limit = u32::try_from(row.unread).unwrap_or(UNREAD_MAX).min(UNREAD_MAX);
        if limit == 0 {
            continue;
        }
        let of = Peer::Conversation(row.conversation);
        // One's own messages may stand between them.
        match handle.call(Command::Messages { of, before: None, limit: limit * 2 }).await? {
            Reply::Messages(messages) => {
                let theirs: Vec<Message> = messages.into_iter().filter(|message| !message.own).collect();
                all.extend(theirs.into_iter().rev().take(limit as usize));
            }
            other => return Err(unexpected(&other)),
        }
    }
    all.sort_by_key(|message| (message.time_ms, message.position));
    Ok(all)
}
