//! Ticks never promise too much, and in the end say all that is true; so do the counts of unread messages.

use crate::model::{Block, Model, Place, Who};
use crate::properties::log::ShadowLog;
use crate::properties::reach::Reach;
use crate::properties::view::{UNSENT, View, Views};
use crate::world::World;
use tidings_client::view::{Body, Message, Tick};

/// At any time: delivered means that the other one's database has it, read that the other one saw it; and who is
/// blocked reaches nobody.
pub fn check_promises(world: &World, views: &Views) -> Result<(), String> {
    let model = world.model.borrow();
    let shadow = world.shadow.borrow();
    let now_ms = world.server.now_ms();
    for view in &views.0 {
        let (Some(log), Place::With(with)) = (shadow.log(view.conversation), view.place) else { continue };
        for message in &view.messages {
            check_promise(&model, log, views, (view, with), message, now_ms)
                .and_then(|()| check_block(&model, (view, with), message))
                .map_err(|what| view.named(format!("{} at {}: {what}", message.message, message.position.seq)))?;
        }
    }
    Ok(())
}

fn check_promise(
    model: &Model,
    log: &ShadowLog,
    views: &Views,
    (view, with): (&View, Who),
    message: &Message,
    now_ms: u64,
) -> Result<(), String> {
    let Some(tick) = message.tick else { return Ok(()) };
    let other = &model.people[with];
    let marked = other.marked.get(&view.conversation).copied().unwrap_or(0);
    if tick == Tick::Read && message.position.seq > marked {
        return Err(format!("has blue ticks, but p{} has only seen {marked}", with));
    }
    if tick >= Tick::Delivered && !other.had.contains(&message.message) {
        // Whether the other one has it nobody can see just now, or it is one that could never be read there.
        let Some(theirs) = views.of(with, view.conversation) else { return Ok(()) };
        let reach = Reach::of(theirs, model, log);
        let lost_device = other.lives.len() > 1;
        if !reach.may_lack_seq(log, message.position.seq, now_ms) && !lost_device {
            return Err(format!("has two ticks, but p{} does not have it", with));
        }
    }
    Ok(())
}

fn check_block(model: &Model, (view, with): (&View, Who), message: &Message) -> Result<(), String> {
    let Some(Block::Known { head }) = model.people[view.device.who].blocks.get(&with) else { return Ok(()) };
    let from_the_other = !message.own && !matches!(message.body, Body::Notice { .. });
    if from_the_other && message.position.seq != UNSENT && message.position.seq > *head {
        return Err(format!("came from p{}, who is blocked since {head}", with));
    }
    Ok(())
}

/// At rest: what arrived has two ticks, what was seen has blue ones, and the badge is right.
pub fn check_truth(world: &World, views: &Views) -> Result<(), String> {
    let model = world.model.borrow();
    let shadow = world.shadow.borrow();
    for view in &views.0 {
        let (Some(log), Place::With(with)) = (shadow.log(view.conversation), view.place) else { continue };
        let other = &model.people[with];
        let marked = other.marked_in_this_life.get(&view.conversation).copied().unwrap_or(0);
        let named = |what| view.named(what);
        let joined = other.device().is_some_and(|device| !log.joins(device).is_empty());
        for message in view.messages.iter().filter(|message| is_own(message)) {
            let Some(tick) = message.tick else { return Err(named(format!("{} has no tick", message.message))) };
            let (id, seq) = (message.message, message.position.seq);
            if joined && tick < Tick::Delivered {
                return Err(named(format!("{id} at {seq} arrived, but its tick is {tick:?}")));
            }
            if seq <= marked && tick < Tick::Read {
                return Err(named(format!("{id} at {seq} was read up to {marked}, but its tick is {tick:?}")));
            }
        }
        check_unread(&model, view, 0).map_err(named)?;
    }
    Ok(())
}

/// Sent by this person, and not by a device that forgot it when it was put back to an older copy.
pub fn is_own(message: &Message) -> bool {
    message.own && message.position.seq != UNSENT && !matches!(message.body, Body::Unreadable { .. })
}

/// `read_before`: what came up to there counts as read, for the person was not there.
pub fn check_unread(model: &Model, view: &View, read_before: u64) -> Result<(), String> {
    let me = &model.people[view.device.who];
    // What a lost device had marked may or may not have reached the server.
    if me.lives.len() > 1 {
        return Ok(());
    }
    let marked = me.marked.get(&view.conversation).copied().unwrap_or(0).max(read_before);
    // A swallowed mark may not have been stored.
    let marked_surely = me.marked_in_this_life.get(&view.conversation).copied().unwrap_or(0);
    let count = |marked: u64, fits: fn(&Body) -> bool| {
        let unread = |message: &&Message| !message.own && message.position.seq > marked && fits(&message.body);
        view.messages.iter().filter(unread).count() as u64
    };
    let least = count(marked, |body| matches!(body, Body::Text { .. }));
    let most = count(marked_surely, |body| !matches!(body, Body::Notice { .. }));
    let shown = view.row.as_ref().map_or(0, |row| row.unread);
    if shown < least || shown > most {
        return Err(format!("shows {shown} unread messages instead of {least} to {most}"));
    }
    Ok(())
}
