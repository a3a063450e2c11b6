//! `tidings account`: the account itself.

use super::log_to_stderr;
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::person::Phone;
use crate::profile::Profile;
use crate::show::out;
use clap::{Args, Subcommand};
use std::io::{BufRead, IsTerminal, Write};
use tidings_client::Command;

#[derive(Args)]
pub struct Account {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Delete the account: at the server, on all of its devices, and its backup
    Delete(Delete),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings account delete
  tidings --as +31612345678 account delete --yes

You leave all groups, and the people you wrote to see that you deleted your account. The server forgets everything it
has of you, your backup too; what others were sent stays with them. The number can register again at once, as somebody
new. What else to know is in docs/security.md; to keep your messages: tidings export.")]
struct Delete {
    /// Do not ask to type the number
    #[arg(long)]
    yes: bool,
    /// The number's PIN, if it is locked
    #[arg(long, value_parser = super::lock::pin, env = "TIDINGS_PIN", hide_env_values = true)]
    pin: Option<String>,
}

impl Account {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        match self.what {
            What::Delete(it) => it.run(common).await,
        }
    }
}

impl Delete {
    async fn run(self, common: &Common) -> Result<(), Failure> {
        log_to_stderr();
        let profile = Profile::pick(common, &[])?;
        if !self.yes && !confirmed(&profile.phone)? {
            return Err(Failure::new("nothing was done: that is another number"));
        }
        let handle = Handle::open(&profile).await?;
        let phone = profile.phone.to_string();
        let deleted = handle.call(Command::DeleteAccount { phone, pin: self.pin }).await;
        handle.close().await;
        deleted?;
        profile.forget()?;
        out::line(&format!("The account of {} is deleted.", profile.phone))
    }
}

fn confirmed(phone: &Phone) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("this deletes the account for good", "Say --yes if that is meant."));
    }
    eprint!("This deletes the account of {phone} for good, with its backup. Type the number to go on: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().parse::<Phone>().is_ok_and(|typed| typed == *phone))
}
