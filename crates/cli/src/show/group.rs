//! A group, for programs and for people.

use super::{me, text, time};
use crate::command::group::link;
use jiff::tz::TimeZone;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tidings_client::view;
use tidings_proto::group::{GroupRules, InviteKey, Who};
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// UUID of its conversation.
    pub id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    /// Names the picture: another one has another name.
    pub picture: Option<String>,
    /// Whether this account is in it (still).
    pub member: bool,
    pub members: Vec<Member>,
    pub rules: Rules,
    /// Only admins have a use for them.
    pub invites: Vec<Invite>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// UUID.
    pub account: String,
    /// A name, else the number, else the account's id.
    pub title: String,
    pub admin: bool,
    /// All of their devices are logged out.
    pub away: bool,
    /// Since when this device knows them in the group (RFC 3339).
    pub since: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rules {
    /// Who may send messages: `members` or `admins`.
    #[schema(value_type = String)]
    pub posting: Who,
    /// Who may change name, description, picture and timer.
    #[schema(value_type = String)]
    pub editing: Who,
    /// Who may add people.
    #[schema(value_type = String)]
    pub adding: Who,
    /// Accounts that cannot come in.
    pub banned: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    /// Names the link without giving it away.
    pub key: String,
    /// RFC 3339; without it until it is revoked.
    pub expires: Option<String>,
    /// An admin has to approve who comes by it.
    pub approval: bool,
    /// What `join` takes, where the link was made.
    pub token: Option<String>,
}

impl From<&view::Group> for Group {
    fn from(group: &view::Group) -> Self {
        let rules = &group.rules;
        Self {
            id: group.conversation.to_string(),
            name: group.name.clone(),
            description: group.description.clone(),
            picture: group.picture.clone(),
            member: group.member,
            members: group.members.iter().map(Member::from).collect(),
            rules: Rules {
                posting: rules.posting,
                editing: rules.editing,
                adding: rules.adding,
                banned: rules.banned.iter().map(ToString::to_string).collect(),
            },
            invites: group.invites.iter().map(Invite::from).collect(),
        }
    }
}

impl From<&view::Member> for Member {
    fn from(member: &view::Member) -> Self {
        Self {
            account: member.account.to_string(),
            title: member.title.clone(),
            admin: member.admin,
            away: member.away,
            since: time::rfc3339(member.since_ms),
        }
    }
}

impl From<&view::InviteLink> for Invite {
    fn from(invite: &view::InviteLink) -> Self {
        Self {
            key: key(invite.key),
            expires: invite.expires_s.map(|seconds| time::rfc3339(seconds.saturating_mul(1000))),
            approval: invite.approval,
            token: invite.token.clone(),
        }
    }
}

/// The beginning of an invite's key: enough to tell the few links of a group apart, and to type.
pub fn key(key: InviteKey) -> String {
    key.0[..KEY_SHOWN_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

const KEY_SHOWN_BYTES: usize = 4;

pub fn who(who: Who) -> &'static str {
    match who {
        Who::Members => "all members",
        Who::Admins => "admins only",
    }
}

pub fn rules(rules: &GroupRules) -> String {
    let [posting, editing, adding] = [rules.posting, rules.editing, rules.adding].map(who);
    format!("Posting: {posting}.  Editing name, picture and timer: {editing}.  Adding people: {adding}.")
}

/// Lines for people; with the server's address, links are whole.
pub fn human(group: &view::Group, server: Option<&Url>, zone: &TimeZone) -> Vec<String> {
    let name = group.name.as_deref().map_or("(a group whose name is not here yet)".into(), text::line);
    let mut lines = vec![format!("{name}  {}", group.conversation)];
    lines.extend(group.description.as_deref().map(|it| format!("  {}", text::block(it).replace('\n', "\n  "))));
    if !group.member {
        lines.push("You are not in it any more.".into());
    }
    lines.push(String::new());
    lines.push(match group.members.len() {
        1 => "1 member".into(),
        count => format!("{count} members"),
    });
    lines.extend(group.members.iter().map(member));
    lines.push(String::new());
    lines.push(rules(&group.rules));
    for banned in &group.rules.banned {
        lines.push(format!("Banned: {banned}"));
    }
    lines.extend(group.invites.iter().map(|invite| human_invite(invite, server, zone)));
    lines
}

fn member(member: &view::Member) -> String {
    let mut line = if me::am(member.account) { "  You".into() } else { format!("  {}", text::line(&member.title)) };
    if member.admin {
        line.push_str("  (admin)");
    }
    if member.away {
        line.push_str("  (logged out everywhere)");
    }
    line
}

fn human_invite(invite: &view::InviteLink, server: Option<&Url>, zone: &TimeZone) -> String {
    let mut line = format!("Link {}", key(invite.key));
    if let Some(seconds) = invite.expires_s {
        line.push_str(&format!(", until {}", time::date_and_clock(seconds.saturating_mul(1000), zone)));
    }
    if invite.approval {
        line.push_str(", with an admin's approval");
    }
    match &invite.token {
        Some(token) => match server {
            Some(server) => line.push_str(&format!(": {}", link(server, token))),
            None => line.push_str(&format!(": {token}")),
        },
        None => line.push_str(" (made on another device)"),
    }
    line
}
