//! `tidings restore`: an account comes back from its backup at the server, or from a file.

use super::backup::ask_for_secret;
use super::backup::file::Source;
use super::register::{Ending, Register};
use super::with;
use crate::Common;
use crate::failure::Failure;
use crate::person::Phone;
use crate::profile::Profile;
use crate::show::out;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings restore +31612345678
  tidings restore +31612345678 --from anna.tidings-backup

A code is sent to the number as for `tidings register`; then the recovery code or passphrase is asked for. In scripts
both are read from standard input, a line each. On a machine where the account is registered already, --from adds what
the file has to what is here.")]
pub struct Restore {
    /// Your own number with its country code
    phone: Phone,
    /// From this file instead of from the server
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The code that was sent to the number, if you have it already
    #[arg(long, value_parser = super::register::code)]
    code: Option<String>,
    /// The number's PIN, if it is locked (`tidings lock`)
    #[arg(long, value_parser = super::lock::pin, env = "TIDINGS_PIN", hide_env_values = true)]
    pin: Option<String>,
    /// What your other devices call this one [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
}

impl Restore {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let is_here = Profile::of(common, self.phone.clone())?.is_registered();
        match self.from {
            Some(path) if is_here => add(common, &self.phone, &path).await,
            None if is_here => Err(Failure::with(
                format!("{} is registered on this machine already", self.phone),
                "Add what a backup file has with --from FILE; or log out first.",
            )),
            from => {
                let ending = from.map_or(Ending::Restore, Ending::File);
                Register::to_restore(self.phone, self.device_name, self.code, self.pin, ending).run(common).await
            }
        }
    }
}

async fn add(common: &Common, phone: &Phone, path: &Path) -> Result<(), Failure> {
    let mut source = Source::open(path)?;
    let secret = ask_for_secret("recovery code or passphrase").await?;
    let common = Common { account: Some(phone.clone()), ..common.clone() };
    with(&common, &[], async |handle| {
        let damaged = source.merge(handle, secret).await?;
        out::line(&came_back(path, damaged))
    })
    .await
}

/// What a file brought.
pub fn came_back(path: &Path, damaged: u64) -> String {
    match damaged {
        0 => format!("Everything in {} is here.", path.display()),
        _ => format!("{} parts of {} are damaged and were left out; the rest is here.", damaged, path.display()),
    }
}
