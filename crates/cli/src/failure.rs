//! Why a command ends without success: one sentence for people, and the way out.

use std::process::ExitCode;
use tidings_client::ClientError;
use tidings_proto::problem::Code;

#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that cannot be meant. Exit code 2.
    Usage { what: String, way_out: String },
    /// It did not work. Exit code 1.
    Failed { what: String, way_out: Option<String> },
    /// Whoever read our output went away (`tidings list | head -1`): nothing to complain about.
    OutputClosed,
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), way_out: None }
    }

    pub fn with(what: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), way_out: Some(way_out.into()) }
    }

    pub fn usage(what: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), way_out: way_out.into() }
    }

    /// The sentence without the way out, for a status line.
    pub fn what(&self) -> &str {
        match self {
            Self::Usage { what, .. } | Self::Failed { what, .. } => what,
            Self::OutputClosed => "the output was closed",
        }
    }

    /// Says it on standard error.
    pub fn report(self) -> ExitCode {
        let (what, way_out, code) = match self {
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Usage { what, way_out } => (what, Some(way_out), 2),
            Self::Failed { what, way_out } => (what, way_out, 1),
        };
        eprintln!("error: {}", crate::show::text::block(&what));
        if let Some(way_out) = way_out {
            eprintln!("  {}", crate::show::text::block(&way_out).replace('\n', "\n  "));
        }
        ExitCode::from(code)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let what = error.to_string();
        let way_out = match &error {
            ClientError::NotLoggedIn => "Log in with: tidings register +31… (your own number)".to_owned(),
            ClientError::AlreadyLoggedIn => {
                "It is ready to use: see `tidings status`. To start anew: tidings logout".to_owned()
            }
            ClientError::NoSuchPerson { .. } => {
                "Check the number; the other person has to run `tidings register` with it first.".to_owned()
            }
            ClientError::NoSuchConversation => "See `tidings list`.".to_owned(),
            ClientError::NoSuchMessage => "Message numbers and ids are shown by `tidings history +31…`.".to_owned(),
            ClientError::NotAllowed { .. } => return Self::new(what),
            ClientError::TooLong { .. } => "Split it into several messages.".to_owned(),
            ClientError::InviteNeeded { .. } => {
                "Make a link with `tidings group invite` and send it to them; whoever comes by it is in.".to_owned()
            }
            ClientError::Offline => {
                "Check that the server runs (`tidings serve`) and that the address is right (--server, or \
                 TIDINGS_SERVER)."
                    .to_owned()
            }
            ClientError::Refused { code, retry_after_ms, .. } => match refused(*code, *retry_after_ms) {
                Some(way_out) => way_out,
                None => return Self::new(what),
            },
            ClientError::Database { .. } => {
                "Check that the disk has room and that the account's folder is yours: `tidings status` names it."
                    .to_owned()
            }
        };
        Self::with(what, way_out)
    }
}

fn refused(code: Code, retry_after_ms: Option<u64>) -> Option<String> {
    match (code, retry_after_ms) {
        (_, Some(ms)) => Some(format!("Try again in {} s.", ms.div_ceil(1000).max(1))),
        (Code::InvalidCode, _) => {
            Some("Type the newest code that was sent to this number; run the command again to ask for another.".into())
        }
        (Code::InvalidPhone, _) => Some("Write the number with its country code, as in +31612345678.".into()),
        (Code::LoggedOut | Code::InvalidGrant | Code::Unauthorized, _) => {
            Some("Log in again with: tidings register +31… (your own number)".into())
        }
        (Code::GroupFull, _) => Some("Ask an admin to make room, or to make another group.".into()),
        (Code::InviteNeeded, _) => Some("Send them an invite link: tidings group invite".into()),
        (Code::ApprovalNeeded, _) => Some("Ask to be let in; an admin sees your request.".into()),
        (Code::QuotaFull, _) => Some("Ask who runs the server for more room.".into()),
        (Code::WrongPassphrase, _) => Some("Type the passphrase or recovery code of this backup again.".into()),
        (Code::PinRequired, _) => {
            Some("Add the number's PIN with --pin, or --forgot-pin to wait until the lock opens.".into())
        }
        (Code::WrongPin, _) => Some("Type the number's PIN again; --forgot-pin if nobody knows it.".into()),
        (Code::Blocked, _) => Some("Unblock first with: tidings unblock +31…".into()),
        (Code::RateLimited | Code::Overloaded | Code::ShuttingDown | Code::Internal | Code::Timeout, _) => {
            Some("Try again in a while.".into())
        }
        (Code::SmsFailed, _) => Some("Try again in a while; the server's log says why.".into()),
        _ => None,
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::new(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_a_person_can_do_something_about_says_what() {
        use tidings_proto::problem::Next;
        for code in Code::ALL {
            if matches!(code.next(), Next::Retry | Next::Tell | Next::Authenticate) && *code != Code::NoDevice {
                assert!(refused(*code, None).is_some(), "{code:?}");
            }
        }
    }
}
