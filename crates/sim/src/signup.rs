//! How people get in: ask for a code, wait for the text message, log in; and again until it works.

use crate::device::Device;
use crate::intent::Intent;
use crate::model::{Life, Who};
use crate::world::World;
use std::rc::Rc;
use tidings_client::{ClientError, Command, Reply, view};
use tokio::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// Has no device, or one that is not logged in.
    Out,
    /// Waits for an answer of the server.
    Asking,
    /// Waits for the text message until then.
    Waiting(Instant),
    /// Tries again at that time.
    Later(Instant),
    /// A crash took the answer: the client has to say how far it is.
    Unknown,
    In,
}

pub fn phone(who: Who) -> String {
    format!("+316123456{who:02}")
}

/// Brings everybody one step further.
pub fn tend(world: &Rc<World>) {
    for who in 0..world.traits.people {
        let Some(device) = world.device(who) else {
            new_device(world, who);
            continue;
        };
        if !device.runs() {
            continue;
        }
        let stage = world.stages.borrow()[who];
        match stage {
            Stage::Out => register(world, &device),
            Stage::Later(at) if at <= Instant::now() => register(world, &device),
            Stage::Waiting(until) => wait_for_code(world, &device, until),
            Stage::Unknown => look(world, &device),
            _ => {}
        }
    }
}

fn new_device(world: &Rc<World>, who: Who) {
    let life = {
        let mut model = world.model.borrow_mut();
        let person = &mut model.people[who];
        person.lives.push(Life::default());
        person.marked_in_this_life.clear();
        person.lives.len() - 1
    };
    let skew_ms = world.chance.between(0..=600_000) as i64 - 300_000;
    let device = Device::new(world, who, life, skew_ms);
    world.devices.borrow_mut()[who] = Some(device);
    set(world, who, Stage::Out);
}

fn set(world: &World, who: Who, stage: Stage) {
    world.stages.borrow_mut()[who] = stage;
}

fn register(world: &Rc<World>, device: &Rc<Device>) {
    set(world, device.who, Stage::Asking);
    device.command(Command::Register { phone: phone(device.who) }, Intent::Register);
}

fn wait_for_code(world: &Rc<World>, device: &Rc<Device>, until: Instant) {
    // Text messages get lost too.
    let code = world.server.take_code(&phone(device.who)).filter(|_| !world.chance.percent(10));
    match code {
        Some(code) => {
            set(world, device.who, Stage::Asking);
            let command = Command::Login {
                phone: phone(device.who),
                code,
                device_name: device.name(),
                pin: None,
                forgot_pin: false,
            };
            device.command(command, Intent::Login);
        }
        None if until <= Instant::now() => register(world, device),
        None => {}
    }
}

pub fn answered(world: &Rc<World>, device: &Rc<Device>, intent: &Intent, result: Result<Reply, ClientError>) {
    let soon = Instant::now() + Duration::from_millis(world.chance.between(500..=20_000));
    let stage = match (intent, result) {
        (_, Ok(Reply::CodeSent { retry_after_s, .. })) => {
            Stage::Waiting(Instant::now() + Duration::from_secs(retry_after_s.max(5)))
        }
        (_, Ok(Reply::LoggedIn { account, device: id })) => {
            let mut model = world.model.borrow_mut();
            let person = &mut model.people[device.who];
            if person.account.is_some_and(|former| former != account) {
                world.story.violate(format!("{} got another account", device.name()));
            }
            person.account = Some(account);
            person.lives[device.life].device = Some(id);
            Stage::In
        }
        (_, Err(ClientError::AlreadyLoggedIn)) => Stage::Unknown,
        _ => Stage::Later(soon),
    };
    set(world, device.who, stage);
}

/// After a crash in the middle of it.
fn look(world: &Rc<World>, device: &Rc<Device>) {
    let Some(Ok(Reply::Status(view::Status { account, device: id, .. }))) = device.ask(Command::Status) else { return };
    match (account, id) {
        (Some(account), Some(id)) => {
            let mut model = world.model.borrow_mut();
            model.people[device.who].account = Some(account);
            model.people[device.who].lives[device.life].device = Some(id);
            drop(model);
            set(world, device.who, Stage::In);
        }
        _ => set(world, device.who, Stage::Out),
    }
}
