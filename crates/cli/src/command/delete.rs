//! `tidings delete`

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
  tidings delete +31687654321 12
  tidings delete Cinema 40 --for-me

For everyone your own messages, and as an admin of a group all. Everybody sees that a message was deleted; who has read it, has read it.")]
pub struct Delete {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
    /// The message's number or id
    message: Which,
    /// From this device only; any message
    #[arg(long)]
    for_me: bool,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Delete {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            let to = self.with.peer(handle).await?;
            let message = self.message.find(handle, &to).await?;
            if self.for_me {
                return handle.call(Command::DeleteForMe { message }).await.map(drop);
            }
            handle.call(Command::Delete { to, message }).await?;
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await
    }
}
