//! The job of a group: turns what is to be done into commits, one after the other.
//!
//! One own commit of a conversation is on its way at a time. It is stored before it leaves and sent unchanged until the
//! log tells what became of it. If somebody else's was faster, it is void: the job waits a moment, a random one, and
//! makes another from the group as it is then.

use super::intent::{self, Intent, Row as Wanted};
use super::{claim, leave, member, profile, repair};
use crate::conversation::{self, Standing};
use crate::device;
use crate::error::ClientError;
use crate::http::Failure;
use crate::job::{self, Kind};
use crate::mls::group::GroupChange;
use crate::mls::key_package::Invitee;
use crate::mls::{CommitBundle, MlsError};
use crate::own_commit;
use crate::rejoin;
use crate::step::{Done, Step, Stop};
use std::collections::BTreeSet;
use tidings_proto::entry::Sender;
use tidings_proto::frame::{ClientFrame, Commit, Refused};
use tidings_proto::group::{GroupRules, LeaveProof};
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Next};

/// There is something to do, now.
pub(crate) fn want(step: &Step<'_>, conversation: ConversationId) -> Done {
    job::add(step.tx, Kind::Group, conversation.as_bytes(), None)
}

/// Whether a commit has to go before anything else: somebody left, a device was logged out, or some cannot follow.
pub(crate) fn is_due(step: &Step<'_>, conversation: ConversationId) -> Result<bool, Stop> {
    let tx = step.tx;
    Ok(!leave::proofs(tx, conversation)?.is_empty()
        || repair::is_due(tx, conversation)?
        || device::any_gone(step, conversation)?)
}

/// Sends a stored commit, unless it is on its way or there.
pub(crate) fn send(step: &mut Step<'_>, commit: Commit) {
    let conversation = commit.conversation;
    let in_flight = &step.mem.in_flight;
    if in_flight.commits.contains_key(&conversation) || in_flight.placed.get(&conversation) == Some(&commit.message_id)
    {
        return;
    }
    step.mem.in_flight.commits.insert(conversation, commit.message_id);
    step.send(ClientFrame::Commit(Box::new(commit)), true);
}

/// The job's next step.
pub(crate) fn run(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    loop {
        let Some(row) = conversation::find(step.tx, conversation)? else {
            return job::done(step.tx, Kind::Group, conversation.as_bytes());
        };
        if rejoin::is_wanted(step.tx, conversation)? || step.mem.logs.is_reading(conversation.into()) {
            return Ok(());
        }
        if let Some(commit) = own_commit::find(step.tx, conversation)? {
            send(step, commit);
            return Ok(());
        }
        let next = intent::first(step.tx, conversation)?;
        if row.standing != Standing::Member {
            let error = ClientError::NotAllowed { why: "you are not in this group any more".into() };
            return intent::fail_all(step, conversation, &error);
        }
        if let Some(Wanted { id, intent: Intent::Create { members } }) = &next {
            if !create(step, conversation, *id, members)? {
                return Ok(());
            }
            continue;
        }
        let Some(epoch) = row.epoch else { return Ok(()) };
        let went = match next {
            Some(Wanted { id, intent: Intent::Readd }) => readd(step, conversation, id)?,
            Some(wanted) => change(step, conversation, epoch, &wanted)?,
            None if repair::is_due(step.tx, conversation)? => {
                repair::returned(step, conversation)?;
                true
            }
            None if is_due(step, conversation)? => tidy(step, conversation)?,
            None => return job::done(step.tx, Kind::Group, conversation.as_bytes()),
        };
        if !went {
            return Ok(());
        }
    }
}

/// False: it waits for something.
fn create(step: &mut Step<'_>, conversation: ConversationId, id: i64, members: &[AccountId]) -> Result<bool, Stop> {
    let own = step.me()?.sender.account;
    let accounts: BTreeSet<AccountId> = members.iter().copied().chain([own]).collect();
    let Some(packages) = claim::ready(step, conversation, id, &accounts)? else { return Ok(false) };
    let rules = GroupRules::of_creator(own);
    let made = with_good_packages(step, conversation, packages, |step, invitees| {
        step.mls()?.create_group(step.tx, conversation, &rules, invitees, step.now_s()).map_err(Made::from)
    })?;
    store(step, conversation, Some(id), made)
}

/// What is to become of the group.
struct Plan {
    add: BTreeSet<AccountId>,
    remove: BTreeSet<AccountId>,
    rules: GroupRules,
    /// Whether the intent is done with it.
    whole: bool,
}

