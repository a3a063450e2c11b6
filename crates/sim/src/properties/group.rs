//! Groups: nobody does more than the rules let them, nobody reads what was said while they were out, and in the end
//! everybody's device names the same members.
//!
//! The rules are played here once more, from what stands declared in the log, by a few lines that know nothing of MLS.

use crate::model::{Model, Who};
use crate::properties::log::{ShadowLog, pairs};
use crate::properties::reach::{Reach, stays};
use crate::properties::tick::{check_unread, is_own};
use crate::properties::view::{UNSENT, View, Views};
use crate::world::World;
use std::collections::BTreeSet;
use tidings_client::view::{Body as Shown, Message, Tick};
use tidings_client::{ClientError, Command, Peer, Reply};
use tidings_proto::entry::{Body, Change, Entry, Sender};
use tidings_proto::group::GroupRules;
use tidings_proto::id::AccountId;
use tidings_proto::problem::Code;

/// A group as the log tells it.
#[derive(Clone, Default)]
struct Played {
    rules: GroupRules,
    devices: BTreeSet<Sender>,
    /// Left, and still with leaves.
    left: BTreeSet<AccountId>,
    /// Logged out, and still with leaves.
    gone: BTreeSet<Sender>,
}

impl Played {
    fn members(&self) -> BTreeSet<AccountId> {
        let all = self.devices.iter().map(|device| device.account).chain(self.rules.away.iter().copied());
        all.filter(|account| !self.left.contains(account)).collect()
    }

    fn step(&mut self, entry: &Entry) -> Result<(), String> {
        let by = entry.sender.account;
        match &entry.body {
            Body::Message { silent, .. } => {
                if !self.members().contains(&by) || !self.devices.contains(&entry.sender) {
                    return Err("somebody who is not in it says something".into());
                }
                if !silent && !self.rules.allows(self.rules.posting, by) {
                    return Err("somebody who may not says something".into());
                }
                if !self.left.is_empty() {
                    return Err("something is said while somebody who left could read it".into());
                }
                if !self.gone.is_empty() {
                    return Err("something is said while a device that was logged out could read it".into());
                }
            }
            Body::Commit { change, .. } => return self.commit(entry, change),
            Body::Leave { .. } => {
                if !self.members().contains(&by) {
                    return Err("somebody leaves who is not in it".into());
                }
                self.left.insert(by);
                self.gone.retain(|gone| gone.account != by);
                let rest = self.members();
                if !rest.is_empty() && !self.rules.admins.iter().any(|admin| rest.contains(admin)) {
                    return Err("the last admin leaves".into());
                }
            }
            // Said of an account, whether the device is there or not.
            Body::Gone { deleted: Some(_), .. } => {
                if self.devices.contains(&entry.sender) {
                    self.gone.insert(entry.sender);
                }
            }
            Body::Gone { .. } => {
                if !self.devices.contains(&entry.sender) || !self.gone.insert(entry.sender) {
                    return Err("a device goes that is not there".into());
                }
            }
            Body::Welcome { .. } | Body::JoinRequest { .. } | Body::LockReset { .. } => {
                return Err("it belongs into an inbox".into());
            }
        }
        Ok(())
    }

    fn commit(&mut self, entry: &Entry, change: &Change) -> Result<(), String> {
        let (by, before) = (entry.sender.account, self.clone());
        if change.create.is_none() {
            before.check(entry, change)?;
        }
        if !change.external && self.gone.iter().any(|gone| !change.removed.contains(gone)) {
            return Err("it leaves a device in that was logged out".into());
        }
        for device in &change.removed {
            if !self.devices.remove(device) {
                return Err("it removes a device that is not there".into());
            }
        }
        for device in &change.added {
            if !self.devices.insert(*device) {
                return Err("it adds a device that is there".into());
            }
        }
        if let Some(rules) = &change.rules {
            self.rules = rules.clone();
        }
        self.gone.retain(|gone| self.devices.contains(gone));
        self.left.retain(|account| self.devices.iter().any(|device| device.account == *account));
        let (was, now) = (before.members(), self.members());
        let admin = before.rules.is_admin(by);
        let lost = was.difference(&now).next();
        if lost.is_some() && !admin {
            return Err("somebody who is no admin removes people".into());
        }
        if now.iter().any(|account| self.rules.is_banned(*account)) {
            return Err("somebody who is banned is in it".into());
        }
        let admins_in = self.rules.admins.iter().all(|account| now.contains(account) || self.left.contains(account));
        if !admins_in || self.rules.admins.is_empty() {
            return Err("its admins are not members, or there are none".into());
        }
        let came: Vec<_> = now.difference(&was).collect();
        if change.create.is_none()
            && !change.external
            && !came.is_empty()
            && !before.rules.allows(before.rules.adding, by)
        {
            return Err("somebody who may not adds people".into());
        }
        Ok(())
    }

