//! `tidings poll` and `tidings vote`

use super::which::Which;
use super::{sent, with};
use crate::Common;
use crate::failure::Failure;
use crate::target::Target;
use clap::Args;
use std::time::Duration;
use tidings_client::{Command, Reply};

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings poll Cinema \"Which day?\" Friday Saturday Sunday
  tidings poll Cinema \"Which films?\" Alien Brazil Casablanca --multiple

Prints the message's id. Votes are end-to-end encrypted like all else; everybody in the chat sees who voted for what.")]
pub struct Poll {
    /// Where: a number, a group's name, or an id
    to: Target,
    /// What is asked
    question: String,
    /// What can be chosen
    #[arg(required = true, num_args = 2..)]
    options: Vec<String>,
    /// Several may be chosen
    #[arg(long)]
    multiple: bool,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings vote Cinema 12 1            the first choice of poll 12
  tidings vote Cinema 12 1 3          where several may be chosen
  tidings vote Cinema 12 --none       take your vote back")]
pub struct Vote {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
    /// The poll's number or id
    poll: Which,
    /// Which choices, counted from 1; what was chosen before does not count any more
    #[arg(required_unless_present = "none", conflicts_with = "none", value_parser = clap::value_parser!(u32).range(1..))]
    choices: Vec<u32>,
    /// Take your vote back
    #[arg(long)]
    none: bool,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Poll {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.to], async |handle| {
            let to = self.to.peer(handle).await?;
            let (question, options, multiple) = (self.question.clone(), self.options.clone(), self.multiple);
            match handle.call(Command::CreatePoll { to, question, options, multiple }).await? {
                Reply::Queued { message, .. } => crate::show::out::line(&message.to_string())?,
                other => return Err(super::unexpected(&other)),
            }
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await
    }
}

impl Vote {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            let poll = self.poll.find(handle, &self.with.peer(handle).await?).await?;
            let choices = self.choices.iter().map(|choice| choice - 1).collect();
            handle.call(Command::Vote { poll, choices }).await?;
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await
    }
}