/// False: it waits for something.
fn change(step: &mut Step<'_>, conversation: ConversationId, epoch: u64, wanted: &Wanted) -> Result<bool, Stop> {
    let own = step.me()?.sender.account;
    let Some(before) = rules(step, conversation)? else { return Ok(false) };
    let members = member::accounts(step.tx, conversation)?;
    let mut plan = Plan { add: BTreeSet::new(), remove: BTreeSet::new(), rules: before.clone(), whole: true };
    match &wanted.intent {
        Intent::Create { .. } | Intent::Readd => return Ok(false),
        Intent::Add { who } => {
            plan.add = who.iter().filter(|who| !members.contains(who) || before.away.contains(who)).copied().collect();
        }
        Intent::Remove { who } => plan.remove = who.iter().copied().collect(),
        Intent::Admin { who, on } => put(&mut plan.rules.admins, *who, *on),
        Intent::Rules { posting, editing, adding } => {
            plan.rules.posting = posting.unwrap_or(before.posting);
            plan.rules.editing = editing.unwrap_or(before.editing);
            plan.rules.adding = adding.unwrap_or(before.adding);
        }
        Intent::Ban { who, on } => {
            put(&mut plan.rules.banned, *who, *on);
            plan.remove.extend(on.then_some(*who));
        }
        Intent::Invite { invite } => plan.rules.invites.push(invite.clone()),
        Intent::Revoke { key } => plan.rules.invites.retain(|invite| invite.key != *key),
        Intent::Leave => {
            let heir = match before.admins.as_slice() {
                [admin] if *admin == own => member::heir(step.tx, conversation, own)?,
                _ => None,
            };
            let Some(heir) = heir else {
                leave::post(step, conversation, epoch)?;
                return Ok(false);
            };
            put(&mut plan.rules.admins, heir, true);
            plan.whole = false;
        }
    }
    plan.remove.retain(|who| members.contains(who) && *who != own);
    let packages = if plan.add.is_empty() {
        Vec::new()
    } else {
        match claim::ready(step, conversation, wanted.id, &plan.add)? {
            Some(packages) => packages,
            None => return Ok(false),
        }
    };
    plan.add = packages.iter().map(|(device, _)| device.account).collect();
    if plan.add.is_empty() && plan.remove.is_empty() && plan.rules == before {
        intent::finish(step, conversation, wanted, Ok(()))?;
        return Ok(true);
    }
    let made = commit(step, conversation, &before, plan.remove, plan.rules, packages)?;
    if let Err(error) = made {
        intent::finish(step, conversation, wanted, Err(error))?;
        return Ok(true);
    }
    store(step, conversation, Some(wanted.id).filter(|_| plan.whole), made)
}

/// False: it waits for something.
fn readd(step: &mut Step<'_>, conversation: ConversationId, id: i64) -> Result<bool, Stop> {
    let Some(before) = rules(step, conversation)? else { return Ok(false) };
    let Some(packages) = repair::packages(step, conversation, id)? else { return Ok(false) };
    if packages.is_empty() {
        repair::over(step, conversation)?;
        return Ok(true);
    }
    match commit(step, conversation, &before, BTreeSet::new(), before.clone(), packages)? {
        Ok(bundle) => store(step, conversation, Some(id), Ok(bundle)),
        Err(error) => {
            tracing::warn!(%conversation, %error, "members cannot be let in again: they come back by themselves");
            repair::over(step, conversation)?;
            Ok(true)
        }
    }
}

/// Takes out who left, and does nothing else.
fn tidy(step: &mut Step<'_>, conversation: ConversationId) -> Result<bool, Stop> {
    if !conversation.may_be_group() {
        return tidy_direct(step, conversation);
    }
    let Some(before) = rules(step, conversation)? else { return Ok(false) };
    let made = commit(step, conversation, &before, BTreeSet::new(), before.clone(), Vec::new())?;
    if let Err(error) = &made {
        tracing::warn!(%conversation, %error, "who left cannot be taken out");
        job::later(step, Kind::Group, conversation.as_bytes(), None)?;
        return Ok(false);
    }
    store(step, conversation, None, made)
}

