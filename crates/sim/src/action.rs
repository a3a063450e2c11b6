//! What happens by chance: people do things, the network and the machines fail, time passes.

mod group;

use crate::device::Device;
use crate::fault;
use crate::intent::Intent;
use crate::laptop;
use crate::model::{Block, Kind, Op, Place, Who};
use crate::properties::{self, view};
use crate::rollback;
use crate::signup;
use crate::world::World;
use std::rc::Rc;
use std::time::Duration;
use tidings_client::view::{Body, Message};
use tidings_client::{Command, Peer};
use tidings_proto::id::MessageId;
use tokio::time::sleep;

/// Cheap promises are checked after so many steps.
const CHECK_EVERY_STEPS: u64 = 5;
/// Among how many of the newest messages a person picks one.
const PICK_AMONG: u32 = 20;

pub async fn step(world: &Rc<World>) {
    signup::tend(world);
    laptop::tend(world);
    rollback::tend(world);
    fault::mend_some(world).await;
    if world.chance.percent(world.traits.fault_percent) {
        fault::happen(world).await;
    }
    for _ in 0..world.chance.between(1..=3) {
        act(world);
    }
    if world.chance.between(0..=CHECK_EVERY_STEPS - 1) == 0 {
        properties::check_always(world).await;
    }
    sleep(pause(world)).await;
}

fn pause(world: &World) -> Duration {
    match world.chance.between(0..=999) {
        0..700 => Duration::from_millis(world.chance.between(0..=1_500)),
        700..970 => Duration::from_secs(world.chance.between(1..=40)),
        970..992 => Duration::from_secs(world.chance.between(60..=1_200)),
        _ => Duration::from_secs(world.chance.between(3_000..=10_000)),
    }
}

/// Makes every machine run and every link good, and takes back what would keep messages from arriving.
pub async fn heal(world: &Rc<World>) {
    fault::heal(world).await;
    for who in 0..world.traits.people {
        if let Some(device) = world.device(who) {
            unblock_all(world, &device);
        }
    }
}

/// Everybody loses the connection, and connects again.
pub fn reconnect(world: &World) {
    for device in world.machines() {
        device.cut(crate::network::Cut::noticed(&world.chance));
    }
}

/// Also asked again while the world comes to rest, for an answer may have been lost.
pub fn unblock_all(world: &Rc<World>, device: &Rc<Device>) {
    let blocked: Vec<Who> = world.model.borrow().people[device.who].blocks.keys().copied().collect();
    for who in blocked {
        world.model.borrow_mut().people[device.who].blocks.insert(who, Block::Unknown);
        device.command(Command::Unblock { who: Peer::Phone(signup::phone(who)) }, Intent::Unblock(who));
    }
}

fn act(world: &Rc<World>) {
    if world.traits.laptops && world.chance.percent(4) {
        return with_laptops(world);
    }
    let active = world.active();
    let Some(device) = world.chance.choose(&active).cloned() else { return };
    let mut others: Vec<Who> = (0..world.traits.people).filter(|who| *who != device.who).collect();
    // Some pairs talk more than others.
    if world.chance.percent(50) {
        others.truncate(1);
    }
    let Some(with) = world.chance.choose(&others).copied() else { return };
    if world.traits.groups && world.chance.percent(75) {
        return group::act(world, &device);
    }
    let place = Place::With(with);
    match world.chance.between(0..=99) {
        0..88 => talk(world, &device, place),
        88..92 => typing(world, &device, place),
        92..95 => block(world, &device, with),
        95..97 => unblock_all(world, &device),
        _ => both_begin(world, &device, with),
    }
}

fn with_laptops(world: &Rc<World>) {
    let present = world.present();
    let Some(first) = world.chance.choose(&present).cloned() else { return };
    match world.chance.between(0..=99) {
        0..70 => laptop::link(world, &first),
        _ => laptop::revoke(world, &first),
    }
}

/// What people do most.
fn talk(world: &Rc<World>, device: &Rc<Device>, place: Place) {
    match world.chance.between(0..=87) {
        0..45 => send(world, device, place, None),
        45..52 => reply(world, device, place),
        52..64 => react(world, device, place),
        64..72 => edit(world, device, place),
        72..76 => delete(world, device, place),
        _ => mark_read(world, device, place),
    }
}

