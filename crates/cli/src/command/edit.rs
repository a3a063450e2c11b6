//! `tidings edit`

use super::which::Which;
use super::{sent, text_or_stdin, with};
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use std::time::Duration;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings edit +31687654321 12 \"see you at eight\"

Only your own messages. The other person sees that it was edited.")]
pub struct Edit {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
    /// The message's number or id
    message: Which,
    /// The new text; - (or nothing, in a pipe) reads it from standard input
    text: Option<String>,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Edit {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let text = text_or_stdin(self.text)?;
        with(common, &[&self.with], async |handle| {
            let to = self.with.peer(handle).await?;
            let message = self.message.find(handle, &to).await?;
            handle.call(Command::Edit { to, message, text }).await?;
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await
    }
}
