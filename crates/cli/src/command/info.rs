//! `tidings info`: who has a message, and who has read it.

use super::which::Which;
use super::{catch_up_to_look, unexpected, with};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::{info, out};
use crate::target::Target;
use clap::Args;
use jiff::tz::TimeZone;
use tidings_client::view::MessageInfo;
use tidings_client::{Command, Reply};
use tidings_proto::id::MessageId;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings info Cinema 12
  tidings info +31687654321 12 --json

Only of your own messages; `tidings history` shows their numbers. Times are the server's; where one is absent,
it happened while this device could not learn when.")]
pub struct Info {
    /// Which conversation: a number, a group's name, or an id
    with: Target,
    /// The message's number or id
    message: Which,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Info {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.with], async |handle| {
            catch_up_to_look(handle).await?;
            let of = self.with.peer(handle).await?;
            let found = look(handle, self.message.find(handle, &of).await?).await?;
            if self.json {
                return out::json(&info::MessageInfo::from(&found));
            }
            info::human(&found, &TimeZone::system()).iter().try_for_each(|line| out::line(line))
        })
        .await
    }
}

pub async fn look(handle: &Handle, message: MessageId) -> Result<MessageInfo, Failure> {
    match handle.call(Command::MessageInfo { message }).await? {
        Reply::MessageInfo(info) => Ok(info),
        other => Err(unexpected(&other)),
    }
}
