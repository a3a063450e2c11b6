//! `tidings unread`

use super::with;
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings unread Cinema

To come back to it. Nobody else is told; it ends when you read on.")]
pub struct Unread {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
}

impl Unread {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            let of = self.with.peer(handle).await?;
            handle.call(Command::MarkUnread { of }).await.map(drop)
        })
        .await
    }
}
