//! `tidings chat`: see the `chat` module.

use super::with;
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use std::io::IsTerminal;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings chat +31687654321
  tidings --as +31612345678 chat +31687654321
  tidings chat Cinema                                  a group, by its name

Type a message and press Enter. /help in the chat shows the rest: replies, reactions, edits, message info, groups.
Ticks: ◷ stored on this device, ✓ on the server's disk, ✓✓ on the others' devices, blue ✓✓ seen.
It works without a network too: what you write is sent as soon as there is one.")]
pub struct Chat {
    /// Whom to chat with: a number as in +31687654321, a group's name, `me`, or an id
    with: Target,
}

impl Chat {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return Err(Failure::usage(
                "`tidings chat` needs a terminal",
                "In scripts, use `tidings send`, `tidings listen --json` and `tidings history --json`.",
            ));
        }
        with(common, &[&self.with], async |handle| crate::chat::run(handle, &self.with).await).await
    }
}
