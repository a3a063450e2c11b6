//! `tidings group admin`

use super::whom::{self, Whom};
use super::{Patience, change, look};
use crate::Common;
use crate::failure::Failure;
use crate::show::out;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group admin Cinema +31687654321
  tidings group admin Cinema Bram --off

Admins add, remove and ban, make links, and change the rules. A group has at least one: the last one who leaves passes
it on to who is there longest.")]
pub struct Admin {
    /// Which group: its name or id
    group: Target,
    /// Whom: by number, name or id, as `tidings group info` shows them
    who: Whom,
    /// No longer an admin
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    patience: Patience,
}

impl Admin {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        change(common, &self.group, self.patience, async |handle, group| {
            let who = self.who.among(&whom::members(&look(handle, group.clone()).await?))?;
            Ok(Command::SetAdmin { group, who, on: !self.off })
        })
        .await?;
        match self.off {
            false => out::line(&format!("{} is an admin of {} now.", self.who, self.group)),
            true => out::line(&format!("{} is no admin of {} any more.", self.who, self.group)),
        }
    }
}
