//! `tidings pin`: a message for everybody in its chat, or a chat in one's own list.

use super::which::Which;
use super::{sent, with};
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use std::time::Duration;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings pin Cinema 12          the message, for everybody in the chat
  tidings pin Cinema 12 --off
  tidings pin Cinema             the chat itself, at the top of your list; only you see that

Of the messages of a chat the three that were pinned last stay pinned; in a group those may pin who may edit it.
`tidings pins Cinema` prints them.")]
pub struct Pin {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
    /// The message's number or id; without it, the chat is meant
    message: Option<Which>,
    /// Unpin
    #[arg(long)]
    off: bool,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Pin {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            let of = self.with.peer(handle).await?;
            let on = !self.off;
            let command = match self.message {
                Some(which) => Command::Pin { message: which.find(handle, &of).await?, on },
                None => Command::PinConversation { of, on },
            };
            handle.call(command).await?;
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await
    }
}