    fn check(&self, entry: &Entry, change: &Change) -> Result<(), String> {
        let by = entry.sender.account;
        if change.external {
            let invited = change.invite.as_ref().and_then(|proof| self.rules.invite(proof.key));
            let open = invited.is_some_and(|invite| !invite.approval);
            if !self.members().contains(&by) && !open {
                return Err("somebody comes in without an invite".into());
            }
            return Ok(());
        }
        if !self.devices.contains(&entry.sender) || self.left.contains(&by) {
            return Err("a commit of a device that is not in it".into());
        }
        let mut same = change.rules.clone().unwrap_or_else(|| self.rules.clone());
        // Who is without a device, and admins that left: anybody may note it.
        same.away.clone_from(&self.rules.away);
        let kept = |account: &&AccountId| !self.left.contains(account);
        let admins = self.rules.admins.iter().filter(kept).copied().collect::<Vec<_>>();
        let as_before = same.admins == self.rules.admins || same.admins == admins;
        same.admins.clone_from(&self.rules.admins);
        if (same != self.rules || !as_before) && !self.rules.is_admin(by) {
            return Err("somebody who is no admin changes the rules".into());
        }
        Ok(())
    }
}

/// Plays a log to its end.
fn play(log: &ShadowLog, participants_max: usize) -> Result<Played, String> {
    let mut played = Played::default();
    for (seq, (entry, _)) in &log.entries {
        played.step(entry).map_err(|what| format!("{what} at {seq}"))?;
        if played.members().len() > participants_max {
            return Err(format!("more than {participants_max} people are in it at {seq}"));
        }
    }
    Ok(played)
}

/// Roles are never exceeded, and nobody reads what is not theirs.
pub fn check_always(world: &World, views: &Views) -> Result<(), String> {
    let model = world.model.borrow();
    let shadow = world.shadow.borrow();
    // Who says what they like may hurt themselves.
    let now = (world.server.now_ms(), world.traits.evil);
    for group in &model.groups {
        let Some(log) = shadow.log(group.conversation) else { continue };
        play(log, world.traits.participants_max).map_err(|what| format!("in a group: {what}"))?;
        for view in views.0.iter().filter(|view| view.conversation == group.conversation) {
            let reach = Reach::of(view, &model, log);
            for message in &view.messages {
                check_message(&model, log, views, (view, &reach), message, now)
                    .map_err(|what| view.named(format!("{} at {}: {what}", message.message, message.position.seq)))?;
            }
        }
    }
    Ok(())
}

fn check_message(
    model: &Model,
    log: &ShadowLog,
    views: &Views,
    (view, reach): (&View, &Reach),
    message: &Message,
    (now_ms, evil): (u64, Option<Who>),
) -> Result<(), String> {
    let seq = message.position.seq;
    let sent = seq != UNSENT && log.entries.contains_key(&seq);
    let told = model.people[view.device.who].lives[view.device.life].linked && reach.is_before(seq);
    if sent && matches!(message.body, Shown::Text { .. }) && !reach.is_inside(seq) && !told {
        return Err("was read by somebody who was not in the group".into());
    }
    let Some(tick) = message.tick.filter(|tick| sent && *tick >= Tick::Delivered) else { return Ok(()) };
    for who in stayers(model, log, view.device.who, seq).into_iter().filter(|who| Some(*who) != evil) {
        let other = &model.people[who];
        let marked = other.marked.get(&view.conversation).copied().unwrap_or(0);
        if tick == Tick::Read && marked < seq {
            return Err(format!("has blue ticks, but p{who} has only seen {marked}"));
        }
        let Some(theirs) = views.of(who, view.conversation).filter(|_| !other.had.contains(&message.message)) else {
            continue;
        };
        let theirs = Reach::of(theirs, model, log);
        if !theirs.may_lack_seq(log, seq, now_ms) && other.lives.len() == 1 {
            return Err(format!("has two ticks, but p{who} does not have it"));
        }
    }
    Ok(())
}

/// The others who have been in it since this seq, with the device that they have now.
fn stayers(model: &Model, log: &ShadowLog, but: Who, seq: u64) -> Vec<Who> {
    let stays_on = |who: &Who| {
        let person = &model.people[*who];
        let me = person.account.zip(person.device()).map(|(account, device)| Sender { account, device });
        me.is_some_and(|me| stays(log, me).0.iter().any(|stay| stay.from < seq && stay.to == u64::MAX))
    };
    (0..model.people.len()).filter(|who| *who != but).filter(stays_on).collect()
}

