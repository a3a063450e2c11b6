//! `tidings archive`

use super::with;
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings archive Cinema
  tidings archive Cinema --off

`tidings list` leaves it out (`tidings list --all` shows it), until a new message comes; of a muted conversation also then.")]
pub struct Archive {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
    /// Bring it back
    #[arg(long)]
    off: bool,
}

impl Archive {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            let of = self.with.peer(handle).await?;
            handle.call(Command::Archive { of, on: !self.off }).await.map(drop)
        })
        .await
    }
}
