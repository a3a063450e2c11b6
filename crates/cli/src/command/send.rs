//! `tidings send`: one message, and the tick that was asked for.

use super::which::Which;
use super::{mention, text_or_stdin, unexpected, with};
use crate::Common;
use crate::driver::{Handle, News};
use crate::failure::Failure;
use crate::preview::{self, Reach};
use crate::show::{out, plain};
use crate::target::Target;
use clap::{Args, ValueEnum};
use std::time::Duration;
use tidings_client::view::{Message, Tick};
use tidings_client::{Command, Event, Reply};
use tidings_proto::id::MessageId;
use tokio::time::{Instant, timeout_at};

const AFTER_HELP: &str = "\
Prints the message's id as soon as the message is safe on this device, then waits for the tick.

Examples:
  tidings send +31687654321 \"hello\"
  tidings send +31687654321 \"dinner?\" --wait delivered
  uname -a | tidings send +31687654321 -
  tidings send Cinema \"yes\" --reply-to 12 --json         a group, by its name
  tidings send Cinema \"@Bram, do you come?\"              names a member of the group
  tidings send Cinema \"https://example.org\" --preview    sends the page's title along
  tidings send me \"buy candles\"                         notes to yourself

If the tick does not come in time, the exit code is 1, and the message is kept and sent later.";

#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Send {
    /// Whom to write to: a number as in +31687654321, a group's name, `me`, or an id
    to: Target,
    /// The text; - (or nothing, in a pipe) reads it from standard input
    text: Option<String>,
    /// Which tick to wait for
    #[arg(long, value_enum, default_value_t = Wait::Sent)]
    wait: Wait,
    /// How long to wait for it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Which message this answers: its number or id
    #[arg(long, value_name = "MESSAGE")]
    reply_to: Option<Which>,
    /// Fetch the page behind the first link of the text, and send its title and description along
    #[arg(long)]
    preview: bool,
    /// The same, also from addresses of this machine and of private networks
    #[arg(long, conflicts_with = "preview")]
    preview_anywhere: bool,
    /// Print the message as a JSON object, once the tick is there
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// Do not wait: it is stored on this device and will be sent
    Clock,
    /// One tick: it is on the server's disk
    Sent,
    /// Two ticks: it is on a device of the other person
    Delivered,
    /// Blue ticks: the other person has seen it
    Read,
}

impl Wait {
    fn tick(self) -> Tick {
        match self {
            Self::Clock => Tick::Clock,
            Self::Sent => Tick::Sent,
            Self::Delivered => Tick::Delivered,
            Self::Read => Tick::Read,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Clock => "stored",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

impl Send {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let text = text_or_stdin(self.text.clone())?;
        with(common, &[&self.to], async |handle| self.send(handle, text).await).await
    }

    async fn send(&self, handle: &Handle, text: String) -> Result<(), Failure> {
        let to = self.to.peer(handle).await?;
        let reply_to = match self.reply_to {
            Some(which) => Some(which.find(handle, &to).await?),
            None => None,
        };
        let preview = match (self.preview, self.preview_anywhere) {
            (true, _) => preview::of(&text, Reach::Public).await,
            (_, true) => preview::of(&text, Reach::Anywhere).await,
            _ => None,
        };
        let mentions = mention::find(handle, &to, &text).await?;
        let send = Command::Send { to, text, reply_to, mentions, preview };
        let id = match handle.call(send).await? {
            Reply::Queued { message, .. } => message,
            other => return Err(unexpected(&other)),
        };
        if !self.json {
            out::line(&id.to_string())?;
        }
        let within = Duration::from_secs(self.timeout);
        let message = wait_for_tick(handle, id, self.wait.tick(), within).await?;
        if self.json {
            out::json(&plain::Message::from(&message))?;
        }
        match message.tick {
            Some(Tick::Failed) => {
                let why = message.failure.unwrap_or_else(|| "the message cannot be sent".into());
                Err(Failure::with(why, "The text is kept: `tidings history` shows it."))
            }
            Some(tick) if tick >= self.wait.tick() => Ok(()),
            Some(Tick::Clock) => Err(super::not_sent_yet(within)),
            _ => Err(Failure::with(
                format!("the message is on the server, but was not {} within {} s", self.wait.word(), self.timeout),
                "Wait longer with --timeout, or look at its ticks later with `tidings history`.",
            )),
        }
    }
}

/// The message when it has reached this tick, has failed, or when the time is over.
pub async fn wait_for_tick(handle: &Handle, id: MessageId, tick: Tick, within: Duration) -> Result<Message, Failure> {
    let give_up = Instant::now() + within;
    let mut news = handle.listen();
    loop {
        let message = match handle.call(Command::Message { id }).await? {
            Reply::Message(message) => message,
            other => return Err(unexpected(&other)),
        };
        if message.tick.is_none_or(|it| it >= tick || it == Tick::Failed) {
            return Ok(message);
        }
        loop {
            match timeout_at(give_up, news.next()).await {
                Ok(Some(News::Event(event))) if concerns(&event, &message) => break,
                Ok(Some(News::Missed)) => break,
                Ok(Some(News::Event(Event::LoggedOut { reason }))) => return Err(super::logged_out(&reason)),
                Ok(Some(News::Event(_))) => {}
                Ok(None) => return Err(handle.gone()),
                Err(_) => return Ok(message),
            }
        }
    }
}

fn concerns(event: &Event, message: &Message) -> bool {
    match event {
        Event::MessageAdded { message: id, .. } | Event::MessageChanged { message: id, .. } => *id == message.message,
        Event::TicksChanged { conversation } => *conversation == message.conversation,
        _ => false,
    }
}
