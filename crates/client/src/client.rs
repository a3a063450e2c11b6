//! The state machine's door: one input in, one transaction, a list of outputs out.
//!
//! The rooms (account, session, outbox, …) are functions over a `Step`: what one input may touch. What they leave to
//! be sent is collected there and handed out after the commit. If the transaction fails, nothing of the input took
//! effect: the connection is given up, waiting commands are told, and the state in memory begins anew from the
//! database.

use crate::account;
use crate::address_book;
use crate::archive::{import, send};
use crate::backup;
use crate::block;
use crate::catch_up;
use crate::contact;
use crate::conversation;
use crate::create;
use crate::db::{Db, DbError};
use crate::device;
use crate::error::ClientError;
use crate::group;
use crate::http::{self, Answer, Failure, token};
use crate::io::{Input, Output};
use crate::job::{self, Job, Kind};
use crate::keys;
use crate::link;
use crate::log;
use crate::membership;
use crate::memory::{Memory, Purpose};
use crate::message::expiry;
use crate::outbox;
use crate::own;
use crate::perform::perform;
use crate::presence;
use crate::receipt;
use crate::rejoin;
use crate::rollback;
use crate::rotate;
use crate::session;
use crate::signal;
use crate::step::{Done, Step, Stop};
use crate::view;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tidings_proto::frame::{Refused, ServerFrame};
use tidings_proto::id::ConversationId;
use tidings_proto::problem::Code;

/// What a driver chooses once.
#[derive(Clone)]
pub struct Options {
    /// Where all randomness comes from: keys, ids, jitter. Fresh for every opening, and secret; a simulation repeats
    /// itself by giving the same ones.
    pub seed: [u8; 32],
    /// How this person wants to be called; told to the people they write to.
    pub name: Option<String>,
}

impl Options {
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, name: None }
    }
}

/// The seed is secret.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").finish_non_exhaustive()
    }
}

/// How long to wait after the database failed, before anything is tried again.
const FAULT_WAIT_MS: u64 = 5_000;

/// One device of one person.
pub struct Client {
    pub(crate) db: Db,
    rng: ChaCha20Rng,
    name: Option<String>,
    pub(crate) memory: Memory,
}

impl Client {
    /// Takes over an open database. Hand it [`Input::Tick`] first.
    pub fn open(db: Db, options: Options) -> Result<Self, ClientError> {
        let mut rng = ChaCha20Rng::from_seed(options.seed);
        let me = account::load(db.connection(), &mut rng).map_err(database_error)?;
        Ok(Self { db, rng, name: options.name, memory: Memory { me, ..Memory::default() } })
    }

    /// Ends the use of the database without closing it: a simulation's crash.
    pub fn into_db(self) -> Db {
        self.db
    }

    /// Handles one input. Carry out the outputs in order. `now_ms`: milliseconds since 1970.
    pub fn handle(&mut self, input: Input, now_ms: u64) -> Vec<Output> {
        let command = match &input {
            Input::Command { id, .. } => Some(*id),
            _ => None,
        };
        let result = match self.transaction(now_ms, |step| dispatch(step, input).and_then(|()| finish(step))) {
            Err(Stop::LoggedOut { why }) => {
                self.transaction(now_ms, |step| account::wipe(step, &why).and_then(|()| finish(step)))
            }
            other => other,
        };
        match result {
            Ok(outputs) => outputs,
            Err(stop) => self.recover(stop, command, now_ms),
        }
    }

