//! `tidings block` and `tidings unblock`

use super::with;
use crate::Common;
use crate::failure::Failure;
use crate::show::out;
use crate::target::Target;
use clap::Args;
use tidings_client::{Command, Peer};

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings block +31687654321

The other person is not told: what they send gets one tick. After `tidings unblock` it arrives.")]
pub struct Block {
    /// Whom to block: a phone number, or a name of the address book
    who: Target,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings unblock +31687654321

What they sent meanwhile arrives now, as far as the server still keeps it.")]
pub struct Unblock {
    /// Whom to unblock: a phone number, or a name of the address book
    who: Target,
}

impl Block {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        ask(common, &self.who, |who| Command::Block { who }).await?;
        out::line(&format!("{} is blocked.", self.who))
    }
}

impl Unblock {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        ask(common, &self.who, |who| Command::Unblock { who }).await?;
        out::line(&format!("{} is not blocked.", self.who))
    }
}

async fn ask(common: &Common, who: &Target, command: impl FnOnce(Peer) -> Command) -> Result<(), Failure> {
    with(common, &[who], async |handle| handle.call(command(who.person(handle).await?)).await.map(drop)).await
}
