//! `tidings search`: in what this device has. The server could not search, for it cannot read.

use super::starred::print;
use super::with;
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;
use tidings_proto::id::MessageId;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings search candles
  tidings search \"eight o'clock\" --in Cinema
  tidings search candles --json | jq -r .text

Newest last. Every word has to be there, or a word that begins like it; case and accents do not matter.")]
pub struct Search {
    /// What to look for
    words: String,
    /// Only in this conversation: a number, a group's name, `me`, or an id
    #[arg(long = "in", value_name = "CONVERSATION")]
    within: Option<Target>,
    /// How many of the newest, at most 200
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Only older ones than the message with this id
    #[arg(long, value_name = "ID")]
    before: Option<MessageId>,
    /// Print one JSON object per message
    #[arg(long)]
    json: bool,
}

impl Search {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let about: Vec<&Target> = self.within.iter().collect();
        with(common, &about, async |handle| {
            let of = match &self.within {
                Some(target) => Some(target.peer(handle).await?),
                None => None,
            };
            let command = Command::Search { text: self.words.clone(), of, before: self.before, limit: self.limit };
            print(handle, command, self.json, "Nothing was found.").await
        })
        .await
    }
}
