//! `tidings privacy`: what others see of oneself, and so what one sees of them.

use super::{unexpected, with};
use crate::Common;
use crate::failure::Failure;
use crate::show::{out, presence};
use clap::{Args, ValueEnum};
use serde_json::json;
use tidings_client::{Command, Reply};
use tidings_proto::http::Audience;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings privacy
  tidings privacy --last-seen contacts
  tidings privacy --read-receipts off

What you do not share you do not see of others either. Contacts are the people with whom you have a conversation; nobody
whom you block sees anything. Your own devices know what you have read in any case.")]
pub struct Privacy {
    /// Who sees whether you are online, and when you last were
    #[arg(long, value_name = "WHO")]
    last_seen: Option<Who>,
    /// Whether others see what you have read
    #[arg(long, value_name = "ON")]
    read_receipts: Option<Switch>,
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

impl Privacy {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let last_seen = self.last_seen.map(|who| match who {
            Who::Everyone => Audience::Everyone,
            Who::Contacts => Audience::Contacts,
            Who::Nobody => Audience::Nobody,
        });
        let read_receipts = self.read_receipts.map(|switch| switch == Switch::On);
        let command = match (last_seen, read_receipts) {
            (None, None) => Command::Privacy,
            (last_seen, read_receipts) => Command::SetPrivacy { last_seen, read_receipts },
        };
        let reply = with(common, &[], async |handle| {
            super::catch_up(handle).await?;
            handle.call(command).await
        })
        .await?;
        let Reply::Privacy { last_seen, read_receipts } = reply else { return Err(unexpected(&reply)) };
        let last_seen = presence::audience(last_seen);
        if self.json {
            return out::json(&json!({ "last_seen": last_seen, "read_receipts": read_receipts }));
        }
        out::line(&format!("Online and last seen   {last_seen}"))?;
        out::line(&format!("Read receipts          {}", if read_receipts { "on" } else { "off" }))
    }
}
