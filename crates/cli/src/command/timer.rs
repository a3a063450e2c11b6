//! `tidings timer`: messages that disappear.

use super::{sent, with};
use crate::Common;
use crate::failure::Failure;
use crate::show::out;
use crate::span::Span;
use crate::target::Target;
use clap::Args;
use std::time::Duration;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings timer +31687654321 1d
  tidings timer Cinema --off

What is said from then on disappears that long after it was sent, on every device and on the server's disk: 30s to 90d.
Everybody in the chat sees who set it. Whoever wants to keep a message can still photograph the screen.")]
pub struct Timer {
    /// Which conversation: a number, a group's name, `me`, or an id
    with: Target,
    /// How long messages stay: 30s, 8h, 1d, 4w
    #[arg(required_unless_present = "off", conflicts_with = "off")]
    after: Option<Span>,
    /// Let messages stay
    #[arg(long)]
    off: bool,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Timer {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            let of = self.with.peer(handle).await?;
            handle.call(Command::SetTimer { of, seconds: self.after.map(|span| span.0) }).await?;
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await?;
        match self.after {
            Some(span) => out::line(&format!("Messages to {} disappear after {span}.", self.with)),
            None => out::line(&format!("Messages to {} stay.", self.with)),
        }
    }
}
