//! `tidings link`: this machine becomes another device of an account. `tidings link approve`: lets one in.

use super::register::{machine_name, shorten_bytes};
use super::{log_to_stderr, open, status, unexpected};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::profile::Profile;
use crate::show::{out, qr, text};
use clap::{Args, Subcommand};
use std::io::IsTerminal;
use tidings_client::{Command, Reply};
use tidings_proto::limit::DEVICE_NAME_MAX_BYTES;

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  tidings link                                          on the new machine: shows a code
  tidings link --server https://chat.example.org
  tidings link approve 'tidings:link#…'                 on a device that the account has

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

The new device can read everything that is said from then on, and act for you. `tidings devices` shows all of them.")]
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
        eprintln!("What is said from now on arrives here: tidings list");
        Ok(())
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
        let approved = handle.call(Command::ApproveLink { code: self.code }).await;
        handle.close().await;
        match approved? {
            Reply::Done => out::line("The new device is let in. To see your devices: tidings devices"),
            other => Err(unexpected(&other)),
        }
    }
}