/// Everybody's leaf that was thrown out for good is out of every conversation, and nothing was said before it was.
fn check_revoked(model: &Model, log: &ShadowLog) -> Result<(), String> {
    let (mut devices, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for (seq, (entry, _)) in &log.entries {
        match &entry.body {
            Body::Message { .. } if !gone.is_empty() => {
                return Err(format!("something is said at {seq} while a device that was logged out could read it"));
            }
            Body::Commit { change, .. } => {
                for out in &change.removed {
                    devices.remove(out);
                    gone.remove(out);
                }
                devices.extend(change.added.iter().copied());
            }
            Body::Gone { .. } => drop(gone.insert(entry.sender)),
            Body::Leave { .. } => gone.retain(|gone: &Sender| gone.account != entry.sender.account),
            _ => {}
        }
    }
    let revoked = model.people.iter().flat_map(|person| person.lives.iter().filter(|life| life.revoked));
    let revoked: BTreeSet<_> = revoked.filter_map(|life| life.device).collect();
    match devices.iter().find(|device| revoked.contains(&device.device)) {
        Some(device) => Err(format!("{} was thrown out, and still has a leaf", device.device)),
        None => Ok(()),
    }
}

/// Everybody who is in it knows who else is, and ticks and badges are right.
pub fn check_rest(world: &World, views: &Views) -> Result<(), String> {
    for (a, b, conversation) in pairs(&world.model.borrow()) {
        if let Some(log) = world.shadow.borrow().log(conversation) {
            check_revoked(&world.model.borrow(), log).map_err(|what| format!("between p{a} and p{b}: {what}"))?;
        }
    }
    let groups: Vec<_> = world.model.borrow().groups.iter().map(|group| group.conversation).collect();
    for conversation in groups {
        let played = {
            let shadow = world.shadow.borrow();
            let Some(log) = shadow.log(conversation) else { continue };
            let played = play(log, world.traits.participants_max)?;
            if !played.members().is_empty() {
                check_revoked(&world.model.borrow(), log).map_err(|what| format!("in a group: {what}"))?;
            }
            played
        };
        for view in views.0.iter().filter(|view| view.conversation == conversation) {
            check_members(world, &played, view).map_err(|what| view.named(what))?;
            let (model, shadow) = (world.model.borrow(), world.shadow.borrow());
            let Some(log) = shadow.log(conversation) else { continue };
            let reach = Reach::of(view, &model, log);
            check_ticks(log, &reach, view).map_err(|what| view.named(what))?;
            check_unread(&model, view, reach.came()).map_err(|what| view.named(what))?;
        }
    }
    Ok(())
}

fn check_members(world: &World, played: &Played, view: &View) -> Result<(), String> {
    let account = world.model.borrow().people[view.device.who].account;
    let members = played.members();
    let inside = account.is_some_and(|account| members.contains(&account));
    let group = match view.device.ask(Command::GroupInfo { group: Peer::Conversation(view.conversation) }) {
        Some(Ok(Reply::Group(group))) => group,
        _ if !inside => return Ok(()),
        other => return Err(format!("does not tell who is in it: {other:?}")),
    };
    if group.member != inside {
        return Err(format!("says member: {}, which is wrong", group.member));
    }
    if !inside {
        return Ok(());
    }
    let shown: BTreeSet<AccountId> = group.members.iter().map(|member| member.account).collect();
    if shown != members {
        return Err(format!("shows {} members instead of {}", shown.len(), members.len()));
    }
    if group.rules != played.rules {
        return Err(format!("shows other rules: {:?} instead of {:?}", group.rules, played.rules));
    }
    let admins = group.members.iter().filter(|member| member.admin).count();
    let still = played.rules.admins.iter().filter(|admin| members.contains(admin)).count();
    if admins != still {
        return Err(format!("shows {admins} admins instead of {still}"));
    }
    if played.devices.iter().any(|device| played.left.contains(&device.account))
        && members.len() > played.rules.away.len()
    {
        return Err("somebody who left still has leaves".into());
    }
    Ok(())
}

fn check_ticks(log: &ShadowLog, reach: &Reach, view: &View) -> Result<(), String> {
    // Who was put out by the very last entry is told nothing more either.
    if !reach.is_inside(log.head + 1) {
        return Ok(());
    }
    for message in view.messages.iter().filter(|message| is_own(message)) {
        if message.tick.is_none_or(|tick| tick < Tick::Delivered) {
            return Err(format!("{} at {} has tick {:?}", message.message, message.position.seq, message.tick));
        }
    }
    Ok(())
}

/// Whether somebody was, at any time, not let say something in a group: the group was not theirs, or for admins only.
pub fn was_ever_barred(model: &Model, log: &ShadowLog, who: Who) -> bool {
    let Some(account) = model.people[who].account else { return true };
    let mut played = Played::default();
    let mut inside = false;
    for (entry, _) in log.entries.values() {
        let _ = played.step(entry);
        let can = played.members().contains(&account) && played.rules.allows(played.rules.posting, account);
        if inside && !can {
            return true;
        }
        inside = can;
    }
    !inside
}

/// Whether a person may hear this when they say or do something in a group.
pub fn may_refuse(error: &ClientError) -> bool {
    match error {
        ClientError::Offline
        | ClientError::NotLoggedIn
        | ClientError::NotAllowed { .. }
        | ClientError::NoSuchMessage
        | ClientError::NoSuchConversation => true,
        ClientError::Refused { code, .. } => {
            matches!(code, Code::Overloaded | Code::RateLimited | Code::Internal | Code::ShuttingDown)
        }
        _ => false,
    }
}
