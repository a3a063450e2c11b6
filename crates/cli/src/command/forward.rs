//! `tidings forward`

use super::which::Which;
use super::{sent, with};
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use std::time::Duration;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings forward +31687654321 12 Cinema
  tidings forward Cinema 40 +31687654321 me

Who gets it sees that it was forwarded, and not from whom.")]
pub struct Forward {
    /// Where the message is: a number, a group's name, or an id
    from: Target,
    /// The message's number or id
    message: Which,
    /// Where it goes: one or several
    #[arg(required = true)]
    to: Vec<Target>,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Forward {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let about: Vec<&Target> = std::iter::once(&self.from).chain(&self.to).collect();
        with(common, &about, async |handle| {
            let message = self.message.find(handle, &self.from.peer(handle).await?).await?;
            for to in &self.to {
                let to = to.peer(handle).await?;
                handle.call(Command::Forward { message, to }).await?;
            }
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await
    }
}
