//! `tidings backup off`

use crate::Common;
use crate::command::with;
use crate::failure::Failure;
use crate::show::out;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings backup off

The backup at the server opens for nobody from then on. Files that you wrote stay good.")]
pub struct Off {}

impl Off {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[], async |handle| {
            handle.call(Command::EndBackup).await?;
            out::line("No backup is made any more.")
        })
        .await
    }
}
