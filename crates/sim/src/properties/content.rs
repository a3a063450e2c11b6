//! At rest all devices of a conversation show the same, and it is what the model expects: for each message the last
//! edit, whether it was deleted, and each person's last reaction, in the order of the log.

use crate::model::{Kind, Model, Op, Place, Who};
use crate::properties::log::{ShadowLog, pairs};
use crate::properties::reach::Reach;
use crate::properties::view::{UNSENT, View, Views};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use tidings_client::view::{Body, Message, Notice};
use tidings_proto::id::{ConversationId, MessageId};

/// A message as everybody should see it in the end.
struct Expected {
    seq: u64,
    by: Who,
    /// `None`: deleted.
    text: Option<String>,
    reactions: BTreeMap<Who, String>,
    reply_to: Option<MessageId>,
    /// Seqs of everything that changed it later.
    changed_at: Vec<u64>,
    /// Something may have changed it that the model knows nothing of.
    uncertain: bool,
}

pub fn check(world: &World, views: &Views) -> Result<(), String> {
    let model = world.model.borrow();
    let shadow = world.shadow.borrow();
    for (_, _, conversation) in pairs(&model) {
        let Some(log) = shadow.log(conversation) else { continue };
        let expected = expect(&model, log, conversation, world.traits.evil);
        for view in views.0.iter().filter(|view| view.conversation == conversation) {
            check_view(world, &model, log, &expected, view).map_err(|what| view.named(what))?;
        }
    }
    for group in &model.groups {
        let Some(log) = shadow.log(group.conversation) else { continue };
        let expected = expect(&model, log, group.conversation, world.traits.evil);
        for view in views.0.iter().filter(|view| view.conversation == group.conversation) {
            check_view(world, &model, log, &expected, view).map_err(|what| view.named(what))?;
        }
    }
    Ok(())
}

/// Plays the operations in the order of the log. Who repeats their own ciphertexts under other ids makes that what they
/// say themselves is not taken.
fn expect(
    model: &Model,
    log: &ShadowLog,
    conversation: ConversationId,
    evil: Option<Who>,
) -> BTreeMap<MessageId, Expected> {
    let mut expected: BTreeMap<MessageId, Expected> = BTreeMap::new();
    for (seq, (entry, _)) in &log.entries {
        let Some(op) = model.ops.get(&entry.message_id) else { continue };
        if let Kind::Text { text, reply_to } = &op.kind {
            let message = Expected {
                seq: *seq,
                by: op.by,
                text: Some(text.clone()),
                reactions: BTreeMap::new(),
                reply_to: *reply_to,
                changed_at: Vec::new(),
                uncertain: false,
            };
            expected.insert(entry.message_id, message);
        } else if let Some(message) = op.kind.target().and_then(|target| expected.get_mut(&target)) {
            change(message, *seq, op);
            message.uncertain |= Some(op.by) == evil;
        }
    }
    let here = |op: &&Op| model.conversation_of(op.by, op.place) == Some(conversation);
    for target in model.swallowed.iter().filter(here).filter_map(|op| op.kind.target()) {
        if let Some(message) = expected.get_mut(&target) {
            message.uncertain = true;
        }
    }
    expected
}

fn change(message: &mut Expected, seq: u64, op: &Op) {
    message.changed_at.push(seq);
    match &op.kind {
        Kind::Edit { text, .. } if message.text.is_some() => message.text = Some(text.clone()),
        Kind::Delete { .. } => message.text = None,
        Kind::React { emoji: Some(emoji), .. } => {
            message.reactions.insert(op.by, emoji.clone());
        }
        Kind::React { emoji: None, .. } => {
            message.reactions.remove(&op.by);
        }
        _ => {}
    }
}