    fn transaction(&mut self, now_ms: u64, work: impl FnOnce(&mut Step<'_>) -> Done) -> Result<Vec<Output>, Stop> {
        let Self { db, rng, name, memory } = self;
        let done = db.transaction(|tx| {
            let mut step = Step { tx, mem: memory, rng, name: name.as_deref(), now_ms, out: Vec::new() };
            work(&mut step)?;
            Ok(step.out)
        });
        if std::mem::take(&mut memory.scrub) && done.is_ok() {
            db.scrub();
        }
        done
    }

    /// The transaction was rolled back: what memory thinks may be wrong.
    fn recover(&mut self, stop: Stop, command: Option<u64>, now_ms: u64) -> Vec<Output> {
        let error = database_error(stop);
        tracing::error!(%error, "an input was undone");
        let former = std::mem::take(&mut self.memory);
        self.memory.requests.next = former.requests.next;
        self.memory.session.attempts = former.session.attempts;
        let mut replies = account::owed_replies(&former);
        replies.extend(command);
        replies.sort_unstable();
        replies.dedup();
        let mut outputs = vec![Output::Disconnect];
        outputs.extend(replies.into_iter().map(|id| Output::Reply { id, result: Err(error.clone()) }));
        match account::load(self.db.connection(), &mut self.rng) {
            Ok(me) => self.memory.me = me,
            Err(stop) => tracing::error!(error = %database_error(stop), "the database cannot be read"),
        }
        session::rest(&mut self.memory, now_ms + FAULT_WAIT_MS);
        outputs.push(Output::WakeAt(now_ms + FAULT_WAIT_MS));
        outputs
    }
}

fn database_error(stop: Stop) -> ClientError {
    match stop {
        Stop::Tell(error) => error,
        Stop::Fault(detail) => ClientError::Database { detail },
        Stop::LoggedOut { why } => ClientError::Database { detail: why },
    }
}

impl From<DbError> for ClientError {
    fn from(error: DbError) -> Self {
        Self::Database { detail: error.to_string() }
    }
}

fn dispatch(step: &mut Step<'_>, input: Input) -> Done {
    match input {
        Input::Tick => {
            step.mem.session.wake_at_ms = None;
            Ok(())
        }
        Input::Command { id, command } => perform(step, id, command),
        Input::Connected => session::connected(step),
        Input::Disconnected => {
            session::disconnected(step);
            Ok(())
        }
        Input::Frames(frames) => frames.into_iter().try_for_each(|frame| heard(step, frame)),
        Input::Response { id, outcome } => match http::response(step, id, outcome)? {
            Some((purpose, answer)) => answered(step, purpose, answer),
            None => Ok(()),
        },
        Input::NetworkChanged => session::network_changed(step),
    }
}

/// Every frame finds its room here.
fn heard(step: &mut Step<'_>, frame: ServerFrame) -> Done {
    if !step.mem.session.is_open() {
        // Late, from a line that was given up.
        return Ok(());
    }
    session::heard(step);
    match frame {
        ServerFrame::Plan(plan) => session::plan(step, &plan),
        ServerFrame::Entry(entry) => catch_up::live(step, &entry),
        ServerFrame::Page(page) => {
            catch_up::page(step, page)?;
            session::answered(step);
            Ok(())
        }
        ServerFrame::Appended { conversation, message_id, seq, time_ms } => {
            log::appended(step, conversation, message_id, seq, time_ms)?;
            session::answered(step);
            Ok(())
        }
        ServerFrame::Refused(refused) => {
            self::refused(step, &refused)?;
            session::answered(step);
            Ok(())
        }
        ServerFrame::Receipts { conversation, watermarks } => {
            watermarks.iter().try_for_each(|watermark| receipt::watermark(step, conversation, watermark))
        }
        ServerFrame::Presence(presence) => {
            presence::heard(step, presence);
            Ok(())
        }
        ServerFrame::Signal { conversation, sender, payload } => {
            signal::received(step, conversation, sender, payload.as_slice())
        }
        ServerFrame::Moved { log, head } => {
            step.mem.logs.behind(log, head);
            Ok(())
        }
        ServerFrame::Pong { nonce } if nonce == step.mem.session.ping => receipt::ponged(step),
        ServerFrame::Pong { .. } => Ok(()),
        ServerFrame::Goodbye { code, detail, retry_after_ms } => session::goodbye(step, code, &detail, retry_after_ms),
    }
}

fn refused(step: &mut Step<'_>, refused: &Refused) -> Done {
    let Refused { conversation, message_id, .. } = *refused;
    if step.mem.in_flight.commits.get(&conversation) == Some(&message_id) {
        step.mem.in_flight.commits.remove(&conversation);
    }
    if !membership::is_own_commit(step, conversation, message_id)? {
        return outbox::refused(step, refused);
    }
    if !rejoin::is_wanted(step.tx, conversation)? {
        group::work::refused(step, refused)?;
        // What waits for the commit would be refused too.
        let blocked = refused.code == Code::Blocked;
        return if blocked { outbox::fail_all(step, conversation, &Failure::from(refused)) } else { Ok(()) };
    }
    match rejoin::refused(step, refused)? {
        Some(failure) => outbox::fail_all(step, refused.conversation, &failure),
        None => Ok(()),
    }
}

/// Every answer finds its room here.
fn answered(step: &mut Step<'_>, purpose: Purpose, answer: Answer) -> Done {
    match purpose {
        Purpose::Register { reply } => account::registered(step, reply, answer),
        Purpose::Login { reply, phone } => account::login_answered(step, reply, &phone, answer),
        Purpose::Revoke { reply } => account::revoked(step, reply, answer),
        Purpose::OpenLink { reply, device_name } => link::wait::opened(step, reply, device_name, answer),
        Purpose::LookForLink => link::wait::looked(step, answer),
        Purpose::RedeemLink => link::wait::redeemed(step, answer),
        Purpose::ApproveLink { reply, history } => link::approve::approved(step, reply, history, answer),
        Purpose::Devices { reply } => device::listed(step, reply, answer),
        Purpose::RenameDevice { reply } => device::renamed(step, reply, answer),
        Purpose::RevokeDevice { reply, device } => device::revoked(step, reply, device, answer),
        Purpose::Refresh => refreshed(step, answer),
        Purpose::Credential => keys::credential_answered(step, answer),
        Purpose::Packages => keys::packages_answered(step, answer),
        Purpose::PackageCount => keys::counted(step, answer),
        Purpose::Blocks => {
            let ready = block::listed(step, answer)?;
            ready.into_iter().try_for_each(|(id, command)| perform(step, id, command))
        }
        Purpose::Lookup { phone } => {
            let ready = contact::looked_up(step, &phone, answer)?;
            ready.into_iter().try_for_each(|(id, command)| perform(step, id, command))
        }
        Purpose::ConfirmPhone { account, phone } => contact::phone_confirmed(step, account, &phone, answer),
        Purpose::Identity { account } => {
            let ready = contact::identity_answered(step, account, answer)?;
            ready.into_iter().try_for_each(|(id, command)| perform(step, id, command))
        }
        Purpose::SetBlock { reply, account, blocked } => {
            let ready = block::was_set(step, reply, account, blocked, answer)?;
            ready.into_iter().try_for_each(|(id, command)| perform(step, id, command))
        }
        Purpose::OwnDevices { conversation, peer } => create::own_devices(step, conversation, peer, answer),
        Purpose::ClaimOwn { conversation, peer } => create::own_claimed(step, conversation, peer, answer),
        Purpose::Claim { conversation, peer, own } => create::claimed(step, conversation, peer, &own, answer),
        Purpose::Create { conversation } => create::posted(step, conversation, answer),
        Purpose::GroupInfo { conversation } => match rejoin::group_info(step, conversation, answer)? {
            Some(failure) => outbox::fail_all(step, conversation, &failure),
            None => Ok(()),
        },
        Purpose::WelcomeInfo { conversation, commit } => group::welcome::answered(step, conversation, commit, answer),
        Purpose::GroupClaim { conversation, account } => group::claim::answered(step, conversation, account, answer),
        Purpose::Leave { conversation } => group::leave::posted(step, conversation, answer),
        Purpose::Leavers { conversation } => group::leave::told(step, conversation, answer),
        Purpose::InvitePreview { reply, conversation, secret } => {
            group::join::previewed(step, reply, conversation, &secret, answer)
        }
        Purpose::AskToJoin { reply } => {
            group::join::asked(step, reply, answer);
            Ok(())
        }
        Purpose::JoinRequests { reply } => group::join::listed(step, reply, answer),
        Purpose::RefuseRequest { reply } => {
            group::join::refusal_answered(step, reply, answer);
            Ok(())
        }
        Purpose::Watermarks { reply, conversation, message } => {
            view::info::answered(step, reply, conversation, message, answer)
        }
        Purpose::Backup(ask) => backup::answered(step, ask, answer),
        Purpose::Own(ask) => own::answered(step, ask, answer),
        Purpose::Import(ask) => import::answered(step, ask, answer),
        Purpose::History(ask) => send::answered(step, ask, answer),
        Purpose::Privacy { reply, wanted } => presence::privacy::answered(step, reply, wanted, answer),
        Purpose::SetPrivacy { reply, wanted, privacy } => {
            presence::privacy::was_set(step, reply, wanted, privacy, answer)
        }
        Purpose::ShareContacts(ask) => address_book::share::answered(step, ask, answer),
        Purpose::Presence { reply } => presence::privacy::presence_answered(step, reply, answer),
        Purpose::FindContacts { reply, phones } => address_book::find::found(step, reply, &phones, answer),
        Purpose::Lookups { phones } => {
            let ready = contact::looked_up_many(step, &phones, answer)?;
            ready.into_iter().try_for_each(|(id, command)| perform(step, id, command))
        }
    }
}

fn refreshed(step: &mut Step<'_>, answer: Answer) -> Done {
    match token::refreshed(step, answer)? {
        Ok(()) => {
            session::token_answered(step, true)?;
            http::unpark(step)
        }
        Err(failure) => {
            session::token_answered(step, false)?;
            let parked = std::mem::take(&mut step.mem.requests.parked);
            parked.into_iter().try_for_each(|call| answered(step, call.purpose, Err(failure.clone())))
        }
    }
}

/// After every input: what its changes ask for, and the next wake-up.
fn finish(step: &mut Step<'_>) -> Done {
    session::tick(step)?;
    link::wait::tick(step)?;
    if step.mem.me.is_some() {
        expiry::due(step)?;
        for job in job::due(step.tx, step.now_ms)? {
            work(step, job)?;
        }
        if step.mem.session.is_up() {
            keys::check(step)?;
        }
        own::delete::tick(step)?;
        catch_up::pump(step)?;
        outbox::pump(step)?;
        receipt::flush(step);
        presence::flush(step);
        session::tell(step)?;
    }
    let wake_at_ms = session::wake_at_ms(step)?.into_iter().chain(link::wait::wake_at_ms(step.mem)).min();
    if let Some(at_ms) = wake_at_ms.filter(|_| wake_at_ms != step.mem.session.wake_at_ms) {
        step.out.push(Output::WakeAt(at_ms));
    }
    step.mem.session.wake_at_ms = wake_at_ms;
    Ok(())
}

/// The next step of a durable job. Those about conversations wait for the connection.
fn work(step: &mut Step<'_>, job: Job) -> Done {
    let up = step.mem.session.is_up();
    let conversation = ConversationId::from_slice(&job.subject);
    match (job.kind, conversation) {
        (Kind::Credential, _) => keys::upload_credential(step),
        (Kind::Packages, _) => keys::upload_packages(step, job),
        (Kind::Blocks, _) => block::ask(step),
        (Kind::Contacts, _) => address_book::share::run(step),
        (Kind::Backup, _) => backup::run::run(step),
        (Kind::Import, _) => import::run(step),
        (Kind::SendHistory, _) => send::run(step, &job.subject),
        (Kind::Create | Kind::Rejoin | Kind::Rotate | Kind::Renew, Some(conversation))
            if !up || conversation::is_blocked(step.tx, conversation)? =>
        {
            Ok(())
        }
        (Kind::Create, Some(conversation)) => create::run(step, conversation),
        (Kind::Rejoin, Some(conversation)) => rejoin::run(step, conversation),
        (Kind::Renew, Some(conversation)) => rollback::run(step, conversation),
        (Kind::Rotate, Some(conversation)) => rotate::run(step, conversation),
        (Kind::Group | Kind::Welcome | Kind::Profile | Kind::Leavers, Some(_)) if !up => Ok(()),
        (Kind::Group, Some(conversation)) => group::work::run(step, conversation),
        (Kind::Welcome, Some(conversation)) => group::welcome::run(step, conversation),
        (Kind::Leavers, Some(conversation)) => group::leave::run(step, conversation),
        (Kind::Profile, Some(conversation)) => group::profile::run(step, conversation),
        _ => Ok(()),
    }
}
