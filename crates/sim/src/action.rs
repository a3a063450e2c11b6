//! What happens by chance: people do things, the network and the machines fail, time passes.

use crate::device::Device;
use crate::fault;
use crate::intent::Intent;
use crate::model::{Block, Kind, Op, Who};
use crate::properties::{self, view};
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

/// Also asked again while the world comes to rest, for an answer may have been lost.
pub fn unblock_all(world: &Rc<World>, device: &Rc<Device>) {
    let blocked: Vec<Who> = world.model.borrow().people[device.who].blocks.keys().copied().collect();
    for who in blocked {
        world.model.borrow_mut().people[device.who].blocks.insert(who, Block::Unknown);
        device.command(Command::Unblock { who: Peer::Phone(signup::phone(who)) }, Intent::Unblock(who));
    }
}

fn act(world: &Rc<World>) {
    let present = world.present();
    let Some(device) = world.chance.choose(&present).cloned() else { return };
    let mut others: Vec<Who> = (0..world.traits.people).filter(|who| *who != device.who).collect();
    // Some pairs talk more than others.
    if world.chance.percent(50) {
        others.truncate(1);
    }
    let Some(with) = world.chance.choose(&others).copied() else { return };
    match world.chance.between(0..=99) {
        0..45 => send(world, &device, with, None),
        45..52 => reply(world, &device, with),
        52..64 => react(world, &device, with),
        64..72 => edit(world, &device, with),
        72..76 => delete(world, &device, with),
        76..88 => mark_read(world, &device, with),
        88..92 => typing(world, &device, with),
        92..95 => block(world, &device, with),
        95..97 => unblock_all(world, &device),
        _ => both_begin(world, &device, with),
    }
}

fn peer(world: &World, with: Who) -> Peer {
    match world.model.borrow().people[with].account {
        Some(account) if world.chance.percent(50) => Peer::Account(account),
        _ => Peer::Phone(signup::phone(with)),
    }
}

fn op(device: &Device, with: Who, kind: Kind) -> Intent {
    Intent::Do(Op { by: device.who, with, life: device.life, kind })
}

fn send(world: &Rc<World>, device: &Rc<Device>, with: Who, reply_to: Option<MessageId>) {
    // No two texts are alike, so a text says which command it came from.
    let text = format!("{} says {}", device.name(), world.chance.between(0..=u64::MAX));
    let command = Command::text(peer(world, with), text.clone(), reply_to);
    device.command(command, op(device, with, Kind::Text { text, reply_to }));
}

/// Two people write to each other at the same moment, best of all for the first time.
fn both_begin(world: &Rc<World>, device: &Rc<Device>, with: Who) {
    send(world, device, with, None);
    let other = world.present().into_iter().find(|other| other.who == with);
    if let Some(other) = other {
        send(world, &other, device.who, None);
    }
}

/// One of the newest messages that this device shows, of those that fit.
fn pick(world: &Rc<World>, device: &Rc<Device>, with: Who, fits: impl Fn(&Message) -> bool) -> Option<Message> {
    let mut messages = view::newest(world, device, with, PICK_AMONG)?;
    messages.retain(fits);
    world.chance.choose(&messages).cloned()
}

fn is_text(message: &Message) -> bool {
    matches!(message.body, Body::Text { .. })
}

fn reply(world: &Rc<World>, device: &Rc<Device>, with: Who) {
    if let Some(message) = pick(world, device, with, is_text) {
        send(world, device, with, Some(message.message));
    }
}

fn react(world: &Rc<World>, device: &Rc<Device>, with: Who) {
    let Some(target) = pick(world, device, with, is_text).map(|message| message.message) else { return };
    let emoji = world.chance.choose(&["👍", "🎉", "😂", ""]).filter(|emoji| !emoji.is_empty()).map(ToString::to_string);
    let command = Command::React { to: peer(world, with), message: target, emoji: emoji.clone() };
    device.command(command, op(device, with, Kind::React { target, emoji }));
}

fn edit(world: &Rc<World>, device: &Rc<Device>, with: Who) {
    let own = |message: &Message| message.own && is_text(message);
    let Some(target) = pick(world, device, with, own).map(|message| message.message) else { return };
    let text = format!("{} corrects {}", device.name(), world.chance.between(0..=u64::MAX));
    let command = Command::Edit { to: peer(world, with), message: target, text: text.clone() };
    device.command(command, op(device, with, Kind::Edit { target, text }));
}

fn delete(world: &Rc<World>, device: &Rc<Device>, with: Who) {
    let own = |message: &Message| message.own && is_text(message);
    let Some(target) = pick(world, device, with, own).map(|message| message.message) else { return };
    let command = Command::Delete { to: peer(world, with), message: target };
    device.command(command, op(device, with, Kind::Delete { target }));
}

fn mark_read(world: &Rc<World>, device: &Rc<Device>, with: Who) {
    let from_the_other = |message: &Message| !message.own && is_text(message);
    let Some(message) = pick(world, device, with, from_the_other) else { return };
    let command = Command::MarkRead { to: peer(world, with), up_to: message.message };
    let intent = Intent::MarkRead { conversation: message.conversation, seq: message.position.seq };
    device.command(command, intent);
}

fn typing(world: &Rc<World>, device: &Rc<Device>, with: Who) {
    let command = Command::Typing { to: peer(world, with), on: world.chance.percent(70) };
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
    device.command(Command::Block { who: peer(world, with) }, Intent::Block(with));
}
