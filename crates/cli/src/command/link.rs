//! `tidings link`: this machine becomes another device of an account. `tidings link approve`: lets one in.

use super::register::{machine_name, shorten_bytes};
use super::{log_to_stderr, logged_out, open, status, unexpected};
use crate::Common;
use crate::driver::{Handle, Listener, News};
use crate::failure::Failure;
use crate::profile::Profile;
use crate::show::{out, qr, text};
use clap::{Args, Subcommand};
use std::io::IsTerminal;
use std::time::Duration;
use tidings_client::event::Transfer;
use tidings_client::{Command, Event, Reply};
use tidings_proto::limit::DEVICE_NAME_MAX_BYTES;

/// How long nothing may come before the other device counts as away.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  tidings link                                          on the new machine: shows a code
  tidings link --server https://chat.example.org
  tidings link approve 'tidings:link#…'                 on a device that the account has

Your history comes after it, the newest first, encrypted from device to device; the messages of now are there at once.
Show the code to your own device and to nobody else. The server passes on what it cannot read: it learns neither the
account's keys nor can it link a device of its own."
)]
pub struct Link {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    show: Show,
}

#[derive(Subcommand)]
enum What {
    /// Let a new device into the account
    Approve(Approve),
}

#[derive(Args)]
struct Show {
    /// What your other devices call this one [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
    /// Only the code, without the QR code
    #[arg(long)]
    no_qr: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings link approve 'tidings:link#…'
  tidings --as +31612345678 link approve 'tidings:link#…'

The new device gets your history, can read everything that is said from then on, and can act for you. Keep this running
until the history is sent, or go on later: it continues where it was. `tidings devices` shows all of them.")]
struct Approve {
    /// What the new device shows
    code: String,
}

impl Link {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        match self.what {
            Some(What::Approve(approve)) => approve.run(common).await,
            None => self.show.run(common).await,
        }
    }
}

impl Show {
    async fn run(self, common: &Common) -> Result<(), Failure> {
        log_to_stderr();
        let profile = Profile::to_be_linked(common)?;
        profile.make_folder()?;
        let linked = self.with_folder(&profile).await;
        if linked.is_err() || profile.folder.exists() {
            // What was not linked leaves nothing behind.
            profile.forget()?;
        }
        linked
    }

    async fn with_folder(&self, profile: &Profile) -> Result<(), Failure> {
        let handle = Handle::open(profile).await?;
        let linked = self.linked(&handle, profile).await;
        handle.close().await;
        let linked = linked?;
        profile.become_registered(&linked)?;
        out::line(&format!("This machine is a device of {} now.", linked.phone))?;
        history_arrives(&linked).await
    }

    /// The account's own place on this machine, once the device is linked.
    async fn linked(&self, handle: &Handle, profile: &Profile) -> Result<Profile, Failure> {
        let device_name = self.device_name.clone().unwrap_or_else(machine_name);
        let device_name = shorten_bytes(&text::line(&device_name), DEVICE_NAME_MAX_BYTES);
        let (code, expires_in_s) = match handle.call(Command::Link { device_name }).await? {
            Reply::LinkCode { code, expires_in_s } => (code, expires_in_s),
            other => return Err(unexpected(&other)),
        };
        out::line(&code)?;
        if !self.no_qr && std::io::stdout().is_terminal() {
            out::line(&qr::render(&code)?)?;
        }
        eprintln!(
            "Within {} minutes, on a device that the account has: tidings link approve '{code}'",
            expires_in_s / 60
        );
        match handle.call(Command::AwaitLink).await? {
            Reply::LoggedIn { .. } => {}
            other => return Err(unexpected(&other)),
        }
        let phone = status(handle).await?.phone.and_then(|phone| phone.parse().ok());
        let phone = phone.ok_or_else(|| Failure::new("the old device did not say which number it is of"))?;
        let place = profile.of_number(phone);
        if place.is_registered() {
            handle.call(Command::Logout).await?;
            return Err(Failure::new(format!("this machine is a device of {} already", place.phone)));
        }
        Ok(place)
    }
}

impl Approve {
    async fn run(self, common: &Common) -> Result<(), Failure> {
        let (_, handle) = open(common, &[]).await?;
        let mut news = handle.listen();
        let approved = match handle.call(Command::ApproveLink { code: self.code }).await {
            Ok(Reply::Done) => self::approved(&mut news).await,
            Ok(other) => Err(unexpected(&other)),
            Err(failure) => Err(failure),
        };
        handle.close().await;
        approved
    }
}

async fn approved(news: &mut Listener) -> Result<(), Failure> {
    out::line("The new device is let in. To see your devices: tidings devices")?;
    eprintln!("It gets your history now; Ctrl-C leaves the rest to the next time that both devices are in use.");
    match progress(news, Transfer::History).await? {
        Some(messages) => out::line(&format!("Sent to the new device: {messages} messages.")),
        None => {
            eprintln!("The new device is away; the rest follows when both are in use.");
            Ok(())
        }
    }
}

/// The new device can be used from here on, also beside this.
async fn history_arrives(profile: &Profile) -> Result<(), Failure> {
    let handle = Handle::open(profile).await?;
    let mut news = handle.listen();
    if !status(&handle).await?.importing {
        handle.close().await;
        return out::line("Your history is here. See it with: tidings list");
    }
    let arrived = match progress(&mut news, Transfer::Restore).await {
        Ok(Some(messages)) => {
            out::line(&format!("Your history is here: {messages} messages. See it with: tidings list"))
        }
        Ok(None) => {
            eprintln!("The other device is away; the rest of the history follows when both are in use.");
            Ok(())
        }
        Err(failure) => Err(failure),
    };
    handle.close().await;
    arrived
}

/// Shows how the history gets on. How many messages it was; `None` if nothing came for a while.
async fn progress(news: &mut Listener, which: Transfer) -> Result<Option<u64>, Failure> {
    loop {
        let Ok(next) = tokio::time::timeout(PATIENCE, news.next()).await else { return Ok(None) };
        match next {
            Some(News::Event(Event::Transfer { what, done, total })) if what == which => {
                eprintln!("{done} of {total} messages");
            }
            Some(News::Event(Event::HistorySent { messages })) if which == Transfer::History => {
                return Ok(Some(messages));
            }
            Some(News::Event(Event::Restored { messages, damaged })) if which == Transfer::Restore => {
                if damaged > 0 {
                    eprintln!("{damaged} parts were damaged or did not come, and are left out.");
                }
                return Ok(Some(messages));
            }
            Some(News::Event(Event::LoggedOut { reason })) => return Err(logged_out(&reason)),
            Some(_) => {}
            None => return Ok(None),
        }
    }
}