fn check_view(
    world: &World,
    model: &Model,
    log: &ShadowLog,
    expected: &BTreeMap<MessageId, Expected>,
    view: &View,
) -> Result<(), String> {
    if Some(view.device.who) == world.traits.evil {
        // Who talks as they like may hurt themselves: what their device did not say itself looks to it like a sign that its
        // database was put back, and it joins every conversation anew.
        return Ok(());
    }
    let reach = Reach::of(view, model, log);
    let shown: BTreeMap<MessageId, &Message> = view.messages.iter().map(|shown| (shown.message, shown)).collect();
    for (id, expected) in expected {
        let Some(message) = shown.get(id) else {
            if reach.may_lack(log, *id, world.server.now_ms()) {
                continue;
            }
            return Err(format!("does not have {id} at {} ({:?})", expected.seq, expected.text));
        };
        let quotable = |quoted: &MessageId| shown.contains_key(quoted);
        let now_ms = world.server.now_ms();
        let uncertain =
            expected.uncertain || expected.changed_at.iter().any(|seq| reach.may_lack_seq(log, *seq, now_ms));
        let by_evil = Some(expected.by) == world.traits.evil;
        check_message(model, &reach, expected, message, (uncertain, by_evil), quotable)
            .map_err(|what| format!("{id} at {}: {what}", expected.seq))?;
    }
    let swallowed: BTreeSet<&str> = model.swallowed.iter().filter_map(|op| text_of(&op.kind)).collect();
    for message in &view.messages {
        if expected.contains_key(&message.message) || message.position.seq == UNSENT {
            continue;
        }
        let good = match &message.body {
            Body::Text { text } => message.edited || swallowed.contains(text.as_str()),
            Body::Deleted => true,
            Body::Unreadable { .. } => {
                !reach.can_read(message.position.seq) || world.is_evil(log, message.position.seq)
            }
            Body::Notice { notice: Notice::SafetyNumberChanged { .. } } => match view.place {
                Place::With(with) => model.people[with].lives.len() > 1,
                Place::Group(_) => model.people.iter().any(|person| person.lives.len() > 1),
            },
            Body::Notice { notice: Notice::HistoryMissing } => {
                log.is_cut(world.server.now_ms()) || reach.missed_the_beginning()
            }
            // The server passes on nothing that is forbidden; the other kinds the people here do not send yet.
            Body::Notice { notice: Notice::Distrusted }
            | Body::Unknown
            | Body::Poll { .. }
            | Body::Location { .. }
            | Body::Contact { .. } => false,
            Body::Notice { .. } => matches!(view.place, Place::Group(_)),
        };
        if !good {
            return Err(format!("shows {:?} at {}, which nobody wrote", message.body, message.position.seq));
        }
    }
    Ok(())
}

fn text_of(kind: &Kind) -> Option<&str> {
    match kind {
        Kind::Text { text, .. } => Some(text),
        _ => None,
    }
}

fn check_message(
    model: &Model,
    reach: &Reach,
    expected: &Expected,
    message: &Message,
    (uncertain, by_evil): (bool, bool),
    quotable: impl Fn(&MessageId) -> bool,
) -> Result<(), String> {
    if let Body::Unreadable { why } = &message.body {
        if reach.can_read(expected.seq) && !by_evil {
            return Err(format!("cannot be read: {why}"));
        }
        return Ok(());
    }
    if Some(message.sender) != model.people[expected.by].account {
        return Err("has another sender".into());
    }
    if uncertain {
        return Ok(());
    }
    match (&expected.text, &message.body) {
        (None, Body::Deleted) => return Ok(()),
        (Some(expected), Body::Text { text }) if expected == text => {}
        (expected, shown) => return Err(format!("should be {expected:?}, is {shown:?}")),
    }
    if message.reply_to.as_ref().map(|quote| quote.message) != expected.reply_to.filter(quotable) {
        return Err("quotes something else".into());
    }
    let account = |(who, emoji): (&Who, &String)| (model.people[*who].account, emoji.clone());
    let mut reactions: Vec<_> = expected.reactions.iter().map(account).collect();
    let mut shown: Vec<_> =
        message.reactions.iter().map(|reaction| (Some(reaction.account), reaction.emoji.clone())).collect();
    reactions.sort();
    shown.sort();
    if reactions != shown {
        return Err(format!("should have reactions {reactions:?}, has {shown:?}"));
    }
    Ok(())
}
