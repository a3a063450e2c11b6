//! `tidings group name`, `describe` and `picture`

use super::Patience;
use crate::Common;
use crate::command::{picture, sent, with};
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use std::path::PathBuf;
use tidings_client::Command;
use tidings_proto::payload::Payload;

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

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group picture Cinema poster.webp
  tidings group picture Cinema --off

It travels in an encrypted message: the server does not have it.")]
pub struct Picture {
    /// Which group: its name or id
    group: Target,
    /// A WebP, JPEG or PNG file of at most 24 KiB
    #[arg(required_unless_present = "off", conflicts_with = "off")]
    file: Option<PathBuf>,
    /// Take it away
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    patience: Patience,
}

impl Picture {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let picture = match &self.file {
            Some(file) => picture::read(file)?,
            None => picture::none(),
        };
        set(common, &self.group, [None, None], Some(picture), self.patience).await
    }
}

impl Name {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        set(common, &self.group, [Some(self.name), None], None, self.patience).await
    }
}

impl Describe {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        set(common, &self.group, [None, Some(self.description)], None, self.patience).await
    }
}

async fn set(
    common: &Common,
    group: &Target,
    [name, description]: [Option<String>; 2],
    picture: Option<Payload>,
    patience: Patience,
) -> Result<(), Failure> {
    with(common, &[group], async |handle| {
        let group = group.peer(handle).await?;
        handle.call(Command::SetGroupProfile { group, name, description, picture }).await?;
        sent(handle, patience.within()).await
    })
    .await
}
