//! Every command finds its room here.

use crate::account::{self, Given};
use crate::address_book;
use crate::backup;
use crate::block;
use crate::chat_state;
use crate::command::Command;
use crate::compose::{self, With};
use crate::contact::{self, Resolved};
use crate::content::Poll;
use crate::conversation;
use crate::device;
use crate::error::ClientError;
use crate::group;
use crate::io::CallId;
use crate::link;
use crate::message::expiry;
use crate::message::timer;
use crate::own;
use crate::presence;
use crate::presence::privacy::Wanted;
use crate::profile;
use crate::receipt;
use crate::reply::Reply;
use crate::search;
use crate::signal;
use crate::step::{Done, Step, Stop};
use crate::view;

/// Does it, and answers now or later.
pub(crate) fn perform(step: &mut Step<'_>, id: CallId, command: Command) -> Done {
    match now_or_later(step, id, command) {
        Ok(Some(reply)) => step.reply(id, Ok(reply)),
        Ok(None) => {}
        Err(Stop::Tell(error)) => step.reply(id, Err(error)),
        Err(stop) => return Err(stop),
    }
    Ok(())
}

/// `None`: the reply comes later.
fn now_or_later(step: &mut Step<'_>, id: CallId, command: Command) -> Result<Option<Reply>, Stop> {
    match command {
        Command::Register { phone } => account::register(step, id, &phone).map(|()| None),
        Command::Login { phone, code, device_name, pin, forgot_pin } => {
            account::login(step, id, Given { phone, code, device_name, pin, forgot_pin }).map(|()| None)
        }
        Command::Link { device_name } => link::wait::begin(step, id, device_name).map(|()| None),
        Command::AwaitLink => link::wait::wait_for_end(step, id).map(|()| None),
        Command::ApproveLink { code } => link::approve::approve(step, id, &code).map(|()| None),
        Command::Devices => device::list(step, id).map(|()| None),
        Command::RenameDevice { device, name } => device::rename(step, id, device, name).map(|()| None),
        Command::RevokeDevice { device } => device::revoke(step, id, device).map(|()| None),
        Command::Logout => account::logout(step, id).map(|()| None),
        Command::Status => Ok(Some(Reply::Status(view::status::read(step)?))),
        Command::Conversations => Ok(Some(Reply::Conversations(view::conversation::list(step)?))),
        Command::Message { id } => {
            let message = view::message::one(step, id)?.ok_or(ClientError::NoSuchMessage)?;
            Ok(Some(Reply::Message(message)))
        }
        Command::MessageInfo { message } => view::info::ask(step, id, message),
        Command::OpenChat { of: None } => presence::open(step, None).map(|()| Some(Reply::Done)),
        Command::CloseChat { of: None } => {
            presence::close(step, None);
            Ok(Some(Reply::Done))
        }
        Command::Privacy => presence::privacy::ask(step, id, Wanted::default()).map(|()| None),
        Command::SetPrivacy { last_seen, read_receipts, find_me, add_me, picture, about } => {
            let wanted = Wanted { last_seen, read_receipts, find_me, add_me, picture, about };
            presence::privacy::ask(step, id, wanted).map(|()| None)
        }
        Command::AddContacts { contacts } => address_book::add(step, &contacts).map(Some),
        Command::RemoveContact { phone } => address_book::remove(step, &phone).map(Some),
        Command::Contacts => {
            step.me()?;
            Ok(Some(Reply::Contacts(view::contact::list(step)?)))
        }
        Command::FindContacts => address_book::find::find(step, id),
        Command::ReadVcard { file } => match address_book::vcard::read(file.as_slice()) {
            Ok(file) => Ok(Some(Reply::Vcard(file))),
            Err(error) => Err(ClientError::NotAllowed { why: error.to_string() }.into()),
        },
        Command::MessagesAround { message, limit } => {
            Ok(Some(Reply::Messages(view::message::around(step, message, limit)?)))
        }
        Command::Search { text, of: None, before, limit } => search::search(step, &text, None, before, limit).map(Some),
        Command::Star { message, on } => chat_state::command::star(step, message, on).map(Some),
        Command::Starred { of: None } => view::kept::starred(step, None).map(Some),
        Command::Pin { message, on } => compose::pin(step, message, on).map(Some),
        Command::DeleteForMe { message } => expiry::delete_for_me(step, message).map(Some),
        Command::Vote { poll, choices } => compose::vote(step, poll, choices).map(Some),
        Command::SetProfile { name, about, picture } => profile::set(step, name, about, picture).map(Some),
        Command::Profile => profile::own(step).map(Some),
        other if own::is_one(&other) => own::perform(step, id, other),
        other if backup::is_one(&other) => backup::perform(step, id, other),
        other if group::command::is_one(&other) => group::command::perform(step, id, other),
        other => {
            let Some(peer) = contact::peer(&other) else { return Ok(None) };
            match contact::resolve(step, peer)? {
                Resolved::Person { account, conversation } => {
                    with(step, id, other, With { account: Some(account), conversation })
                }
                Resolved::Group { conversation } | Resolved::SelfChat { conversation } => {
                    with(step, id, other, With { account: None, conversation })
                }
                Resolved::Lookup { phone } => contact::wait_for_lookup(step, id, other, phone).map(|()| None),
            }
        }
    }
}