fn peer(world: &World, place: Place) -> Peer {
    match place {
        Place::With(with) => person(world, with),
        Place::Group(group) => Peer::Conversation(group),
    }
}

fn person(world: &World, with: Who) -> Peer {
    match world.model.borrow().people[with].account {
        Some(account) if world.chance.percent(50) => Peer::Account(account),
        _ => Peer::Phone(signup::phone(with)),
    }
}

fn op(device: &Device, place: Place, kind: Kind) -> Intent {
    Intent::Do(Op { by: device.who, place, life: device.life, kind })
}

fn send(world: &Rc<World>, device: &Rc<Device>, place: Place, reply_to: Option<MessageId>) {
    // No two texts are alike, so a text says which command it came from.
    let text = format!("{} says {}", device.name(), world.chance.between(0..=u64::MAX));
    let command = Command::text(peer(world, place), text.clone(), reply_to);
    device.command(command, op(device, place, Kind::Text { text, reply_to }));
}

/// Two people write to each other at the same moment, best of all for the first time.
fn both_begin(world: &Rc<World>, device: &Rc<Device>, with: Who) {
    send(world, device, Place::With(with), None);
    let other = world.present().into_iter().find(|other| other.who == with);
    if let Some(other) = other {
        send(world, &other, Place::With(device.who), None);
    }
}

/// One of the newest messages that this device shows, of those that fit.
fn pick(world: &Rc<World>, device: &Rc<Device>, place: Place, fits: impl Fn(&Message) -> bool) -> Option<Message> {
    let mut messages = view::newest(world, device, place, PICK_AMONG)?;
    messages.retain(fits);
    world.chance.choose(&messages).cloned()
}

fn is_text(message: &Message) -> bool {
    matches!(message.body, Body::Text { .. })
}

fn reply(world: &Rc<World>, device: &Rc<Device>, place: Place) {
    if let Some(message) = pick(world, device, place, is_text) {
        send(world, device, place, Some(message.message));
    }
}

fn react(world: &Rc<World>, device: &Rc<Device>, place: Place) {
    let Some(target) = pick(world, device, place, is_text).map(|message| message.message) else { return };
    let emoji = world.chance.choose(&["👍", "🎉", "😂", ""]).filter(|emoji| !emoji.is_empty()).map(ToString::to_string);
    let command = Command::React { to: peer(world, place), message: target, emoji: emoji.clone() };
    device.command(command, op(device, place, Kind::React { target, emoji }));
}

fn edit(world: &Rc<World>, device: &Rc<Device>, place: Place) {
    let own = |message: &Message| message.own && is_text(message);
    let Some(target) = pick(world, device, place, own).map(|message| message.message) else { return };
    let text = format!("{} corrects {}", device.name(), world.chance.between(0..=u64::MAX));
    let command = Command::Edit { to: peer(world, place), message: target, text: text.clone() };
    device.command(command, op(device, place, Kind::Edit { target, text }));
}

fn delete(world: &Rc<World>, device: &Rc<Device>, place: Place) {
    let own = |message: &Message| message.own && is_text(message);
    let Some(target) = pick(world, device, place, own).map(|message| message.message) else { return };
    let command = Command::Delete { to: peer(world, place), message: target };
    device.command(command, op(device, place, Kind::Delete { target }));
}

fn mark_read(world: &Rc<World>, device: &Rc<Device>, place: Place) {
    let from_the_other = |message: &Message| !message.own && is_text(message);
    let Some(message) = pick(world, device, place, from_the_other) else { return };
    let command = Command::MarkRead { to: peer(world, place), up_to: message.message };
    let intent = Intent::MarkRead { conversation: message.conversation, seq: message.position.seq };
    device.command(command, intent);
}

fn typing(world: &Rc<World>, device: &Rc<Device>, place: Place) {
    let command = Command::Typing { to: peer(world, place), on: world.chance.percent(70) };
    device.command(command, Intent::Typing);
}

fn block(world: &Rc<World>, device: &Rc<Device>, with: Who) {
    {
        let mut model = world.model.borrow_mut();
        let person = &mut model.people[device.who];
        if person.blocks.contains_key(&with) {
            return;
        }
        person.ever_blocked.insert(with);
        person.blocks.insert(with, Block::Asked);
    }
    device.command(Command::Block { who: person(world, with) }, Intent::Block(with));
}
