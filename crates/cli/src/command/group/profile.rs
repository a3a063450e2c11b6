//! `tidings group name` and `tidings group describe`

use super::Patience;
use crate::Common;
use crate::command::{sent, with};
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings group name Cinema 'Film club'

In a group those may do it who may edit it; the server does not know the name.")]
pub struct Name {
    /// Which group: its name or id
    group: Target,
    /// What it is called from now on, at most 64 bytes
    name: String,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group describe Cinema 'Every Friday at eight'
  tidings group describe Cinema ''                        takes it away")]
pub struct Describe {
    /// Which group: its name or id
    group: Target,
    /// What it is about, at most 2 KiB
    description: String,
    #[command(flatten)]
    patience: Patience,
}

impl Name {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        set(common, &self.group, Some(self.name), None, self.patience).await
    }
}

impl Describe {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        set(common, &self.group, None, Some(self.description), self.patience).await
    }
}

async fn set(
    common: &Common,
    group: &Target,
    name: Option<String>,
    description: Option<String>,
    patience: Patience,
) -> Result<(), Failure> {
    with(common, &[group], async |handle| {
        let group = group.peer(handle).await?;
        handle.call(Command::SetGroupProfile { group, name, description }).await?;
        sent(handle, patience.within()).await
    })
    .await
}
