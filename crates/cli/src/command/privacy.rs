//! `tidings privacy`: what others see of oneself, who finds one, and who adds one to groups.

use super::{unexpected, with};
use crate::Common;
use crate::failure::Failure;
use crate::show::{out, presence};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::time::Duration;
use tidings_client::{Command, Reply};
use tidings_proto::http::Audience;

/// How long to wait until everybody was told.
const TELLING_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings privacy
  tidings privacy --last-seen contacts --picture contacts
  tidings privacy --add-me contacts           others send you an invite link
  tidings privacy --read-receipts off

Online, last seen and read receipts: what you do not share you do not see of others either. Contacts are the people in your
address book (`tidings contacts`); nobody whom you block is one. The server has to know who they are while last seen, finding
or adding is for contacts, and is told then. Picture and about it never sees: with `contacts` they go to your contacts in
conversations with you alone, and to no group. Your own devices know what you have read in any case.")]
pub struct Privacy {
    /// Who sees whether you are online, and when you last were
    #[arg(long, value_name = "WHO")]
    last_seen: Option<Who>,
    /// Whether others see what you have read
    #[arg(long, value_name = "ON")]
    read_receipts: Option<Switch>,
    /// Who finds you by your number; with `nobody` people who meet you in a group do not learn it either
    #[arg(long, value_name = "WHO")]
    find_me: Option<Who>,
    /// Who may put you into groups
    #[arg(long, value_name = "WHO")]
    add_me: Option<Who>,
    /// Who gets to see your picture
    #[arg(long, value_name = "WHO")]
    picture: Option<Who>,
    /// Who gets to see the line about you
    #[arg(long, value_name = "WHO")]
    about: Option<Who>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Who {
    Everyone,
    Contacts,
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Who {
    fn audience(self) -> Audience {
        match self {
            Who::Everyone => Audience::Everyone,
            Who::Contacts => Audience::Contacts,
            Who::Nobody => Audience::Nobody,
        }
    }
}

impl Privacy {
    fn command(&self) -> Command {
        let Self { last_seen, read_receipts, find_me, add_me, picture, about, .. } = *self;
        let audience = |who: Option<Who>| who.map(Who::audience);
        let read_receipts = read_receipts.map(|switch| switch == Switch::On);
        let whom = [last_seen, find_me, add_me, picture, about];
        if whom.iter().all(Option::is_none) && read_receipts.is_none() {
            return Command::Privacy;
        }
        let [last_seen, find_me, add_me, picture, about] = whom.map(audience);
        Command::SetPrivacy { last_seen, read_receipts, find_me, add_me, picture, about }
    }

    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let command = self.command();
        let reply = with(common, &[], async |handle| {
            super::catch_up(handle).await?;
            let changes = command != Command::Privacy;
            let reply = handle.call(command).await?;
            if changes {
                // Who had the picture is told that it is gone.
                super::sent(handle, TELLING_TIMEOUT).await?;
            }
            Ok(reply)
        })
        .await?;
        let Reply::Privacy { last_seen, read_receipts, find_me, add_me, picture, about } = reply else {
            return Err(unexpected(&reply));
        };
        let [last_seen, find_me, add_me, picture, about] =
            [last_seen, find_me, add_me, picture, about].map(presence::audience);
        if self.json {
            return out::json(&json!({
                "last_seen": last_seen, "read_receipts": read_receipts, "find_me": find_me, "add_me": add_me,
                "picture": picture, "about": about,
            }));
        }
        out::line(&format!("Online and last seen   {last_seen}"))?;
        out::line(&format!("Read receipts          {}", if read_receipts { "on" } else { "off" }))?;
        out::line(&format!("Find me by number      {find_me}"))?;
        out::line(&format!("Add me to groups       {add_me}"))?;
        out::line(&format!("Picture                {picture}"))?;
        out::line(&format!("About                  {about}"))
    }
}
