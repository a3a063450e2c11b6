//! `tidings group leave`

use super::{Patience, change};
use crate::Common;
use crate::failure::Failure;
use crate::show::out;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings group leave Cinema

What was said stays readable here. A last admin passes the role on to who is in the group longest.")]
pub struct Leave {
    /// Which group: its name or id
    group: Target,
    #[command(flatten)]
    patience: Patience,
}

impl Leave {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let leave = async |_: &_, group| Ok(Command::Leave { group });
        change(common, &self.group, self.patience, leave).await?;
        out::line(&format!("You are not in {} any more.", self.group))
    }
}
