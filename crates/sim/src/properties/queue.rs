//! At rest nothing waits any more, and nothing that somebody queued was lost.

use crate::model::{Model, Op, Place, Who};
use crate::properties::group;
use crate::properties::log::{Shadow, ShadowLog};
use crate::properties::view::{View, Views};
use crate::signup::Stage;
use crate::world::World;
use std::collections::BTreeMap;
use std::rc::Rc;
use tidings_client::event::Connection;
use tidings_client::view::{Status, Tick};
use tidings_client::{Command, Reply};
use tidings_proto::id::MessageId;

/// Everybody is logged in and caught up, with nothing in the outbox and no command without its reply.
pub fn check_connected(world: &Rc<World>) -> Result<(), String> {
    let stages = world.stages.borrow().clone();
    if let Some(who) = stages.iter().position(|stage| *stage != Stage::In) {
        return Err(format!("p{who} is not logged in: {:?}", stages[who]));
    }
    for device in world.active() {
        let Some(Ok(Reply::Status(Status { connection, outbox, .. }))) = device.ask(Command::Status) else {
            return Err(format!("{} does not tell its status", device.name()));
        };
        if connection != Connection::Live {
            return Err(format!("{} is {connection:?}", device.name()));
        }
        if outbox != 0 {
            return Err(format!("{} has {outbox} messages in its outbox", device.name()));
        }
        if let Some(command) = device.unanswered().first() {
            return Err(format!("{} did not answer: {command}", device.name()));
        }
    }
    Ok(())
}

pub fn check(world: &World, views: &Views) -> Result<(), String> {
    let model = world.model.borrow();
    let shadow = world.shadow.borrow();
    check_landed(&model, &shadow, views, world.traits.evil)?;
    check_order(&model, &shadow)
}

fn log_of<'a>(model: &Model, shadow: &'a Shadow, op: &Op) -> Option<&'a ShadowLog> {
    shadow.log(model.conversation_of(op.by, op.place)?)
}

/// What was queued on a device that still exists is in the log, or was refused for a reason that its person knows. Who
/// talks as they like is answered accordingly: the device may take a refusal for one of what it said itself.
fn check_landed(model: &Model, shadow: &Shadow, views: &Views, evil: Option<Who>) -> Result<(), String> {
    for (id, op) in model.ops.iter().filter(|(id, op)| model.must_land(**id, op) && Some(op.by) != evil) {
        if log_of(model, shadow, op).and_then(|log| log.seq(*id)).is_some() {
            continue;
        }
        let failed = || {
            let conversation = model.conversation_of(op.by, op.place)?;
            let own = |view: &&View| view.device.who == op.by && view.device.life == op.life;
            let view = views.0.iter().filter(own).find(|view| view.conversation == conversation)?;
            view.messages.iter().find(|message| message.message == *id)?.tick
        };
        let refused = match op.place {
            Place::With(with) => model.people[op.by].ever_blocked.contains(&with),
            Place::Group(group) => shadow.log(group).is_none_or(|log| group::was_ever_barred(model, log, op.by)),
        };
        if refused && (failed() == Some(Tick::Failed) || op.kind.target().is_some()) {
            continue;
        }
        return Err(format!("{id} of p{} for {:?} is lost ({:?}): {:?}", op.by, op.place, failed(), op.kind));
    }
    Ok(())
}

/// What one device did in a conversation stands in the log in the order in which it was done.
fn check_order(model: &Model, shadow: &Shadow) -> Result<(), String> {
    let mut last: BTreeMap<(usize, Place, usize), (u64, MessageId)> = BTreeMap::new();
    for id in &model.order {
        let op = &model.ops[id];
        let Some(seq) = log_of(model, shadow, op).and_then(|log| log.seq(*id)) else { continue };
        if let Some((former, former_id)) = last.insert((op.by, op.place, op.life), (seq, *id))
            && former > seq
        {
            return Err(format!("p{} wrote {former_id} before {id}, but they stand at {former} and {seq}", op.by));
        }
    }
    Ok(())
}
