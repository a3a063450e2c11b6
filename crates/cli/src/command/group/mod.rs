//! `tidings group`: one file per thing that can be done, [`whom`]: how members are named.

mod admin;
mod ban;
mod create;
mod info;
mod invite;
mod join;
mod leave;
mod list;
mod members;
mod profile;
mod requests;
mod rules;
mod whom;

use super::{settled, unexpected};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::target::Target;
use clap::{Args, Subcommand};
use std::time::Duration;
use tidings_client::{Command, Peer, Reply, view};

pub use invite::{link, token, which};
pub use whom::{Whom, members};

const AFTER_HELP: &str = "\
Examples:
  tidings group create Cinema +31687654321 +31655555555
  tidings send Cinema \"Friday, eight o'clock?\"
  tidings chat Cinema
  tidings group invite Cinema --expires 7d        prints a link and a QR code
  tidings group join 'https://chat.example.org/join#…'
  tidings group info Cinema
  tidings group rules Cinema --posting admins     announcements only

A group is named by its name, or by its id if several have the same name (`tidings group list` shows both), wherever a
command takes a phone number. Everything in a group is end-to-end encrypted: names, pictures and who said what are
known to its members only.";

#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Group {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make a group
    Create(create::Create),
    /// Print the groups
    List(list::List),
    /// Show a group: members, rules, links
    Info(info::Info),
    /// Add people
    Add(members::Add),
    /// Remove people
    Remove(members::Remove),
    /// Make somebody an admin, or no longer
    Admin(admin::Admin),
    /// Change a group's name
    Name(profile::Name),
    /// Change a group's description
    Describe(profile::Describe),
    /// Give a group a picture
    Picture(profile::Picture),
    /// Say who may post, edit the group's name, and add people
    Rules(rules::Rules),
    /// Remove somebody for good
    Ban(ban::Ban),
    /// Let somebody come in again
    Unban(ban::Unban),
    /// Leave a group
    Leave(leave::Leave),
    /// Make a link, with a QR code, by which people come in
    Invite(invite::Invite),
    /// Make a link worthless
    Revoke(invite::Revoke),
    /// Join a group by a link
    Join(join::Join),
    /// Print who asks to be let in
    Requests(requests::Requests),
    /// Let somebody in who asked
    Approve(requests::Approve),
    /// Do not let somebody in who asked
    Deny(requests::Deny),
}

impl Group {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        match self.what {
            What::Create(it) => it.run(common).await,
            What::List(it) => it.run(common).await,
            What::Info(it) => it.run(common).await,
            What::Add(it) => it.run(common).await,
            What::Remove(it) => it.run(common).await,
            What::Admin(it) => it.run(common).await,
            What::Name(it) => it.run(common).await,
            What::Describe(it) => it.run(common).await,
            What::Picture(it) => it.run(common).await,
            What::Rules(it) => it.run(common).await,
            What::Ban(it) => it.run(common).await,
            What::Unban(it) => it.run(common).await,
            What::Leave(it) => it.run(common).await,
            What::Invite(it) => it.run(common).await,
            What::Revoke(it) => it.run(common).await,
            What::Join(it) => it.run(common).await,
            What::Requests(it) => it.run(common).await,
            What::Approve(it) => it.run(common).await,
            What::Deny(it) => it.run(common).await,
        }
    }
}

/// How long to wait for the server.
#[derive(Args, Clone, Copy, Debug)]
struct Patience {
    /// How long to wait for the server, in seconds; what was asked for is kept and done later
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Patience {
    fn within(self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Asks for a change of this group, and waits until it is done.
async fn change(
    common: &Common,
    group: &Target,
    patience: Patience,
    command: impl AsyncFnOnce(&Handle, Peer) -> Result<Command, Failure>,
) -> Result<Reply, Failure> {
    super::with(common, &[group], async |handle| {
        let peer = group.peer(handle).await?;
        let command = command(handle, peer).await?;
        settled(handle, command, patience.within()).await
    })
    .await
}

pub async fn look(handle: &Handle, group: Peer) -> Result<view::Group, Failure> {
    match handle.call(Command::GroupInfo { group }).await? {
        Reply::Group(group) => Ok(group),
        other => Err(unexpected(&other)),
    }
}