/// Commands about a conversation, or a person, who is known here.
fn with(step: &mut Step<'_>, id: CallId, command: Command, with: With) -> Result<Option<Reply>, Stop> {
    let With { account, conversation } = with;
    let person = || account.ok_or(ClientError::NotAllowed { why: "this is about one other person".into() });
    let reply = match command {
        Command::Send { text, reply_to, mentions, preview, .. } => {
            compose::send(step, with, text, reply_to, mentions, preview)?
        }
        Command::Forward { message, .. } => compose::forward(step, with, message)?,
        Command::CreatePoll { question, options, multiple, .. } => {
            compose::poll(step, with, Poll { question, options, multiple })?
        }
        Command::SendLocation { latitude, longitude, name, .. } => {
            compose::location(step, with, latitude, longitude, name)?
        }
        Command::SendContact { name, phone, .. } => compose::contact(step, with, &name, &phone)?,
        Command::React { message, emoji, .. } => compose::react(step, with, message, emoji)?,
        Command::Edit { message, text, .. } => compose::edit(step, with, message, text)?,
        Command::Delete { message, .. } => compose::delete(step, with, message)?,
        Command::MarkRead { up_to, .. } => {
            receipt::mark_read(step, conversation, up_to)?;
            Reply::Done
        }
        Command::Typing { on, .. } => {
            signal::type_on(step, conversation, on)?;
            Reply::Done
        }
        Command::Block { .. } => return block::set(step, id, person()?, true).map(|()| None),
        Command::Unblock { .. } => return block::set(step, id, person()?, false).map(|()| None),
        Command::SafetyNumber { .. } => match contact::safety(step, person()?)? {
            Some(reply) => reply,
            None => return contact::wait_for_identity(step, id, command, person()?).map(|()| None),
        },
        Command::MarkVerified { .. } => match contact::safety(step, person()?)? {
            Some(_) => {
                contact::mark_verified(step, person()?, conversation)?;
                Reply::Done
            }
            None => return contact::wait_for_identity(step, id, command, person()?).map(|()| None),
        },
        Command::Resolve { .. } => Reply::Conversation { conversation, account },
        Command::Messages { before, limit, .. } => {
            if conversation::find(step.tx, conversation)?.is_none() {
                return Err(ClientError::NoSuchConversation.into());
            }
            Reply::Messages(view::message::page(step, conversation, before, limit)?)
        }
        Command::OpenChat { .. } => {
            presence::open(step, Some(with))?;
            Reply::Done
        }
        Command::CloseChat { .. } => {
            presence::close(step, Some(conversation));
            Reply::Done
        }
        Command::Report { reason, messages, last, .. } => {
            return own::report::send(step, id, with, reason, &messages, last).map(|()| None);
        }
        Command::Presence { .. } => {
            return presence::privacy::ask_presence(step, id, person()?).map(|()| None);
        }
        Command::MessagesAfter { after, limit, .. } => {
            Reply::Messages(view::message::after(step, conversation, after, limit)?)
        }
        Command::Search { text, before, limit, .. } => search::search(step, &text, Some(conversation), before, limit)?,
        Command::Starred { .. } => view::kept::starred(step, Some(conversation))?,
        Command::Pinned { .. } => view::kept::pinned(step, conversation)?,
        Command::Mute { until_ms, .. } => chat_state::command::mute(step, with, until_ms)?,
        Command::Archive { on, .. } => chat_state::command::archive(step, with, on)?,
        Command::PinConversation { on, .. } => chat_state::command::pin(step, with, on)?,
        Command::MarkUnread { .. } => chat_state::command::mark_unread(step, with)?,
        Command::SetDraft { text, .. } => chat_state::command::draft(step, with, text)?,
        Command::SetGroupProfile { name, description, picture, .. } => {
            group::profile::set(step, with, name, description, picture)?
        }
        Command::Picture { .. } => profile::picture_of(step, with)?,
        Command::SetTimer { seconds, .. } => timer::set(step, with, seconds)?,
        Command::Register { .. }
        | Command::Login { .. }
        | Command::Link { .. }
        | Command::AwaitLink
        | Command::ApproveLink { .. }
        | Command::Devices
        | Command::RenameDevice { .. }
        | Command::RevokeDevice { .. }
        | Command::LoginToRestore { .. }
        | Command::StartAnew
        | Command::Restore { .. }
        | Command::RestoreFromFile { .. }
        | Command::RestorePart { .. }
        | Command::SetBackupSecret { .. }
        | Command::ProveBackupSecret { .. }
        | Command::EndBackup
        | Command::BackUp
        | Command::BackupStatus
        | Command::BackUpToFile { .. }
        | Command::Logout
        | Command::DeleteAccount { .. }
        | Command::SetLock { .. }
        | Command::RemoveLock
        | Command::LockStatus
        | Command::EndLockReset
        | Command::Status
        | Command::Conversations
        | Command::Message { .. }
        | Command::MessageInfo { .. }
        | Command::AddContacts { .. }
        | Command::RemoveContact { .. }
        | Command::Contacts
        | Command::FindContacts
        | Command::ReadVcard { .. }
        | Command::Privacy
        | Command::SetPrivacy { .. }
        | Command::MessagesAround { .. }
        | Command::Star { .. }
        | Command::Pin { .. }
        | Command::DeleteForMe { .. }
        | Command::Vote { .. }
        | Command::SetProfile { .. }
        | Command::Profile
        | Command::CreateGroup { .. }
        | Command::AddMembers { .. }
        | Command::RemoveMembers { .. }
        | Command::SetAdmin { .. }
        | Command::SetRules { .. }
        | Command::Ban { .. }
        | Command::Leave { .. }
        | Command::CreateInvite { .. }
        | Command::RevokeInvite { .. }
        | Command::JoinByInvite { .. }
        | Command::JoinRequests { .. }
        | Command::AnswerJoinRequest { .. }
        | Command::GroupInfo { .. } => return Ok(None),
    };
    Ok(Some(reply))
}
