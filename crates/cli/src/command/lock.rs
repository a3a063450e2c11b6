//! `tidings lock`: a PIN that a login on the number needs too.

use super::{unexpected, with};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::{out, time};
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::json;
use std::io::{BufRead, IsTerminal, Read, Write};
use tidings_client::{Command, Reply, view};
use tidings_proto::limit::{PIN_DIGITS_MAX, PIN_DIGITS_MIN};

/// Nobody types a longer PIN.
const LINE_MAX_BYTES: u64 = 256;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings lock set
  tidings lock status
  tidings lock keep
  tidings lock remove

Whoever gets hold of your number (a stolen SIM, a leaked text message) cannot register it without the PIN. If you forget
it: a device that is registered sets another one. Without any, `tidings register +31… --forgot-pin` opens the lock after
some days; until then each of your devices says so, and `tidings lock keep` ends it.")]
pub struct Lock {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Set the PIN, or another one
    Set(Set),
    /// Take the PIN off
    #[command(after_help = "Example:\n  tidings lock remove")]
    Remove,
    /// Show whether the number is locked, and whether somebody says that they forgot the PIN
    #[command(after_help = "Example:\n  tidings lock status")]
    Status(Status),
    /// Somebody else said that they forgot the PIN: they do not get in
    #[command(after_help = "Example:\n  tidings lock keep")]
    Keep,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings lock set
  tidings lock set --pin 271828

Without --pin it is asked for; in scripts it is read from standard input.")]
struct Set {
    /// At least four digits
    #[arg(long, value_parser = pin, env = "TIDINGS_PIN", hide_env_values = true)]
    pin: Option<String>,
}

#[derive(Args)]
struct Status {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn pin(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let fits = (PIN_DIGITS_MIN..=PIN_DIGITS_MAX).contains(&digits.len());
    match fits && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(digits),
        false => Err(format!("a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits")),
    }
}

/// Reads on a thread of its own: the connection goes on meanwhile.
pub async fn ask() -> Result<String, Failure> {
    tokio::task::spawn_blocking(|| {
        if std::io::stdin().is_terminal() {
            eprint!("PIN: ");
            std::io::stderr().flush()?;
        }
        let mut line = String::new();
        if std::io::stdin().lock().take(LINE_MAX_BYTES).read_line(&mut line)? == 0 {
            return Err(Failure::with("no PIN was given", "Type it, pipe it in, or give it with --pin."));
        }
        pin(&line).map_err(Failure::new)
    })
    .await
    .map_err(|_| Failure::new("the terminal could not be read"))?
}

impl Lock {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        match self.what {
            What::Set(Set { pin }) => {
                let pin = match pin {
                    Some(pin) => pin,
                    None => ask().await?,
                };
                done(common, Command::SetLock { pin }, "The number is locked with this PIN.").await
            }
            What::Remove => done(common, Command::RemoveLock, "The number is not locked.").await,
            What::Keep => done(common, Command::EndLockReset, "The lock holds; nobody gets in without the PIN.").await,
            What::Status(Status { json }) => with(common, &[], async |handle| show(handle, json).await).await,
        }
    }
}

async fn done(common: &Common, command: Command, what: &str) -> Result<(), Failure> {
    with(common, &[], async |handle| handle.call(command).await.map(drop)).await?;
    out::line(what)
}

async fn show(handle: &Handle, as_json: bool) -> Result<(), Failure> {
    let view::Lock { on, set_ms, reset_ms } = match handle.call(Command::LockStatus).await? {
        Reply::Lock(lock) => lock,
        other => return Err(unexpected(&other)),
    };
    if as_json {
        return out::json(&json!({ "on": on, "set_ms": set_ms, "opens_ms": reset_ms }));
    }
    let when = |ms| time::date_and_clock(ms, &TimeZone::system());
    match (on, set_ms) {
        (true, Some(set_ms)) => out::line(&format!("The number is locked since {}.", when(set_ms)))?,
        (true, None) => out::line("The number is locked.")?,
        (false, _) => out::line("The number is not locked.")?,
    }
    match reset_ms {
        Some(at_ms) => out::line(&format!(
            "Somebody says that they forgot the PIN: they get in on {}. If it was not you: tidings lock keep",
            when(at_ms)
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_taken_as_people_type_them() {
        assert_eq!(pin(" 27 18\n"), Ok("2718".into()));
        for wrong in ["", "123", "12a4", "１２３４", &"1".repeat(21)] {
            assert!(pin(wrong).is_err(), "{wrong}");
        }
    }
}
