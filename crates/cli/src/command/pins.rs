//! `tidings pins`: the pinned messages of a chat.

use super::starred::print;
use super::{catch_up_to_look, with};
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings pins Cinema

Pinned last first.")]
pub struct Pins {
    /// Which conversation: a number, a group's name, `me`, or an id
    with: Target,
    /// Print one JSON object per message
    #[arg(long)]
    json: bool,
}

impl Pins {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            catch_up_to_look(handle).await?;
            let of = self.with.peer(handle).await?;
            print(handle, Command::Pinned { of }, self.json, "Nothing is pinned.").await
        })
        .await
    }
}
