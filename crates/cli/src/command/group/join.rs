//! `tidings group join`

use super::{Patience, invite, look, settled, unexpected};
use crate::Common;
use crate::command::open;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::{out, text};
use clap::Args;
use std::time::Duration;
use tidings_client::{Command, Peer, Reply, view};
use tidings_proto::id::ConversationId;
use tokio::time::{Instant, timeout_at};

/// The name comes from the members, a moment later if one of them is there.
const NAME_TIMEOUT: Duration = Duration::from_secs(3);

/// The group, with its name if that comes soon.
async fn named(handle: &Handle, conversation: ConversationId) -> Result<view::Group, Failure> {
    let mut news = handle.listen();
    let give_up = Instant::now() + NAME_TIMEOUT;
    loop {
        let group = look(handle, Peer::Conversation(conversation)).await?;
        if group.name.is_some() || !matches!(timeout_at(give_up, news.next()).await, Ok(Some(_))) {
            return Ok(group);
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings group join 'https://chat.example.org/join#…'

Quote the link: many shells take a # for the beginning of a comment. You read what is said from then on.")]
pub struct Join {
    /// The link, or the part of it after the #
    link: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    patience: Patience,
}

impl Join {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let (profile, handle) = open(common, &[]).await?;
        let joined = async {
            let token = invite::token(&profile.server, &self.link)?.to_owned();
            let reply = settled(&handle, Command::JoinByInvite { token }, self.patience.within()).await?;
            let conversation = match reply {
                Reply::JoinRequested if self.json => {
                    return out::json(&serde_json::json!({ "joined": false, "requested": true }));
                }
                Reply::JoinRequested => {
                    return out::line(
                        "An admin has to let you in, and was told. The group appears here as soon as that is done.",
                    );
                }
                Reply::Conversation { conversation, .. } => conversation,
                other => return Err(unexpected(&other)),
            };
            if self.json {
                return out::json(&serde_json::json!({ "joined": true, "id": conversation.to_string() }));
            }
            let group = named(&handle, conversation).await?;
            let name = group.name.map_or("the group".to_owned(), |name| text::line(&name));
            out::line(&format!("You are in {name}, with {} members.", group.members.len()))?;
            out::line(&format!("Id: {conversation}"))
        };
        let joined = joined.await;
        handle.close().await;
        joined
    }
}