/// The same in a direct conversation or a self chat.
fn tidy_direct(step: &mut Step<'_>, conversation: ConversationId) -> Result<bool, Stop> {
    let gone = device::gone_from(step.tx, conversation)?;
    let made = loop {
        match step.mls()?.remove(step.tx, conversation, &gone) {
            Err(MlsError::PendingCommit) => step.mls()?.drop_pending(step.tx, conversation)?,
            made => break made,
        }
    };
    match made {
        Ok(bundle) => store(step, conversation, None, Ok(bundle)),
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%conversation, %error, "a device that is gone cannot be taken out");
            rejoin::want(step, conversation)?;
            Ok(false)
        }
    }
}

/// `None`: this device is not in the group after all, and comes back first.
fn rules(step: &mut Step<'_>, conversation: ConversationId) -> Result<Option<GroupRules>, Stop> {
    match step.mls()?.group_rules(step.tx, conversation) {
        Ok(rules) => Ok(Some(rules)),
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(_) => {
            rejoin::want(step, conversation)?;
            Ok(None)
        }
    }
}

/// The commit, and who is taken out by it besides.
fn commit(
    step: &mut Step<'_>,
    conversation: ConversationId,
    before: &GroupRules,
    mut remove: BTreeSet<AccountId>,
    mut rules: GroupRules,
    packages: Vec<(Sender, Payload)>,
) -> Result<Result<CommitBundle, ClientError>, Stop> {
    let left: Vec<LeaveProof> = leave::proofs(step.tx, conversation)?;
    remove.extend(left.iter().map(|proof| proof.sender.account));
    let add: BTreeSet<AccountId> = packages.iter().map(|(device, _)| device.account).collect();
    let devices = step.mls()?.devices(step.tx, conversation)?;
    let logged_out = device::gone_from(step.tx, conversation)?;
    let goes = |device: &&Sender| remove.contains(&device.account) || logged_out.contains(device);
    let gone: Vec<Sender> = devices.iter().filter(goes).copied().collect();
    let stay: BTreeSet<AccountId> =
        devices.iter().filter(|device| !goes(device)).map(|device| device.account).chain(add.iter().copied()).collect();
    rules.admins.retain(|who| !remove.contains(who));
    rules.away.retain(|who| !remove.contains(who) && !add.contains(who));
    // All devices of somebody who stays were logged out.
    for account in gone.iter().map(|device| device.account) {
        if !remove.contains(&account) && !stay.contains(&account) {
            put(&mut rules.away, account, true);
        }
    }
    let astray = repair::astray(step.tx, conversation)?;
    let packages =
        packages.into_iter().filter(|(device, _)| !devices.contains(device) || astray.contains(device)).collect();
    let new_rules = Some(&rules).filter(|rules| *rules != before);
    with_good_packages(step, conversation, packages, |step, invitees| {
        // Who is let in again gets another leaf.
        let again = invitees.iter().map(|invitee| invitee.device).filter(|device| devices.contains(device));
        let gone: Vec<Sender> = gone.iter().copied().chain(again).collect();
        let change = GroupChange { add: invitees, remove: &gone, rules: new_rules, left: &left };
        step.mls()?.change_group(step.tx, conversation, &change, step.now_s()).map_err(Made::from)
    })
}

/// Why no commit was made.
enum Made {
    Mls(MlsError),
    Stop(Stop),
}

impl From<MlsError> for Made {
    fn from(error: MlsError) -> Self {
        Self::Mls(error)
    }
}

impl From<Stop> for Made {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// A device whose package is bad is left out: it comes in by itself.
fn with_good_packages(
    step: &mut Step<'_>,
    conversation: ConversationId,
    mut packages: Vec<(Sender, Payload)>,
    make: impl Fn(&Step<'_>, &[Invitee<'_>]) -> Result<CommitBundle, Made>,
) -> Result<Result<CommitBundle, ClientError>, Stop> {
    loop {
        let invitees: Vec<Invitee<'_>> =
            packages.iter().map(|(device, package)| Invitee { device: *device, package: package.as_slice() }).collect();
        match make(step, &invitees) {
            Ok(bundle) => return Ok(Ok(bundle)),
            Err(Made::Mls(MlsError::BadKeyPackage { device, why })) => {
                tracing::warn!(device = %device.device, why, "a key package is not valid");
                claim::discard(step, conversation, device);
                packages.retain(|(other, _)| *other != device);
            }
            Err(Made::Mls(MlsError::PendingCommit)) => step.mls()?.drop_pending(step.tx, conversation)?,
            Err(Made::Mls(error @ MlsError::Database(_))) => return Err(error.into()),
            Err(Made::Mls(MlsError::Denied { why })) => return Ok(Err(ClientError::NotAllowed { why })),
            Err(Made::Mls(error)) => {
                tracing::warn!(%conversation, %error, "a commit cannot be made");
                return Ok(Err(ClientError::NotAllowed { why: error.to_string() }));
            }
            Err(Made::Stop(stop)) => return Err(stop),
        }
    }
}

