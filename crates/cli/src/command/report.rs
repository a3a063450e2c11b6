//! `tidings report`: tell those who run the server about a person or a group.

use super::{unexpected, with};
use crate::Common;
use crate::failure::Failure;
use crate::show::out;
use crate::target::Target;
use clap::Args;
use tidings_client::{Command, Reply};
use tidings_proto::limit::REPORT_MESSAGES_MAX;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings report +31687654321 --reason \"sells what is not theirs\"
  tidings report +31687654321 --last 5 --block --reason spam
  tidings report \"Film club\" --last 10 --reason threats

Those who run the server see your reason and the last messages of others that you attach with --last, nothing else of
the chat. The other person is not told.")]
pub struct Report {
    /// Whom or which group: a number, a name, an id
    who: Target,
    /// What it is about
    #[arg(long)]
    reason: String,
    /// Attach the last so many messages of others
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=REPORT_MESSAGES_MAX as i64))]
    last: u32,
    /// Block the person too
    #[arg(long)]
    block: bool,
}

impl Report {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let Self { who, reason, last, block } = self;
        with(common, &[&who], async |handle| {
            super::catch_up(handle).await?;
            let peer = who.peer(handle).await?;
            let report = Command::Report { who: peer.clone(), reason, messages: Vec::new(), last };
            let report = match handle.call(report).await? {
                Reply::Reported { report } => report,
                other => return Err(unexpected(&other)),
            };
            out::line(&format!("Reported. Those who run the server find it as {report}."))?;
            if block {
                handle.call(Command::Block { who: peer }).await?;
                out::line("Blocked.")?;
            }
            Ok(())
        })
        .await
    }
}
