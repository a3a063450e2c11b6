//! `tidings group create`

use super::members::{People, add_with_progress, peers};
use super::{Patience, settled, unexpected};
use crate::Common;
use crate::command::with;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::{out, text};
use clap::Args;
use tidings_client::{Command, Reply};

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group create Cinema +31687654321 +31655555555
  tidings group create \"Whole street\" --from numbers.txt      one number a line

You are its first admin. The server knows who is in it, and neither its name nor what is said.")]
pub struct Create {
    /// What to call it
    name: String,
    #[command(flatten)]
    people: People,
    #[command(flatten)]
    patience: Patience,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Create {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let people = self.people.read()?;
        with(common, &people.iter().collect::<Vec<_>>(), async |handle| {
            self.create(handle, peers(&people, handle).await?).await
        })
        .await
    }

    async fn create(&self, handle: &Handle, members: Vec<tidings_client::Peer>) -> Result<(), Failure> {
        let count = members.len();
        let command = Command::CreateGroup { name: self.name.clone(), members };
        let reply = add_with_progress(count, settled(handle, command, self.patience.for_people(count))).await?;
        let Reply::Conversation { conversation, .. } = reply else { return Err(unexpected(&reply)) };
        if self.json {
            let group = super::look(handle, tidings_client::Peer::Conversation(conversation)).await?;
            return out::json(&crate::show::group::Group::from(&group));
        }
        out::line(&format!("{} is there, with {} and you in it.", text::line(self.name.trim()), counted(count)))?;
        out::line(&format!("Id: {conversation}"))?;
        out::line("Write to it with: tidings chat NAME, or let more people in with: tidings group invite NAME")
    }
}

/// As in `3 others`.
fn counted(others: usize) -> String {
    match others {
        0 => "nobody else".into(),
        1 => "one other person".into(),
        more => format!("{more} others"),
    }
}
