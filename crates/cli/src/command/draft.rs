//! `tidings draft`

use super::with;
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings draft Cinema \"I think that\"      stands in the input line of `tidings chat Cinema`
  tidings draft Cinema \"\"                  throws it away")]
pub struct Draft {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
    /// What is kept, unsent; empty throws it away
    text: String,
}

impl Draft {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            let of = self.with.peer(handle).await?;
            handle.call(Command::SetDraft { of, text: self.text.clone() }).await.map(drop)
        })
        .await
    }
}
