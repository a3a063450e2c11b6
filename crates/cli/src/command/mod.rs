//! The subcommands, one file each, and what several of them need.

pub mod account;
pub mod agent;
pub mod archive;
pub mod backup;
pub mod block;
pub mod chat;
pub mod contacts;
pub mod delete;
pub mod devices;
pub mod draft;
pub mod edit;
pub mod export;
pub mod forward;
pub mod group;
pub mod history;
pub mod info;
pub mod link;
pub mod list;
pub mod listen;
pub mod lock;
pub mod logout;
pub mod mention;
pub mod mute;
pub mod picture;
pub mod pin;
pub mod pins;
pub mod place;
pub mod poll;
pub mod privacy;
pub mod profile;
pub mod react;
pub mod register;
pub mod report;
pub mod restore;
pub mod search;
pub mod send;
pub mod serve;
pub mod star;
pub mod starred;
pub mod status;
pub mod timer;
pub mod unread;
pub mod verify;

pub(crate) mod which;

use crate::Common;
use crate::driver::{Handle, News};
use crate::failure::Failure;
use crate::person::Phone;
use crate::profile::Profile;
use crate::target::Target;
use std::io::{IsTerminal, Read};
use std::time::Duration;
use tidings_client::event::Connection;
use tidings_client::view::Status;
use tidings_client::{ClientError, Command, Event, Reply};
use tidings_proto::limit::PAYLOAD_MAX_BYTES;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a command that only looks waits for the server before it shows what this device has.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(5);
/// Not everything that empties the outbox is an event.
const OUTBOX_POLL: Duration = Duration::from_millis(50);

/// Opens the account that the command line means, and makes sure that it is logged in.
async fn open(common: &Common, about: &[&Phone]) -> Result<(Profile, Handle), Failure> {
    log_to_stderr();
    let profile = Profile::pick(common, about)?;
    let handle = Handle::open(&profile).await?;
    match status(&handle).await?.account {
        Some(account) => {
            crate::show::me::is(account);
            Ok((profile, handle))
        }
        None => {
            let way_out = format!("Log in with: tidings register {}", profile.phone);
            handle.close().await;
            Err(Failure::with(format!("the account {} is not logged in on this machine", profile.phone), way_out))
        }
    }
}

/// Opens the account, does the work, and leaves the account however that ends.
pub(crate) async fn with<T>(
    common: &Common,
    about: &[&Target],
    work: impl AsyncFnOnce(&Handle) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let phones: Vec<&Phone> = about.iter().filter_map(|target| target.phone()).collect();
    let (_, handle) = open(common, &phones).await?;
    let result = work(&handle).await;
    handle.close().await;
    result
}

/// `TIDINGS_LOG=debug` shows what the client does. A server has its own settings.
fn log_to_stderr() {
    if let Ok(filter) = std::env::var("TIDINGS_LOG") {
        let filter = tracing_subscriber::EnvFilter::new(filter);
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    }
}

pub(crate) async fn status(handle: &Handle) -> Result<Status, Failure> {
    match handle.call(Command::Status).await? {
        Reply::Status(status) => Ok(status),
        other => Err(unexpected(&other)),
    }
}

/// A reply of another kind than the core promises.
pub(crate) fn unexpected(reply: &Reply) -> Failure {
    let kind = format!("{reply:?}");
    let kind = kind.split([' ', '(']).next().unwrap_or_default();
    Failure::new(format!("the client core gave an answer of an unexpected kind ({kind}); this is a fault of ours"))
}

/// Waits until this device has all that the server has for it. Says how it stands when the wait is over.
pub(crate) async fn catch_up(handle: &Handle) -> Result<Connection, Failure> {
    let mut news = handle.listen();
    let give_up = Instant::now() + CATCH_UP_TIMEOUT;
    let mut connection = status(handle).await?.connection;
    loop {
        if connection == Connection::Live {
            return Ok(connection);
        }
        match timeout_at(give_up, news.next()).await {
            Ok(Some(News::Event(Event::Connection { state }))) => {
                // The attempt failed; the core goes on trying, a person does not want to wait for it.
                if state == Connection::Offline {
                    return Ok(state);
                }
                connection = state;
            }
            Ok(Some(News::Missed)) => connection = status(handle).await?.connection,
            Ok(Some(News::Event(Event::LoggedOut { reason }))) => return Err(logged_out(&reason)),
            Ok(Some(News::Event(_))) => {}
            Ok(None) | Err(_) => return Ok(connection),
        }
    }
}

