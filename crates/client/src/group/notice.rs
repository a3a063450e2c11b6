//! What is said in the chat about who came, went, and what they may do.

use super::member::Moved;
use crate::message;
use crate::step::{Done, Step};
use crate::view::{Notice, Person};
use tidings_proto::group::GroupRules;
use tidings_proto::id::{AccountId, ConversationId};

/// Where a notice stands: the entry that it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub conversation: ConversationId,
    pub seq: u64,
    pub time_ms: u64,
}

pub(crate) fn say(step: &mut Step<'_>, at: At, about: AccountId, notice: &Notice) -> Done {
    message::notice(step, at.conversation, about, at.seq, at.time_ms, notice)
}

/// What a commit of `by` changed. `entered`: it was an external one, by which its author came.
pub(crate) fn moved(step: &mut Step<'_>, at: At, by: AccountId, entered: bool, moved: &Moved) -> Done {
    let author = Person::nameless(by);
    let (joined, added): (Vec<_>, Vec<_>) = moved.came.iter().partition(|account| entered && **account == by);
    if !joined.is_empty() {
        say(step, at, by, &Notice::JoinedByLink { who: author.clone() })?;
    }
    if !added.is_empty() {
        say(step, at, by, &Notice::Added { by: author.clone(), who: people(added) })?;
    }
    if !moved.gone.is_empty() {
        say(step, at, by, &Notice::Removed { by: author.clone(), who: people(&moved.gone) })?;
    }
    match &moved.before {
        Some(before) => rules(step, at, by, before, moved),
        None => Ok(()),
    }
}

fn rules(step: &mut Step<'_>, at: At, by: AccountId, before: &GroupRules, moved: &Moved) -> Done {
    let after = &moved.after;
    let author = Person::nameless(by);
    let named: Vec<_> = after.admins.iter().filter(|account| !before.is_admin(**account)).collect();
    let dismissed: Vec<_> = before
        .admins
        .iter()
        .filter(|account| !after.is_admin(**account) && !moved.gone.contains(account))
        .filter(|account| step_is_member(step, at.conversation, **account))
        .collect();
    if !named.is_empty() || !dismissed.is_empty() {
        let notice = Notice::AdminsChanged { by: author.clone(), named: people(named), dismissed: people(dismissed) };
        say(step, at, by, &notice)?;
    }
    let changed = |before, after| if before == after { None } else { Some(after) };
    let (posting, editing, adding) = (
        changed(before.posting, after.posting),
        changed(before.editing, after.editing),
        changed(before.adding, after.adding),
    );
    if posting.is_some() || editing.is_some() || adding.is_some() {
        say(step, at, by, &Notice::RulesChanged { by: author, posting, editing, adding })?;
    }
    Ok(())
}

/// Whoever left was told of already.
fn step_is_member(step: &Step<'_>, conversation: ConversationId, account: AccountId) -> bool {
    super::member::accounts(step.tx, conversation).is_ok_and(|members| members.contains(&account))
}

fn people<'a>(accounts: impl IntoIterator<Item = &'a AccountId>) -> Vec<Person> {
    accounts.into_iter().map(|account| Person::nameless(*account)).collect()
}
