//! What people ask for about groups: everybody named is looked up, then the wish is stored as an intent.

use super::intent::{self, Intent};
use super::notice::At;
use super::{invite, join, member, profile};
use crate::command::{Command, Peer};
use crate::contact::{self, Resolved};
use crate::conversation::{self, Standing};
use crate::error::ClientError;
use crate::io::CallId;
use crate::reply::Reply;
use crate::step::{Step, Stop};
use crate::view;
use rand_chacha::rand_core::RngCore;
use std::collections::BTreeSet;
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::limit::{INVITES_MAX, PARTICIPANTS_MAX};

/// Whether it is a command about groups.
pub(crate) fn is_one(command: &Command) -> bool {
    group_of(command).is_some() || matches!(command, Command::CreateGroup { .. } | Command::JoinByInvite { .. })
}

fn group_of(command: &Command) -> Option<&Peer> {
    match command {
        Command::AddMembers { group, .. }
        | Command::RemoveMembers { group, .. }
        | Command::SetAdmin { group, .. }
        | Command::SetRules { group, .. }
        | Command::Ban { group, .. }
        | Command::Leave { group }
        | Command::CreateInvite { group, .. }
        | Command::RevokeInvite { group, .. }
        | Command::JoinRequests { group }
        | Command::AnswerJoinRequest { group, .. }
        | Command::GroupInfo { group } => Some(group),
        _ => None,
    }
}

/// The people that a command of a group names.
pub(crate) fn people(command: &Command) -> &[Peer] {
    match command {
        Command::CreateGroup { members, .. }
        | Command::AddMembers { members, .. }
        | Command::RemoveMembers { members, .. } => members,
        Command::SetAdmin { who, .. } | Command::Ban { who, .. } | Command::AnswerJoinRequest { who, .. } => {
            std::slice::from_ref(who)
        }
        _ => &[],
    }
}

/// Nobody has this number: the others that a command names are taken, and the reply says who is missing.
pub(crate) fn without(
    step: &mut Step<'_>,
    id: CallId,
    mut command: Command,
    phone: &str,
) -> Result<Command, ClientError> {
    let unknown = step.mem.groups.unknown.entry(id).or_default();
    unknown.push(phone.to_owned());
    let all = unknown.join(", ");
    if let Command::CreateGroup { members, .. }
    | Command::AddMembers { members, .. }
    | Command::RemoveMembers { members, .. } = &mut command
    {
        let named = |peer: &Peer| matches!(peer, Peer::Phone(other) if contact::normalize_phone(other).is_ok_and(|other| other == phone));
        members.retain(|peer| !named(peer));
        if !members.is_empty() {
            return Ok(command);
        }
    }
    step.mem.groups.unknown.remove(&id);
    Err(ClientError::NoSuchPerson { phone: all })
}

/// `None`: the reply comes later.
pub(crate) fn perform(step: &mut Step<'_>, id: CallId, command: Command) -> Result<Option<Reply>, Stop> {
    step.me()?;
    if people(&command).len() > PARTICIPANTS_MAX {
        return Err(not_allowed("more people than a group can have"));
    }
    let Some(who) = accounts(step, id, &command)? else { return Ok(None) };
    match command {
        Command::CreateGroup { name, .. } => create(step, id, name, who).map(|()| None),
        Command::JoinByInvite { token } => join::start(step, id, &token),
        other => {
            let group = group_of(&other).ok_or(ClientError::NoSuchConversation)?;
            let conversation = match contact::resolve(step, group)? {
                Resolved::Group { conversation } => conversation,
                _ => return Err(not_allowed("this is no group")),
            };
            if let Command::GroupInfo { .. } = other {
                return Ok(Some(Reply::Group(show(step, conversation)?)));
            }
            let standing = conversation::find(step.tx, conversation)?.map(|row| row.standing);
            if standing != Some(Standing::Member) {
                return Err(not_allowed("you are not in this group any more"));
            }
            change(step, id, conversation, other, who).map(|()| None)
        }
    }
}

