//! Second devices of people: linked by the first one, used beside it, and thrown out for good.

use crate::device::Device;
use crate::intent::Intent;
use crate::model::{Life, Who};
use crate::world::World;
use std::rc::Rc;
use tidings_client::{ClientError, Command, Reply, view};
use tidings_proto::problem::Code;
use tokio::time::{Duration, Instant};

/// A code lives ten minutes; what came of it is clear after that.
const PATIENCE: Duration = Duration::from_secs(900);
const ASK_AGAIN: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// Shows a code, or waits for the end of linking, until then.
    Linking(Instant),
    In,
    /// Is being thrown out; asked again at that time.
    Leaving(Instant),
}

#[derive(Clone)]
pub struct Laptop {
    pub device: Rc<Device>,
    pub stage: Stage,
}

/// Of a person without one: links one.
pub fn link(world: &Rc<World>, first: &Rc<Device>) {
    let who = first.who;
    if world.laptops.borrow()[who].is_some() {
        return;
    }
    let life = {
        let lives = &mut world.model.borrow_mut().people[who].lives;
        lives.push(Life { linked: true, ..Life::default() });
        lives.len() - 1
    };
    let skew_ms = world.chance.between(0..=600_000) as i64 - 300_000;
    let device = Device::new(world, who, life, skew_ms);
    let stage = Stage::Linking(Instant::now() + PATIENCE);
    world.laptops.borrow_mut()[who] = Some(Laptop { device: device.clone(), stage });
    let device_name = device.name();
    device.command(Command::Link { device_name }, Intent::Link);
}

/// Of a person with one: the first device throws it out.
pub fn revoke(world: &Rc<World>, first: &Rc<Device>) {
    let id = {
        let mut laptops = world.laptops.borrow_mut();
        let Some(laptop) = laptops[first.who].as_mut().filter(|laptop| !matches!(laptop.stage, Stage::Linking(_)))
        else {
            return;
        };
        let mut model = world.model.borrow_mut();
        let person = &mut model.people[first.who];
        let Some(id) = person.lives[laptop.device.life].device else { return };
        // From the asking on it may be out at any time, and what it had marked as read may never have left it.
        person.lives[laptop.device.life].ended = true;
        person.marked_in_this_life.clear();
        laptop.stage = Stage::Leaving(Instant::now() + ASK_AGAIN);
        id
    };
    first.command(Command::RevokeDevice { device: id }, Intent::Revoke);
}

/// The first device is lost, and who comes anew has another identity.
pub fn lose(world: &World, who: Who) {
    let laptop = world.laptops.borrow_mut()[who].take();
    if let Some(laptop) = laptop {
        throw_away(world, &laptop.device);
    }
}

fn throw_away(world: &World, device: &Device) {
    device.throw_away();
    let person = &mut world.model.borrow_mut().people[device.who];
    person.lives[device.life].ended = true;
    person.marked_in_this_life.clear();
}

/// Brings every laptop one step further.
pub fn tend(world: &Rc<World>) {
    let laptops: Vec<Laptop> = world.laptops.borrow().iter().flatten().cloned().collect();
    for Laptop { device, stage } in laptops {
        match stage {
            Stage::Linking(until) if device.runs() => look(world, &device, until),
            Stage::Leaving(at) if at <= Instant::now() => {
                if let Some(first) = world.device(device.who) {
                    revoke(world, &first);
                }
            }
            _ => {}
        }
    }
}

/// A crash may have taken the answer.
fn look(world: &Rc<World>, device: &Rc<Device>, until: Instant) {
    let Some(Ok(Reply::Status(view::Status { account: Some(account), device: Some(id), .. }))) =
        device.ask(Command::Status)
    else {
        if until <= Instant::now() && world.laptops.borrow_mut()[device.who].take().is_some() {
            throw_away(world, device);
        }
        return;
    };
    let mut model = world.model.borrow_mut();
    let person = &mut model.people[device.who];
    if person.account != Some(account) {
        world.story.violate(format!("{} became a device of another account", device.name()));
    }
    person.lives[device.life].device = Some(id);
    if let Some(laptop) = &mut world.laptops.borrow_mut()[device.who] {
        laptop.stage = Stage::In;
    }
}

pub fn answered(world: &Rc<World>, device: &Rc<Device>, intent: &Intent, result: Result<Reply, ClientError>) {
    match (intent, result) {
        (Intent::Link, Ok(Reply::LinkCode { code, .. })) => {
            device.command(Command::AwaitLink, Intent::Link);
            let first = world.present().into_iter().find(|first| first.who == device.who);
            // Somebody who takes their time is not needed for this: a code expires.
            if let Some(first) = first.filter(|_| !world.chance.percent(5)) {
                first.command(Command::ApproveLink { code }, Intent::Approve);
            }
        }
        // The answer to the first time may have got lost.
        (Intent::Revoke, Ok(_) | Err(ClientError::Refused { code: Code::NotFound, .. })) => {
            let out = world.laptops.borrow_mut()[device.who].take();
            if let Some(laptop) = out {
                world.model.borrow_mut().people[device.who].lives[laptop.device.life].revoked = true;
                laptop.device.throw_away();
            }
        }
        _ => {}
    }
}
