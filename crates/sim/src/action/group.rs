//! What people do with groups, be it allowed to them or not.

use super::{person, talk, typing};
use crate::device::Device;
use crate::intent::Intent;
use crate::model::{Place, Who};
use crate::world::World;
use std::rc::Rc;
use tidings_client::{Command, Peer};
use tidings_proto::group;
use tidings_proto::id::ConversationId;

const GROUPS_MAX: usize = 2;

pub fn act(world: &Rc<World>, device: &Rc<Device>) {
    let groups: Vec<ConversationId> = world.model.borrow().groups.iter().map(|group| group.conversation).collect();
    if groups.is_empty() || (groups.len() < GROUPS_MAX && world.chance.percent(3)) {
        return create(world, device);
    }
    let Some(group) = world.chance.choose(&groups).copied() else { return };
    match world.chance.between(0..=99) {
        0..60 => talk(world, device, Place::Group(group)),
        60..63 => typing(world, device, Place::Group(group)),
        63..90 => change(world, device, group),
        _ => join(world, device, group),
    }
}

fn ask(device: &Rc<Device>, group: Option<ConversationId>, command: Command) {
    let what = crate::story::without_long_ids(&format!("{command:?}"));
    device.command(command, Intent::Group { group, what });
}

/// Some people, perhaps nobody, perhaps oneself too.
fn some(world: &World) -> Vec<Peer> {
    let all: Vec<Who> = (0..world.traits.people).filter(|_| world.chance.percent(40)).collect();
    all.into_iter().map(|who| person(world, who)).collect()
}

fn anybody(world: &World) -> Peer {
    person(world, world.chance.index(world.traits.people))
}

fn create(world: &Rc<World>, device: &Rc<Device>) {
    let name = format!("{}'s group", device.name());
    ask(device, None, Command::CreateGroup { name, members: some(world) });
}

fn change(world: &Rc<World>, device: &Rc<Device>, id: ConversationId) {
    let group = Peer::Conversation(id);
    let chance = &world.chance;
    let who = |admins| if admins { group::Who::Admins } else { group::Who::Members };
    let command = match chance.between(0..=99) {
        0..35 => Command::AddMembers { group, members: some(world) },
        35..50 => Command::RemoveMembers { group, members: vec![anybody(world)] },
        50..65 => Command::SetAdmin { group, who: anybody(world), on: chance.percent(75) },
        65..73 => Command::SetRules {
            group,
            posting: Some(who(chance.percent(25))),
            editing: None,
            adding: Some(who(chance.percent(40))),
        },
        73..80 => Command::Ban { group, who: anybody(world), on: chance.percent(30) },
        80..87 => Command::Leave { group },
        87..94 => {
            let expires_in_s = if chance.percent(30) { Some(chance.between(10..=5_000)) } else { None };
            Command::CreateInvite { group, expires_in_s, approval: chance.percent(40) }
        }
        94..96 => match invite(world, id) {
            Some((_, key)) => Command::RevokeInvite { group, key },
            None => return,
        },
        96..97 => Command::JoinRequests { group },
        _ => Command::AnswerJoinRequest { group, who: anybody(world), approve: chance.percent(70) },
    };
    ask(device, Some(id), command);
}

fn invite(world: &World, group: ConversationId) -> Option<(String, group::InviteKey)> {
    let invites = world.model.borrow_mut().group(group).invites.clone();
    world.chance.choose(&invites).cloned()
}

fn join(world: &Rc<World>, device: &Rc<Device>, group: ConversationId) {
    match invite(world, group) {
        Some((token, _)) => ask(device, Some(group), Command::JoinByInvite { token }),
        None => {
            let group_peer = Peer::Conversation(group);
            let command = Command::CreateInvite { group: group_peer, expires_in_s: None, approval: false };
            ask(device, Some(group), command);
        }
    }
}
