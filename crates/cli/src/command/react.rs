//! `tidings react`

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
  tidings react +31687654321 12 👍
  tidings react +31687654321 12 --remove

`tidings history +31687654321` shows the numbers.")]
pub struct React {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
    /// The message's number or id
    message: Which,
    /// The emoji; replaces an earlier one of yours
    #[arg(required_unless_present = "remove", conflicts_with = "remove")]
    emoji: Option<String>,
    /// Take your reaction back
    #[arg(long)]
    remove: bool,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl React {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            let to = self.with.peer(handle).await?;
            let message = self.message.find(handle, &to).await?;
            handle.call(Command::React { to, message, emoji: self.emoji }).await?;
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await
    }
}
