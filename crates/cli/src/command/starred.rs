//! `tidings starred`: the messages that one wants to find again.

use super::{unexpected, with};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::feed;
use crate::show::{line, out, plain, text};
use crate::target::Target;
use clap::Args;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use tidings_client::{Command, Reply};

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings starred
  tidings starred --in Cinema --json | jq -r .text

Starred last first. `tidings star` stars a message.")]
pub struct Starred {
    /// Only of this conversation: a number, a group's name, `me`, or an id
    #[arg(long = "in", value_name = "CONVERSATION")]
    within: Option<Target>,
    /// Print one JSON object per message
    #[arg(long)]
    json: bool,
}

impl Starred {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let about: Vec<&Target> = self.within.iter().collect();
        with(common, &about, async |handle| {
            let of = match &self.within {
                Some(target) => Some(target.peer(handle).await?),
                None => None,
            };
            print(handle, Command::Starred { of }, self.json, "Nothing is starred.").await
        })
        .await
    }
}

/// Messages of several conversations, each with its conversation's name.
pub async fn print(handle: &Handle, command: Command, json: bool, nothing: &str) -> Result<(), Failure> {
    let found = match handle.call(command).await? {
        Reply::Messages(found) => found,
        other => return Err(unexpected(&other)),
    };
    if json {
        return found.iter().try_for_each(|message| out::json(&plain::Message::from(message)));
    }
    let rows = feed::conversations(handle).await?;
    let titles: HashMap<_, _> = rows.iter().map(|row| (row.conversation, text::line(&row.title))).collect();
    let zone = TimeZone::system();
    for message in &found {
        let title = titles.get(&message.conversation).map_or("", String::as_str);
        out::line(&format!("[{title}]  {}", line::message(message, &zone)))?;
    }
    if found.is_empty() { out::line(nothing) } else { Ok(()) }
}
