//! `tidings star`

use super::which::Which;
use super::with;
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings star Cinema 12
  tidings star Cinema 12 --off

To find a message again: `tidings starred`. Only you know; nothing is sent to others.")]
pub struct Star {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
    /// The message's number or id
    message: Which,
    /// Take the star off
    #[arg(long)]
    off: bool,
}

impl Star {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            let message = self.message.find(handle, &self.with.peer(handle).await?).await?;
            handle.call(Command::Star { message, on: !self.off }).await.map(drop)
        })
        .await
    }
}
