//! `tidings register`: an account for a number, or this device for an account that there is.

use super::backup::ask_for_secret;
use super::backup::file::Source;
use super::restore::came_back;
use super::{enter_chats, log_to_stderr, logged_out, status, unexpected};
use crate::Common;
use crate::driver::{Handle, News};
use crate::failure::Failure;
use crate::person::Phone;
use crate::profile::{Profile, SERVER_DEFAULT};
use crate::show::{out, text, time};
use clap::Args;
use jiff::tz::TimeZone;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use tidings_client::content::NAME_MAX_BYTES;
use tidings_client::event::Transfer;
use tidings_client::view::FoundBackup;
use tidings_client::{ClientError, Command, Event, Reply};
use tidings_proto::backup::SecretKind;
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

If the account has a backup, its recovery code or passphrase brings the old identity, chats and messages back.

In scripts, the code is read from standard input, or asked for and given in two steps:
  tidings register +31612345678 --request
  tidings register +31612345678 --code 123456

A number that is locked (`tidings lock`) needs its PIN too: --pin 1234, or it is asked for. Who forgot it waits some days.

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
    /// The number's PIN, if it is locked (`tidings lock`)
    #[arg(long, value_parser = super::lock::pin, env = "TIDINGS_PIN", hide_env_values = true)]
    pin: Option<String>,
    /// The PIN was forgotten: the lock opens after some days, unless a device of the account ends that
    #[arg(long, conflicts_with = "pin")]
    forgot_pin: bool,
    /// Do not restore the account's backup: a new identity, and nothing of what was
    #[arg(long)]
    anew: bool,
    #[arg(skip)]
    ending: Ending,
}

/// What follows once the number is proved.
#[derive(Clone, Debug, Default)]
pub enum Ending {
    /// The backup if there is one and it is wanted, else a new identity.
    #[default]
    Any,
    /// The backup at the server.
    Restore,
    File(PathBuf),
}

pub(super) fn name(text: &str) -> Result<String, String> {
    let text = text::line(text.trim());
    match text.len() {
        0 => Err("the name is empty".into()),
        1..=NAME_MAX_BYTES => Ok(text),
        _ => Err(format!("the name is longer than {NAME_MAX_BYTES} bytes")),
    }
}

pub fn code(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    match digits.len() == CODE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(digits),
        false => Err(format!("a code has {CODE_DIGITS} digits")),
    }
}

impl Register {
    pub fn to_restore(
        phone: Phone,
        device_name: Option<String>,
        code: Option<String>,
        pin: Option<String>,
        ending: Ending,
    ) -> Self {
        Self { phone, name: None, device_name, code, request: false, pin, forgot_pin: false, anew: false, ending }
    }

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
        let on_terminal = std::io::stdin().is_terminal();
        let (mut pin, mut attempt) = (self.pin.clone(), 0);
        loop {
            let login = Command::LoginToRestore {
                phone: self.phone.to_string(),
                code: code.clone(),
                device_name: device_name.clone(),
                pin: pin.clone(),
                forgot_pin: self.forgot_pin,
            };
            match handle.ask(login).await? {
                Ok(Reply::SignedIn { backup }) => return self.go_on(handle, profile, backup).await.map(Ok),
                Ok(other) => return Err(unexpected(&other)),
                // The code stays good.
                Err(ClientError::Refused { code: Code::PinRequired | Code::WrongPin, detail, .. })
                    if on_terminal && !self.forgot_pin && attempt < ATTEMPTS_MAX =>
                {
                    attempt += 1;
                    eprintln!("{}", text::line(&detail));
                    pin = Some(super::lock::ask().await?);
                }
                Err(ClientError::Refused { code: Code::PinRequired, detail, .. }) => {
                    let way_out =
                        "Give it with --pin; if it was forgotten, with --forgot-pin, and again once it is open.";
                    return Err(Failure::with(detail, way_out));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// The number is proved; this device has no keys yet.
    async fn go_on(&self, handle: &Handle, profile: &Profile, backup: Option<FoundBackup>) -> Result<(), Failure> {
        match (&self.ending, backup) {
            (Ending::File(path), _) => self.restore_file(handle, profile, path).await,
            (Ending::Restore, None) => Err(Failure::with(
                format!("{} has no backup at this server", self.phone),
                format!("Restore from a file with --from FILE, or start anew: tidings register {}", self.phone),
            )),
            (Ending::Any, Some(_)) if self.anew => self.start_anew(handle, profile).await,
            (_, Some(backup)) => self.restore(handle, profile, &backup).await,
            (Ending::Any, None) => self.start_anew(handle, profile).await,
        }
    }

    fn registered(&self, profile: &Profile, reply: &Reply) -> Result<(), Failure> {
        let Reply::LoggedIn { account, .. } = reply else { return Err(unexpected(reply)) };
        profile.set_registered()?;
        out::line(&format!("{} is registered on this machine. Account {account}", self.phone))
    }

    async fn start_anew(&self, handle: &Handle, profile: &Profile) -> Result<(), Failure> {
        self.registered(profile, &handle.call(Command::StartAnew).await?)?;
        eprintln!("Write to somebody with: tidings chat +31…");
        Ok(())
    }

    async fn restore(&self, handle: &Handle, profile: &Profile, backup: &FoundBackup) -> Result<(), Failure> {
        let what = match backup.secret {
            SecretKind::Code => "recovery code",
            SecretKind::Passphrase => "passphrase",
        };
        let when = time::date_and_clock(backup.made_ms, &TimeZone::system());
        eprintln!("There is a backup of {when}. Its {what} brings everything back; --anew does without it.");
        let mut news = handle.listen();
        let on_terminal = std::io::stdin().is_terminal();
        let mut attempt = 1;
        let reply = loop {
            let secret = ask_for_secret(what).await?;
            match handle.ask(Command::Restore { secret }).await? {
                Ok(reply) => break reply,
                Err(ClientError::Refused { code: Code::WrongPassphrase, detail, .. })
                    if on_terminal && attempt < ATTEMPTS_MAX =>
                {
                    attempt += 1;
                    eprintln!("{}", text::line(&detail));
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.registered(profile, &reply)?;
        loop {
            match news.next().await {
                Some(News::Event(Event::Transfer { what: Transfer::Restore, done, total })) => {
                    eprintln!("{done} of {total} messages");
                }
                Some(News::Event(Event::Restored { messages, damaged })) => {
                    enter_chats(handle).await?;
                    return out::line(&match damaged {
                        0 => format!("The backup is restored: {messages} messages."),
                        _ => format!("The backup is restored: {messages} messages; {damaged} parts were damaged."),
                    });
                }
                Some(News::Event(Event::LoggedOut { reason })) => return Err(logged_out(&reason)),
                Some(_) => {}
                None => return Err(handle.gone()),
            }
        }
    }

    async fn restore_file(&self, handle: &Handle, profile: &Profile, path: &Path) -> Result<(), Failure> {
        let mut source = Source::open(path)?;
        let secret = ask_for_secret("recovery code or passphrase").await?;
        let head = source.head.clone();
        let reply = handle.call(Command::RestoreFromFile { head, secret: secret.clone() }).await?;
        self.registered(profile, &reply)?;
        let damaged = source.merge(handle, secret).await?;
        enter_chats(handle).await?;
        out::line(&came_back(path, damaged))?;
        eprintln!("Set a code for the next backup with: tidings backup set-code");
        Ok(())
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
