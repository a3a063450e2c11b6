//! `tidings register`: an account for a number, or this device for an account that there is.

use super::{log_to_stderr, status, unexpected};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::person::Phone;
use crate::profile::{Profile, SERVER_DEFAULT};
use crate::show::{out, text};
use clap::Args;
use std::io::{BufRead, IsTerminal, Read, Write};
use tidings_client::content::NAME_MAX_BYTES;
use tidings_client::{ClientError, Command, Reply};
use tidings_proto::limit::{CODE_DIGITS, DEVICE_NAME_MAX_BYTES};
use tidings_proto::problem::Code;

/// A person may mistype.
const ATTEMPTS_MAX: usize = 3;
/// Nobody types a longer code.
const LINE_MAX_BYTES: u64 = 256;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings register +31612345678
  tidings register +31612345678 --server https://chat.example.org --name Anna

In scripts, the code is read from standard input, or asked for and given in two steps:
  tidings register +31612345678 --request
  tidings register +31612345678 --code 123456

A server that was just started prints codes on its console. Set TIDINGS_PASSPHRASE to protect the account's key on
this machine; every later command needs it then.")]
pub struct Register {
    /// Your own number with its country code, as in +31612345678
    phone: Phone,
    /// What the people you write to see instead of the number
    #[arg(long, value_parser = name)]
    name: Option<String>,
    /// What your other devices call this one [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
    /// The code, if you have it already
    #[arg(long, value_parser = code, conflicts_with = "request")]
    code: Option<String>,
    /// Only ask for a code to be sent
    #[arg(long)]
    request: bool,
}

pub(super) fn name(text: &str) -> Result<String, String> {
    let text = text::line(text.trim());
    match text.len() {
        0 => Err("the name is empty".into()),
        1..=NAME_MAX_BYTES => Ok(text),
        _ => Err(format!("the name is longer than {NAME_MAX_BYTES} bytes")),
    }
}

fn code(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    match digits.len() == CODE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(digits),
        false => Err(format!("a code has {CODE_DIGITS} digits")),
    }
}

impl Register {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        log_to_stderr();
        let mut profile = Profile::of(common, self.phone.clone())?;
        if self.name.is_some() {
            profile.name.clone_from(&self.name);
        }
        let made = profile.make_folder()?;
        let result = self.with_folder(&profile).await;
        // What only served to ask for a code, or failed, leaves nothing behind.
        if made && !profile.is_registered() {
            profile.forget()?;
        }
        result
    }

    async fn with_folder(&self, profile: &Profile) -> Result<(), Failure> {
        let handle = Handle::open(profile).await?;
        let result = self.register(&handle, profile).await;
        handle.close().await;
        result.map_err(|failure| match failure {
            Failure::Failed { what, way_out } if profile.server.as_str().trim_end_matches('/') == SERVER_DEFAULT => {
                Failure::Failed { what: what.replace("the server", &format!("the server {SERVER_DEFAULT}")), way_out }
            }
            other => other,
        })
    }

    async fn register(&self, handle: &Handle, profile: &Profile) -> Result<(), Failure> {
        if status(handle).await?.account.is_some() {
            return Err(ClientError::AlreadyLoggedIn.into());
        }
        if let Some(code) = &self.code {
            return self.login(handle, profile, code.clone()).await?.map_err(Failure::from);
        }
        match handle.call(Command::Register { phone: self.phone.to_string() }).await? {
            Reply::CodeSent { expires_in_s, .. } => eprintln!(
                "A code was sent to {}; it is valid for {} minutes. (A server on trial prints it on its console.)",
                self.phone,
                expires_in_s / 60
            ),
            other => return Err(unexpected(&other)),
        }
        if self.request {
            eprintln!("Go on with: tidings register {} --code 123456", self.phone);
            return Ok(());
        }
        let on_terminal = std::io::stdin().is_terminal();
        let mut attempt = 1;
        loop {
            let code = ask_for_code(on_terminal).await?;
            match self.login(handle, profile, code).await? {
                Ok(()) => return Ok(()),
                Err(ClientError::Refused { code: Code::InvalidCode, detail, .. })
                    if on_terminal && attempt < ATTEMPTS_MAX =>
                {
                    attempt += 1;
                    eprintln!("{}", text::line(&detail));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn login(
        &self,
        handle: &Handle,
        profile: &Profile,
        code: String,
    ) -> Result<Result<(), ClientError>, Failure> {
        let device_name = self.device_name.clone().unwrap_or_else(machine_name);
        let device_name = shorten_bytes(&text::line(&device_name), DEVICE_NAME_MAX_BYTES);
        match handle.ask(Command::Login { phone: self.phone.to_string(), code, device_name }).await? {
            Ok(Reply::LoggedIn { account, .. }) => {
                profile.set_registered()?;
                out::line(&format!("{} is registered on this machine. Account {account}", self.phone))?;
                eprintln!("Write to somebody with: tidings chat +31…");
                Ok(Ok(()))
            }
            Ok(other) => Err(unexpected(&other)),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// Reads on a thread of its own: the connection goes on while a person looks for the code.
async fn ask_for_code(on_terminal: bool) -> Result<String, Failure> {
    tokio::task::spawn_blocking(move || {
        loop {
            if on_terminal {
                eprint!("Code: ");
                std::io::stderr().flush()?;
            }
            let mut line = String::new();
            if std::io::stdin().lock().take(LINE_MAX_BYTES).read_line(&mut line)? == 0 {
                return Err(Failure::with("no code was given", "Type it, pipe it in, or give it with --code."));
            }
            match code(&line) {
                Ok(code) => return Ok(code),
                Err(why) if on_terminal => eprintln!("{why}"),
                Err(why) => return Err(Failure::new(why)),
            }
        }
    })
    .await
    .map_err(|_| Failure::new("the terminal could not be read"))?
}

pub(super) fn machine_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    if name.is_empty() { "terminal".to_owned() } else { name }
}

pub(super) fn shorten_bytes(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_taken_as_people_type_them() {
        assert_eq!(code(" 123 456\n"), Ok("123456".into()));
        assert_eq!(code("123-456"), Ok("123456".into()));
        for wrong in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert!(code(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(shorten_bytes("héllo", 2), "h");
        assert_eq!(shorten_bytes("héllo", 99), "héllo");
    }
}
