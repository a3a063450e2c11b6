//! The account goes, and this device's database with it.
//!
//! First the server says whether it would do it. Then this device leaves every group as a person does, each with its proof
//! and, where it is the last admin, with an heir; in bounded time, since the rest the server tells the members itself.
//! Then the account is deleted, with a signature of its identity key that everybody can check.
//!
//! Nothing of this is durable: who is interrupted before the server was told has left some groups, and asks again.

use super::Ask;
use crate::account;
use crate::contact;
use crate::conversation::{self, Standing};
use crate::device;
use crate::error::ClientError;
use crate::group::intent::{self, Intent};
use crate::group::notice::At;
use crate::group::{self, member};
use crate::http::{self, Answer};
use crate::io::{CallId, Method};
use crate::memory::Purpose;
use crate::message;
use crate::mls::Identity;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use crate::view::{Notice, Person};
use ed25519_dalek::SigningKey;
use rusqlite::params;
use tidings_proto::account::DeleteAccount;
use tidings_proto::credential::{deletion, is_deletion};
use tidings_proto::entry::{ConversationKind, Entry};
use tidings_proto::id::ConversationId;
use tidings_proto::limit::DELETION_GROUPS_MAX;
use tidings_proto::payload::Payload;

/// How long the groups have.
const LEAVE_MAX_MS: u64 = 20_000;

/// An account that is about to go.
pub(crate) struct Deleting {
    pub reply: CallId,
    phone: String,
    pin: Option<String>,
    left: Vec<ConversationId>,
    stage: Stage,
}

impl Deleting {
    /// The server was told to do it.
    pub fn is_asked(&self) -> bool {
        self.stage == Stage::Deleting
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Checking,
    Leaving { by_ms: u64 },
    Deleting,
}

/// The command. `phone`: the account's own number, typed by the person.
pub(crate) fn begin(step: &mut Step<'_>, reply: CallId, phone: &str, pin: Option<String>) -> Done {
    let phone = contact::normalize_phone(phone)?;
    if phone != step.me()?.phone {
        return Err(ClientError::NotAllowed { why: "that is not the number of this account".into() }.into());
    }
    if step.mem.own.deleting.is_some() {
        return Err(ClientError::NotAllowed { why: "this account is being deleted already".into() }.into());
    }
    step.mem.own.deleting = Some(Deleting { reply, phone, pin, left: Vec::new(), stage: Stage::Checking });
    ask(step)
}

fn ask(step: &mut Step<'_>) -> Done {
    let account = step.me()?.sender.account;
    let Some(secret) = Identity::secret(step.tx)? else { return Err(ClientError::NotLoggedIn.into()) };
    let Some(deleting) = &step.mem.own.deleting else { return Ok(()) };
    let body = http::json(&DeleteAccount {
        phone: deleting.phone.clone(),
        deletion: deletion(&SigningKey::from_bytes(&secret), account).to_vec().into(),
        pin: deleting.pin.clone(),
        left: deleting.left.clone(),
        check: deleting.stage == Stage::Checking,
    });
    http::ask(step, Purpose::Own(Ask::Delete), Method::Delete, "/v1/account", body)
}

pub(crate) fn answered(step: &mut Step<'_>, answer: Answer) -> Done {
    let Some(deleting) = step.mem.own.deleting.take() else { return Ok(()) };
    match (answer, deleting.stage) {
        (Err(failure), _) => {
            step.reply(deleting.reply, Err(failure.to_client_error()));
            Ok(())
        }
        (Ok(_), Stage::Checking) => {
            let by_ms = step.now_ms + LEAVE_MAX_MS;
            step.mem.own.deleting = Some(Deleting { stage: Stage::Leaving { by_ms }, ..deleting });
            leave_all(step)
        }
        (Ok(_), _) => {
            step.reply(deleting.reply, Ok(Reply::Done));
            account::wipe(step, "this account was deleted")
        }
    }
}

fn leave_all(step: &mut Step<'_>) -> Done {
    let mut left = Vec::new();
    for group in groups(step)? {
        intent::add(step, group, &Intent::Leave, None)?;
        left.push(group);
    }
    left.truncate(DELETION_GROUPS_MAX);
    if let Some(deleting) = &mut step.mem.own.deleting {
        deleting.left = left;
    }
    Ok(())
}

/// Those that this device can leave.
fn groups(step: &Step<'_>) -> Result<Vec<ConversationId>, Stop> {
    let mut groups = Vec::new();
    for conversation in conversation::all_joined(step.tx)? {
        let row = conversation::find(step.tx, conversation)?;
        let is_in = row.is_some_and(|row| {
            row.kind == ConversationKind::Group && row.standing == Standing::Member && row.epoch.is_some()
        });
        if is_in {
            groups.push(conversation);
        }
    }
    Ok(groups)
}

/// After every input: goes on once the groups are left, or have had their time.
pub(crate) fn tick(step: &mut Step<'_>) -> Done {
    let Some(Deleting { stage: Stage::Leaving { by_ms }, .. }) = step.mem.own.deleting else { return Ok(()) };
    if step.now_ms < by_ms && is_leaving(step)? {
        return Ok(());
    }
    if let Some(deleting) = &mut step.mem.own.deleting {
        deleting.stage = Stage::Deleting;
    }
    ask(step)
}

fn is_leaving(step: &Step<'_>) -> Result<bool, Stop> {
    let Some(deleting) = &step.mem.own.deleting else { return Ok(false) };
    for group in &deleting.left {
        if intent::first(step.tx, *group)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn wake_at_ms(step: &Step<'_>) -> Option<u64> {
    match step.mem.own.deleting {
        Some(Deleting { stage: Stage::Leaving { by_ms }, .. }) => Some(by_ms),
        _ => None,
    }
}

/// The log says that somebody deleted their account. Believed only with their signature.
pub(crate) fn told(step: &mut Step<'_>, entry: &Entry, proof: &Payload) -> Done {
    let (conversation, who) = (entry.log.as_conversation(), entry.sender.account);
    if who == step.me()?.sender.account {
        return Ok(());
    }
    let key = match device::identity_key(step, conversation, entry.sender)? {
        Some(key) => Some(key),
        None => contact::find(step.tx, who)?.and_then(|contact| contact.identity_key),
    };
    if !key.is_some_and(|key| is_deletion(&key, who, proof.as_slice())) {
        tracing::warn!(%conversation, seq = entry.seq, "an account is said to be deleted without a proof");
        return Ok(());
    }
    // Their number may be another account's soon. What they were called stays.
    step.tx
        .prepare_cached(
            "UPDATE contact SET name = coalesce(name, phone), phone = NULL, claimed_phone = NULL WHERE account = ?1",
        )?
        .execute(params![who.as_bytes()])?;
    let notice = Notice::AccountDeleted { who: Person::nameless(who) };
    if !message::has_notice(step.tx, conversation, who, &notice)? {
        let at = At { conversation, seq: entry.seq, time_ms: entry.time_ms };
        group::notice::say(step, at, who, &notice)?;
    }
    // In a group that they could not leave themselves an admin does it for them.
    let own = step.me()?.sender.account;
    let rules = member::rules(step.tx, conversation)?;
    if rules.is_some_and(|rules| rules.is_admin(own)) && member::accounts(step.tx, conversation)?.contains(&who) {
        intent::add(step, conversation, &Intent::Remove { who: vec![who] }, None)?;
    }
    Ok(())
}
