//! A database that was put back: the file system or a whole machine was restored from an older copy of itself.
//!
//! Its MLS state has forgotten what it used: encrypting on with it would give two messages the same key, and take part in
//! epochs that are over. So it is noticed before the first message of a connection is encrypted:
//!
//! * Each connection is counted, durably, before it says hello; the server remembers the highest count, and the plan says
//!   when one comes again. * An entry of this device's own in a log that this device does not know says the same, should a
//!   server have lost the count (or not tell it).
//!
//! Then nothing is encrypted with any state that is here. Each log is first read to its end, for what others said can
//! still be decrypted; then the group is joined anew by external commit, with fresh keys, and what waits goes out. What
//! this device itself had said since the copy was made nobody can give back to it: it is shown as such. Where a
//! welcome was made with a key package whose secret half is gone, rejoin.rs helps too.
//!
//! The copy may also have what lets it into a group where it was since: a commit that was sent, a key package that a
//! welcome is for. It comes in with those once more, reads, and joins anew before it says anything.
//!
//! Against a server that hides all of that there is the random reuse guard of MLS (RFC 9420 section 6.3.1), four bytes
//! in each nonce.

use crate::conversation::{self, Standing};
use crate::job::{self, Kind};
use crate::own_commit;
use crate::rejoin;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use rusqlite::Connection;
use tidings_proto::id::ConversationId;

/// The number of the hello that is about to be said.
pub(crate) fn count_hello(step: &Step<'_>) -> Result<u64, Stop> {
    let count = setting::get::<u64>(step.tx, Setting::Hellos)?.unwrap_or(0) + 1;
    setting::put(step.tx, Setting::Hellos, count)?;
    Ok(count)
}

/// The plan says that a later state of this device was there before.
pub(crate) fn planned(step: &mut Step<'_>, count: u64) -> Done {
    setting::put(step.tx, Setting::Hellos, count)?;
    found(step, "the server has seen a later state of this device")
}

/// A log has an entry of this device's own that is not known here.
pub(crate) fn unknown_entry(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    found(step, "a log has an entry of this device that it does not know")?;
    // Who is not in comes in with fresh keys anyway; joining once more would only lose what is said meanwhile.
    let is_in = conversation::find(step.tx, conversation)?.is_some_and(|row| row.epoch.is_some());
    if is_in { renew(step, conversation) } else { Ok(()) }
}

/// This device came into a group by a key package of the copy.
pub(crate) fn came_in_again(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    tracing::info!(%conversation, "by a key package that may have been used before");
    renew(step, conversation)
}

fn renew(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    step.mem.logs.behind(conversation.into(), 0);
    job::add(step.tx, Kind::Renew, conversation.as_bytes(), None)
}

fn found(step: &mut Step<'_>, why: &str) -> Done {
    if std::mem::replace(&mut step.mem.own.rolled_back, true) {
        return Ok(());
    }
    tracing::warn!(why, "this database is an old copy of itself: its groups are joined anew");
    step.mls()?.mark_key_packages_copied(step.tx)?;
    let mut all = conversation::all_joined(step.tx)?;
    all.extend(own_commit::all(step.tx)?);
    all.into_iter().try_for_each(|conversation| renew(step, conversation))
}

/// Whether nothing may be encrypted here now.
pub(crate) fn is_wanted(tx: &Connection, conversation: ConversationId) -> Result<bool, Stop> {
    job::exists(tx, Kind::Renew, conversation.as_bytes())
}

/// The job's next step: once the log is read to its end.
pub(crate) fn run(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let row = conversation::find(step.tx, conversation)?;
    let is_in = row.is_some_and(|row| row.epoch.is_some() && row.standing == Standing::Member);
    let is_coming = !is_in && own_commit::find(step.tx, conversation)?.is_some();
    if is_coming || is_in && step.mem.logs.is_reading(conversation.into()) {
        return Ok(());
    }
    job::done(step.tx, Kind::Renew, conversation.as_bytes())?;
    // Reading on may have found that it has to be joined anew anyway.
    if is_in { rejoin::want(step, conversation) } else { Ok(()) }
}
