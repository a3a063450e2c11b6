//! Every promise, one file for each kind.
//!
//! *Always*, also in the middle of a storm: [`log`] (dense, in time's order, never changed), [`view`] (what a device
//! shows is in order and without repeats; one tick means that it is in the log), [`tick`] (no tick over-promises).
//! *At rest*, when everything is healed: [`content`] (all see the same, and what the model expects), [`queue`] (nothing
//! waits, nothing is lost), and [`tick`] again (ticks and unread counts have come to the truth).

pub mod content;
pub mod group;
pub mod log;
pub mod queue;
pub mod reach;
pub mod tick;
pub mod view;

use crate::action;
use crate::model::{Op, Place};
use crate::world::World;
use std::rc::Rc;
use tidings_client::ClientError;
use tidings_proto::problem::Code;
use view::Views;

/// What must hold at any moment.
pub async fn check_always(world: &Rc<World>) {
    let checked = async {
        // What a device shows stands in a log that is looked at later, for time passes while one looks.
        let views = Views::read(world)?;
        log::read(world).await?;
        view::check(world, &views)?;
        tick::check_promises(world, &views)?;
        group::check_always(world, &views)
    };
    if let Err(what) = checked.await {
        world.story.violate(what);
    }
}

/// What must hold once nothing moves any more. The error says what is still missing.
pub async fn check_rest(world: &Rc<World>) -> Result<(), String> {
    let devices: Vec<_> = world.devices.borrow().iter().flatten().cloned().collect();
    for device in &devices {
        if !world.model.borrow().people[device.who].blocks.is_empty() {
            action::unblock_all(world, device);
        }
    }
    if !world.model.borrow().people.iter().all(|person| person.blocks.is_empty()) {
        return Err("somebody is still blocked".into());
    }
    queue::check_connected(world)?;
    log::read(world).await?;
    let views = Views::read(world)?;
    queue::check(world, &views)?;
    content::check(world, &views)?;
    tick::check_truth(world, &views)?;
    group::check_rest(world, &views)
}

/// A command that changes something was refused: only some reasons are good ones.
pub fn check_refusal(world: &World, op: &Op, error: &ClientError) {
    let Place::With(with) = op.place else {
        if !group::may_refuse(error) {
            world.story.violate(format!("p{} could not do {:?} in a group: {error}", op.by, op.kind));
        }
        return;
    };
    let blocked = || world.model.borrow().people[op.by].ever_blocked.contains(&with);
    let known = || world.model.borrow().people[with].account.is_some();
    let good = match error {
        // The number may have to be looked up first.
        ClientError::Offline | ClientError::NotLoggedIn => true,
        ClientError::NoSuchPerson { .. } => !known() || op.kind.target().is_none(),
        // The message was deleted while the person made up their mind, or the device is a new one.
        ClientError::NotAllowed { .. } => op.kind.target().is_some() || blocked(),
        ClientError::NoSuchMessage => op.kind.target().is_some(),
        ClientError::Refused { code: Code::Blocked, .. } => blocked(),
        ClientError::Refused { code, .. } => {
            matches!(code, Code::Overloaded | Code::RateLimited | Code::Internal | Code::ShuttingDown)
        }
        _ => false,
    };
    if !good {
        world.story.violate(format!("p{} could not do {:?}: {error}", op.by, op.kind));
    }
}
