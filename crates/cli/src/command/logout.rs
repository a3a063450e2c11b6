//! `tidings logout`

use super::log_to_stderr;
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::profile::Profile;
use crate::show::out;
use clap::Args;
use std::io::{BufRead, IsTerminal, Write};
use tidings_client::{ClientError, Command};

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings logout
  tidings --as +31612345678 logout --yes

The account stays at the server; the messages of this device are gone for good. With --forget the device is deleted
here even if the server cannot be reached; it stays listed at the server until another device logs it out.")]
pub struct Logout {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Delete what is here even if the server cannot be told
    #[arg(long)]
    forget: bool,
}

impl Logout {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        log_to_stderr();
        let profile = Profile::pick(common, &[])?;
        if !self.yes && !confirmed(&profile)? {
            return Err(Failure::new("nothing was done"));
        }
        let told = match Handle::open(&profile).await {
            Ok(handle) => {
                let told = handle.ask(Command::Logout).await;
                handle.close().await;
                match told {
                    Ok(Ok(_) | Err(ClientError::NotLoggedIn)) => Ok(()),
                    Ok(Err(error)) => Err(Failure::from(error)),
                    Err(failure) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        };
        match told {
            Ok(()) => {}
            Err(failure) if self.forget => eprintln!("note: the server was not told: {}", failure.what()),
            Err(failure) => {
                let what = failure.what().to_owned();
                return Err(Failure::with(what, "To delete what is here all the same: tidings logout --forget"));
            }
        }
        profile.forget()?;
        out::line(&format!("{} is logged out on this machine.", profile.phone))
    }
}

fn confirmed(profile: &Profile) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("logging out deletes the messages of this device", "Say --yes if that is meant."));
    }
    eprint!("Log {} out and delete its messages from this machine? [y/N] ", profile.phone);
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