/// Nobody waits longer for the chats to be entered; the rest comes by itself.
const ENTER_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked at, and a little later than the last word there may be more to enter.
const ENTER_POLL: Duration = Duration::from_millis(200);
const ENTER_QUIET: Duration = Duration::from_secs(1);

/// After a restore: waits until this device is in its chats again, and says how it gets on.
pub(crate) async fn enter_chats(handle: &Handle) -> Result<(), Failure> {
    let give_up = Instant::now() + ENTER_TIMEOUT;
    let (mut quiet_since, mut told) = (None, 0);
    loop {
        let Status { connection, joining, .. } = status(handle).await?;
        let now = Instant::now();
        if joining > 0 && joining != told {
            eprintln!("Entering {joining} {}…", if joining == 1 { "chat" } else { "chats" });
            told = joining;
        }
        if connection == Connection::Live && joining == 0 {
            if now.duration_since(*quiet_since.get_or_insert(now)) >= ENTER_QUIET {
                return Ok(());
            }
        } else {
            quiet_since = None;
        }
        if now >= give_up {
            eprintln!("note: {joining} chats are not entered yet; that goes on with the next command");
            return Ok(());
        }
        tokio::time::sleep(ENTER_POLL).await;
    }
}

/// The same, for commands that only look: says on standard error if what they show may be old.
async fn catch_up_to_look(handle: &Handle) -> Result<(), Failure> {
    if catch_up(handle).await? != Connection::Live {
        eprintln!("note: the server cannot be reached now; this is what this device has");
    }
    Ok(())
}

pub(crate) fn logged_out(reason: &str) -> Failure {
    Failure::with(
        format!("this device was logged out: {reason}"),
        "Log in again with: tidings register +31… (your own number)",
    )
}

/// Waits until nothing waits to be sent.
async fn sent(handle: &Handle, within: Duration) -> Result<(), Failure> {
    let give_up = Instant::now() + within;
    let mut news = handle.listen();
    loop {
        let status = status(handle).await?;
        if status.outbox + status.changes == 0 {
            return Ok(());
        }
        if Instant::now() > give_up {
            return Err(not_sent_yet(within));
        }
        let _ = timeout(OUTBOX_POLL, news.next()).await;
    }
}

/// Asks for something that is only done once the server has taken it, and waits no longer than that.
pub(crate) async fn settled(handle: &Handle, command: Command, within: Duration) -> Result<Reply, Failure> {
    match timeout(within, handle.call(command)).await {
        Ok(result) => result,
        Err(_) => Err(not_sent_yet(within)),
    }
}

/// Somebody wants this program to end: Ctrl-C, or a service manager.
pub(crate) async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

fn not_sent_yet(within: Duration) -> Failure {
    Failure::with(
        format!("the server did not take it within {} s; it is stored on this device", within.as_secs()),
        "It goes out as soon as the server is there and a tidings command (as `tidings listen`) runs with this account.",
    )
}

/// A text from the command line; `-` means standard input.
fn text_or_stdin(text: Option<String>) -> Result<String, Failure> {
    let text = match text.as_deref() {
        Some("-") => read_stdin()?,
        None if !std::io::stdin().is_terminal() => read_stdin()?,
        None => {
            return Err(Failure::usage(
                "there is no text",
                "Write it after the number, in quotes; - reads it from standard input.",
            ));
        }
        Some(text) => text.to_owned(),
    };
    if text.trim().is_empty() {
        return Err(Failure::usage("the text is empty", "Write something."));
    }
    Ok(text)
}

fn read_stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(PAYLOAD_MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > PAYLOAD_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: bytes.len(), max: PAYLOAD_MAX_BYTES }.into());
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::new("standard input is not text (UTF-8)"))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