fn change(
    step: &mut Step<'_>,
    id: CallId,
    conversation: ConversationId,
    command: Command,
    who: Vec<AccountId>,
) -> Result<(), Stop> {
    let one = who.first().copied();
    let own = step.me()?.sender.account;
    let intent = match command {
        Command::AddMembers { .. } => Intent::Add { who },
        Command::RemoveMembers { .. } => {
            if who.contains(&own) {
                return Err(not_allowed("to go oneself is to leave"));
            }
            Intent::Remove { who }
        }
        Command::SetAdmin { on, .. } => Intent::Admin { who: member_named(step, conversation, one)?, on },
        Command::SetRules { posting, editing, adding, .. } => Intent::Rules { posting, editing, adding },
        Command::Ban { on, .. } => {
            let who = one.filter(|who| *who != own).ok_or_else(|| not_allowed("nobody bans themselves"))?;
            Intent::Ban { who, on }
        }
        Command::Leave { .. } => Intent::Leave,
        Command::CreateInvite { expires_in_s, approval, .. } => {
            let rules = member::rules(step.tx, conversation)?.unwrap_or_default();
            if !rules.is_admin(own) {
                return Err(not_allowed("only an admin can do this"));
            }
            if rules.invites.len() >= INVITES_MAX {
                return Err(not_allowed("the group has as many invites as it may have: revoke one first"));
            }
            let expires_s = expires_in_s.map(|seconds| step.now_s().saturating_add(seconds));
            Intent::Invite { invite: invite::make(step, conversation, expires_s, approval)? }
        }
        Command::RevokeInvite { key, .. } => {
            invite::forget(step.tx, conversation, key)?;
            Intent::Revoke { key }
        }
        Command::JoinRequests { .. } => return join::list(step, id, conversation),
        Command::AnswerJoinRequest { approve, .. } => {
            let who = one.ok_or(ClientError::NoSuchConversation)?;
            if !approve {
                return join::refuse(step, id, conversation, who);
            }
            Intent::Add { who: vec![who] }
        }
        _ => return Err(not_allowed("this is no command about a group")),
    };
    intent::add(step, conversation, &intent, Some(id))
}

fn create(step: &mut Step<'_>, id: CallId, name: String, members: Vec<AccountId>) -> Result<(), Stop> {
    let name = profile::checked_name(&name)?;
    let mut random = [0; 16];
    step.rng.fill_bytes(&mut random);
    let conversation = ConversationId::group(random);
    conversation::ensure(step, conversation, None)?;
    let at = At { conversation, seq: 0, time_ms: step.now_ms };
    let me = step.me()?.sender.account;
    profile::put(step, at, me, &profile::Profile { name: Some(name), ..Default::default() })?;
    intent::add(step, conversation, &Intent::Create { members }, Some(id))
}

fn member_named(step: &Step<'_>, conversation: ConversationId, who: Option<AccountId>) -> Result<AccountId, Stop> {
    let members = member::accounts(step.tx, conversation)?;
    who.filter(|who| members.contains(who)).ok_or_else(|| not_allowed("this person is not in the group"))
}

/// Everybody that a command names, each once; `None`: some are looked up, and the command comes back.
fn accounts(step: &mut Step<'_>, id: CallId, command: &Command) -> Result<Option<Vec<AccountId>>, Stop> {
    let own = step.me()?.sender.account;
    let mut found = BTreeSet::new();
    let mut unknown = Vec::new();
    for peer in people(command) {
        match peer {
            Peer::Me => drop(found.insert(own)),
            Peer::Phone(phone) if contact::normalize_phone(phone)? == step.me()?.phone => drop(found.insert(own)),
            Peer::Account(account) => drop(found.insert(*account)),
            other => match contact::resolve(step, other)? {
                Resolved::Person { account, .. } => drop(found.insert(account)),
                Resolved::Lookup { phone } => unknown.push(phone),
                Resolved::Group { .. } | Resolved::SelfChat { .. } => {
                    return Err(not_allowed("a conversation is no person"));
                }
            },
        }
    }
    if unknown.is_empty() {
        return Ok(Some(found.into_iter().collect()));
    }
    contact::wait_for_lookups(step, id, command.clone(), unknown)?;
    Ok(None)
}

fn show(step: &Step<'_>, conversation: ConversationId) -> Result<view::Group, Stop> {
    let row = conversation::find(step.tx, conversation)?.ok_or(ClientError::NoSuchConversation)?;
    let profile = profile::find(step.tx, conversation)?.unwrap_or_default();
    let rules = member::rules(step.tx, conversation)?.unwrap_or_default();
    let mut invites = Vec::new();
    for known in &rules.invites {
        invites.push(view::InviteLink {
            key: known.key,
            expires_s: known.expires_s,
            approval: known.approval,
            token: invite::token(step.tx, conversation, known.key)?,
        });
    }
    Ok(view::Group {
        conversation,
        name: profile.name,
        description: profile.description,
        picture: profile.picture.as_ref().map(crate::profile::picture_id),
        member: row.standing == Standing::Member && row.epoch.is_some(),
        members: member::list(step.tx, conversation)?,
        rules,
        invites,
    })
}

fn not_allowed(why: &str) -> Stop {
    ClientError::NotAllowed { why: why.into() }.into()
}
