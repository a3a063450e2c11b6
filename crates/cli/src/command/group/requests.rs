//! `tidings group requests`, `group approve` and `group deny`: who came by a link that needs an admin's approval.

use super::whom::Whom;
use super::{Patience, change, settled, unexpected};
use crate::Common;
use crate::command::with;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::{out, text, time};
use crate::target::Target;
use clap::Args;
use jiff::tz::TimeZone;
use std::time::Duration;
use tidings_client::view::{JoinRequest, Person};
use tidings_client::{Command, Peer, Reply};

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group requests Cinema
  tidings group approve Cinema +31655555555

Only admins see them. A request is kept for 14 days.")]
pub struct Requests {
    /// Which group: its name or id
    group: Target,
    /// Print one JSON object per request
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    patience: Patience,
}

impl Requests {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let ask = async |handle: &Handle| list(handle, self.group.peer(handle).await?, self.patience.within()).await;
        let requests = with(common, &[&self.group], ask).await?;
        for JoinRequest { who, time_ms } in &requests {
            if self.json {
                let (account, time) = (who.account.to_string(), time::rfc3339(*time_ms));
                out::json(&serde_json::json!({ "account": account, "title": who.title, "time": time }))?;
            } else {
                let when = time::date_and_clock(*time_ms, &TimeZone::system());
                out::line(&format!("{when}  {}  {}", who.account, text::line(&who.title)))?;
            }
        }
        if requests.is_empty() && !self.json {
            out::line("Nobody waits to be let in.")?;
        }
        Ok(())
    }
}

pub async fn list(handle: &Handle, group: Peer, within: Duration) -> Result<Vec<JoinRequest>, Failure> {
    match settled(handle, Command::JoinRequests { group }, within).await? {
        Reply::JoinRequests(requests) => Ok(requests),
        other => Err(unexpected(&other)),
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings group approve Cinema +31655555555

Only admins. `tidings group requests Cinema` shows who waits.")]
pub struct Approve {
    /// Which group: its name or id
    group: Target,
    /// Whom: by number, or by the name or id that `tidings group requests` shows
    who: Whom,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings group deny Cinema +31655555555

Only admins. They are not told; they may ask again unless they are banned.")]
pub struct Deny {
    /// Which group: its name or id
    group: Target,
    /// Whom: by number, or by the name or id that `tidings group requests` shows
    who: Whom,
    #[command(flatten)]
    patience: Patience,
}

impl Approve {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        answer(common, &self.group, &self.who, true, self.patience).await?;
        out::line(&format!("{} is in {} now.", self.who, self.group))
    }
}

impl Deny {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        answer(common, &self.group, &self.who, false, self.patience).await?;
        out::line(&format!("{} does not come into {}.", self.who, self.group))
    }
}

async fn answer(common: &Common, group: &Target, who: &Whom, approve: bool, patience: Patience) -> Result<(), Failure> {
    let answer = async |handle: &Handle, group: Peer| {
        let waiting: Vec<Person> = match who {
            Whom::Name(_) => {
                let requests = list(handle, group.clone(), patience.within()).await?;
                requests.into_iter().map(|request| request.who).collect()
            }
            _ => Vec::new(),
        };
        Ok(Command::AnswerJoinRequest { group, who: who.among(&waiting)?, approve })
    };
    change(common, group, patience, answer).await.map(drop)
}
