//! What a typed line does. What may take a while is asked aside, one question after the other, and answers later.

use super::Chat;
use super::slash::{self, Typed};
use crate::command::group::look;
use crate::command::{mention, mute, which};
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::time::now_ms;
use crate::show::{group, info, line, text};
use jiff::tz::TimeZone;
use tidings_client::view::Message;
use tidings_client::{Command, Reply};
use tidings_proto::id::MessageId;
use tokio::sync::mpsc;

/// What a slow question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    SafetyNumber,
    /// Says this when it is done.
    Done(&'static str),
    MessageInfo,
    Pins,
    Search,
    Group,
    Invite,
}

/// What it came back with.
pub struct Answer {
    about: About,
    result: Result<Reply, Failure>,
}

/// Asks the core what may take a while, one question after the other.
pub async fn ask(handle: &Handle, mut asked: mpsc::Receiver<(About, Command)>, answers: mpsc::Sender<Answer>) {
    while let Some((about, command)) = asked.recv().await {
        let result = handle.call(command).await;
        let _ = answers.send(Answer { about, result }).await;
    }
    std::future::pending::<()>().await;
}

/// Messages that a search in the chat shows.
const SEARCH_MAX: u32 = 50;

impl Chat<'_> {
    pub(super) async fn act(&mut self, typed: Typed) -> Result<(), Failure> {
        let to = self.peer.clone();
        let done = |what: &'static str, command| (About::Done(what), command);
        let command = match typed {
            Typed::Text(text) => self.text(text, None).await?,
            Typed::Reply { number, text } => self.text(text, Some(self.message(number).await?)).await?,
            Typed::React { number, emoji } => Command::React { to, message: self.message(number).await?, emoji },
            Typed::Edit { number, text } => Command::Edit { to, message: self.message(number).await?, text },
            Typed::Delete { number } => Command::Delete { to, message: self.message(number).await? },
            Typed::Hide { number } => Command::DeleteForMe { message: self.message(number).await? },
            Typed::Vote { number, choices } => Command::Vote { poll: self.message(number).await?, choices },
            Typed::Poll { question, options } => Command::CreatePoll { to, question, options, multiple: false },
            Typed::Star { number, on } => Command::Star { message: self.message(number).await?, on },
            Typed::Pin { number, on } => Command::Pin { message: self.message(number).await?, on },
            Typed::Unmute => Command::Mute { of: to, until_ms: None },
            Typed::Timer { span } => Command::SetTimer { of: to, seconds: span.map(|span| span.0) },
            Typed::Unread => Command::MarkUnread { of: to },
            slow => {
                let question = match slow {
                    Typed::Verify { confirm: false } => (About::SafetyNumber, Command::SafetyNumber { who: to }),
                    Typed::Verify { confirm: true } => done("Confirmed.", Command::MarkVerified { who: to }),
                    Typed::Block => {
                        done("Blocked: nothing more arrives. /unblock undoes it.", Command::Block { who: to })
                    }
                    Typed::Unblock => {
                        done("Not blocked: what was sent meanwhile arrives.", Command::Unblock { who: to })
                    }
                    Typed::Info { number } => {
                        (About::MessageInfo, Command::MessageInfo { message: self.message(number).await? })
                    }
                    Typed::Mute { span } => done(
                        "Muted; /unmute undoes it.",
                        Command::Mute { of: to, until_ms: Some(mute::until_ms(span)) },
                    ),
                    Typed::Archive => {
                        done("Archived, until a new message comes.", Command::Archive { of: to, on: true })
                    }
                    Typed::Search { words } => {
                        let limit = SEARCH_MAX;
                        (About::Search, Command::Search { text: words, of: Some(to), before: None, limit })
                    }
                    Typed::Pins => (About::Pins, Command::Pinned { of: to }),
                    Typed::Group => (About::Group, Command::GroupInfo { group: to }),
                    Typed::Invite => {
                        (About::Invite, Command::CreateInvite { group: to, expires_in_s: None, approval: false })
                    }
                    Typed::Add { who } => done("Added.", Command::AddMembers { group: to, members: vec![who.peer()] }),
                    Typed::Remove { who } => {
                        let people = crate::command::group::members(&look(self.handle, to.clone()).await?);
                        let who = who.among(&people)?;
                        done("Removed.", Command::RemoveMembers { group: to, members: vec![who] })
                    }
                    Typed::Leave => done("You left. What was said stays here.", Command::Leave { group: to }),
                    _ => {
                        self.state.show(slash::HELP);
                        return Ok(());
                    }
                };
                return self.question(question);
            }
        };
        match self.handle.call(command).await? {
            Reply::Queued { message, .. } => match self.handle.ask(Command::Message { id: message }).await? {
                Ok(Reply::Message(message)) => {
                    self.state.merge(vec![message]);
                    Ok(())
                }
                // Reactions, edits and deletions are no messages of their own; events tell what they changed.
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    async fn text(&self, text: String, reply_to: Option<MessageId>) -> Result<Command, Failure> {
        let to = self.peer.clone();
        let mentions = mention::find(self.handle, &to, &text).await?;
        Ok(Command::Send { to, text, reply_to, mentions, preview: None })
    }

    fn question(&mut self, question: (About, Command)) -> Result<(), Failure> {
        self.questions.try_send(question).map_err(|_| Failure::new("the last question is not answered yet"))
    }

    async fn message(&self, number: u64) -> Result<MessageId, Failure> {
        match self.state.find(number) {
            Some(message) => Ok(message.message),
            None => which::find_number(self.handle, &self.peer, number)
                .await
                .map(|message| message.message)
                .map_err(|_| Failure::new(format!("there is no message {number}: the numbers stand at the left"))),
        }
    }

    pub(super) async fn on_answer(&mut self, answer: Answer) -> Result<(), Failure> {
        let now = now_ms();
        match (answer.about, answer.result) {
            (_, Err(failure)) => self.state.tell(failure.what(), now),
            (About::Done(what), Ok(_)) => self.state.tell(what, now),
            (About::SafetyNumber, Ok(Reply::SafetyNumber { digits, verified })) => {
                let rows = crate::command::verify::rows(&digits).join("\n    ");
                let way_on = match verified {
                    true => "You have confirmed it.",
                    false => "Compare it face to face or in a call; if it is the same: /verify confirm",
                };
                let title = text::line(&self.state.title);
                self.state.show(format!("Safety number with {title}:\n\n    {rows}\n\n{way_on}"));
            }
            (About::MessageInfo, Ok(Reply::MessageInfo(found))) => {
                self.state.show(info::human(&found, &TimeZone::system()).join("\n"));
            }
            (About::Search, Ok(Reply::Messages(found))) => self.show_messages(&found, "Nothing was found."),
            (About::Pins, Ok(Reply::Messages(pins))) => self.show_messages(&pins, "Nothing is pinned here."),
            (About::Group, Ok(Reply::Group(found))) => {
                self.state.show(group::human(&found, None, &TimeZone::system()).join("\n"));
            }
            (About::Invite, Ok(Reply::Invite { token, key })) => {
                let sign = group::key(key);
                self.state.show(format!(
                    "Whoever has this comes in at once, until `tidings group revoke` with {sign}:\n\ntidings group join {token}"
                ));
            }
            (_, Ok(other)) => return Err(crate::command::unexpected(&other)),
        }
        self.load_row().await.map(drop)
    }

    fn show_messages(&mut self, messages: &[Message], nothing: &str) {
        let zone = TimeZone::system();
        let rows: Vec<String> = messages.iter().map(|it| line::message(it, &zone)).collect();
        self.state.show(if rows.is_empty() { nothing.to_owned() } else { rows.join("\n") });
    }
}
