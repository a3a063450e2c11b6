//! `tidings block` and `tidings unblock`

use super::open;
use crate::Common;
use crate::failure::Failure;
use crate::person::Phone;
use crate::show::out;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings block +31687654321

The other person is not told: what they send gets one tick. After `tidings unblock` it arrives.")]
pub struct Block {
    /// Whom to block
    who: Phone,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings unblock +31687654321

What they sent meanwhile arrives now, as far as the server still keeps it.")]
pub struct Unblock {
    /// Whom to unblock
    who: Phone,
}

impl Block {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        ask(common, &self.who, Command::Block { who: self.who.peer() }).await?;
        out::line(&format!("{} is blocked.", self.who))
    }
}

impl Unblock {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        ask(common, &self.who, Command::Unblock { who: self.who.peer() }).await?;
        out::line(&format!("{} is not blocked.", self.who))
    }
}

async fn ask(common: &Common, who: &Phone, command: Command) -> Result<(), Failure> {
    let (_, handle) = open(common, &[who]).await?;
    let result = handle.call(command).await;
    handle.close().await;
    result.map(drop)
}
