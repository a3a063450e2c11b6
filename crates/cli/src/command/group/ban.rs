//! `tidings group ban` and `group unban`

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
Example:
  tidings group ban Cinema +31655555555

Only admins. Who is banned is removed, and comes in again neither by a link nor by being added.")]
pub struct Ban {
    /// Which group: its name or id
    group: Target,
    /// Whom: by number, name or id
    who: Whom,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings group unban Cinema +31655555555

They are not added by that: add them, or give them a link.")]
pub struct Unban {
    /// Which group: its name or id
    group: Target,
    /// Whom: by number, or by the id that `tidings group info` shows
    who: Whom,
    #[command(flatten)]
    patience: Patience,
}

impl Ban {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        set(common, &self.group, &self.who, true, self.patience).await?;
        out::line(&format!("{} is banned from {}.", self.who, self.group))
    }
}

impl Unban {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        set(common, &self.group, &self.who, false, self.patience).await?;
        out::line(&format!("{} may come into {} again.", self.who, self.group))
    }
}

async fn set(common: &Common, group: &Target, who: &Whom, on: bool, patience: Patience) -> Result<(), Failure> {
    let ban = async |handle: &_, group: tidings_client::Peer| {
        let who = who.among(&whom::members(&look(handle, group.clone()).await?))?;
        Ok(Command::Ban { group, who, on })
    };
    change(common, group, patience, ban).await.map(drop)
}