fn store(
    step: &mut Step<'_>,
    conversation: ConversationId,
    id: Option<i64>,
    made: Result<CommitBundle, ClientError>,
) -> Result<bool, Stop> {
    match made {
        Ok(bundle) => {
            let message = step.fresh_id();
            own_commit::put(step.tx, &bundle.into_frame(conversation, message))?;
            if let Some(id) = id {
                intent::set_commit(step.tx, id, message)?;
            }
            Ok(true)
        }
        Err(error) => {
            intent::fail_all(step, conversation, &error)?;
            Ok(false)
        }
    }
}

fn put(list: &mut Vec<AccountId>, who: AccountId, on: bool) {
    list.retain(|other| *other != who);
    if on {
        list.push(who);
        list.sort_unstable();
    }
}

/// The own commit is in the log and took effect.
pub(crate) fn settled(step: &mut Step<'_>, conversation: ConversationId, commit: MessageId) -> Done {
    for row in intent::of_commit(step.tx, conversation, commit)? {
        if row.intent == Intent::Readd {
            repair::over(step, conversation)?;
            continue;
        }
        if matches!(row.intent, Intent::Create { .. } | Intent::Add { .. }) {
            profile::say(step, conversation)?;
            let rules = member::rules(step.tx, conversation)?.unwrap_or_default();
            if !rules.allows(rules.editing, step.me()?.sender.account) {
                // For the new people this one's word is a hint: somebody who may edit it answers too.
                profile::request(step, conversation)?;
            }
        }
        intent::finish(step, conversation, &row, Ok(()))?;
    }
    Ok(())
}

/// Somebody else's commit was faster.
pub(crate) fn lost(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    if own_commit::find(step.tx, conversation)?.is_none() {
        return Ok(());
    }
    own_commit::delete(step.tx, conversation)?;
    intent::uncommit(step.tx, conversation)?;
    job::later(step, Kind::Group, conversation.as_bytes(), None)
}

/// `refused`, of a commit.
pub(crate) fn refused(step: &mut Step<'_>, refused: &Refused) -> Done {
    let conversation = refused.conversation;
    let subject = conversation.as_bytes();
    tracing::info!(%conversation, code = refused.code.as_str(), detail = refused.detail, "a commit was refused");
    match refused.code.next() {
        // A device that it adds has gone since: the next one is made with those that are there then.
        Next::Retry if refused.code == Code::NoDevice => {
            step.mls()?.drop_pending(step.tx, conversation)?;
            step.mem.groups.claims.remove(&conversation);
            lost(step, conversation)
        }
        Next::Retry | Next::Authenticate => job::later(step, Kind::Group, subject, refused.retry_after_ms),
        Next::Sync => {
            step.mls()?.drop_pending(step.tx, conversation)?;
            lost(step, conversation)?;
            step.mem.logs.behind(conversation.into(), refused.head.unwrap_or(0));
            Ok(())
        }
        Next::Tell if refused.code == Code::LoggedOut => Err(Stop::LoggedOut { why: refused.detail.clone() }),
        Next::Tell | Next::GiveUp => {
            step.mls()?.drop_pending(step.tx, conversation)?;
            own_commit::delete(step.tx, conversation)?;
            let rows = intent::of_commit(step.tx, conversation, refused.message_id)?;
            if refused.code == Code::InviteNeeded {
                let mut again = false;
                for row in &rows {
                    again |= intent::leave_out(step, row, &refused.accounts)?;
                }
                if again {
                    intent::uncommit(step.tx, conversation)?;
                    return want(step, conversation);
                }
            }
            let error = Failure::from(refused).to_client_error();
            if rows.iter().any(|row| row.intent == Intent::Readd) {
                repair::over(step, conversation)?;
            }
            for row in &rows {
                intent::finish(step, conversation, row, Err(error.clone()))?;
            }
            let row = conversation::find(step.tx, conversation)?;
            if row.is_some_and(|row| row.kind == tidings_proto::entry::ConversationKind::Group && !row.created) {
                intent::fail_all(step, conversation, &error)?;
                return conversation::forget(step.tx, conversation);
            }
            match refused.code {
                Code::NotFound => rejoin::want(step, conversation),
                _ => job::later(step, Kind::Group, subject, None),
            }
        }
    }
}
