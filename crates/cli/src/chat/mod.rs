//! The terminal chat: [`state`] is what is shown, [`draw`] how, [`slash`] what a typed line means and [`act`] what it
//! does; here it meets the keyboard ([`keys`]), the core and the clock.

mod act;
mod draw;
mod keys;
mod line_edit;
mod screen;
mod slash;
mod state;
#[cfg(test)]
mod tests;

use crate::command::{logged_out, stopped, unexpected};
use crate::driver::{Handle, Listener, News};
use crate::failure::Failure;
use crate::show::me;
use crate::show::time::now_ms;
use crate::target::Target;
use act::About;
use crossterm::event::EventStream;
use draw::Now;
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use screen::Screen;
use state::State;
use std::time::Duration;
use tidings_client::event::LOOK_RENEW_MS;
use tidings_client::view::{Message, Position};
use tidings_client::{ClientError, Command, Event, Peer, Reply};
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::MessageId;
use tokio::sync::mpsc;

/// Messages that are loaded at once.
const PAGE: u32 = 100;
/// News that are looked at one by one; where more have come, the end of the conversation is loaded anew.
const NEWS_ONE_BY_ONE: usize = 20;
/// How long something that fades may stay too long.
const REDRAW: Duration = Duration::from_secs(1);

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Quit,
}

pub struct Chat<'a> {
    handle: &'a Handle,
    peer: Peer,
    state: State,
    /// Questions that may take a while run on their own and answer here.
    questions: mpsc::Sender<(About, Command)>,
    /// When the core was last told that somebody looks at the chat.
    looked_ms: Option<u64>,
    /// When the other person was last told that something is being written.
    typing_told_ms: Option<u64>,
}

/// Runs until the person has had enough.
pub async fn run(handle: &Handle, who: &Target) -> Result<(), Failure> {
    let mut news = handle.listen();
    let (questions, asked) = mpsc::channel(8);
    let (answers, mut answered) = mpsc::channel(8);
    let mut chat = Chat::open(handle, who, questions).await?;
    let mut screen = Screen::open(&chat.state.title)?;
    let mut keys = EventStream::new();
    let mut redraw = tokio::time::interval(REDRAW);
    let asking = act::ask(handle, asked, answers);
    let stop = stopped();
    tokio::pin!(asking, stop);
    let ended = loop {
        chat.draw(&mut screen)?;
        chat.mark_read().await?;
        tokio::select! {
            key = keys.next() => match key {
                Some(Ok(event)) => {
                    if chat.on_terminal(event).await? == Flow::Quit {
                        break Ok(());
                    }
                }
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(()),
            },
            next = news.next() => match next {
                Some(first) => chat.on_news(first, &mut news).await?,
                None => return Err(handle.gone()),
            },
            Some(answer) = answered.recv() => chat.on_answer(answer).await?,
            () = &mut asking => {}
            () = &mut stop => break Ok(()),
            _ = redraw.tick() => {
                chat.look().await?;
                chat.stop_typing_if_idle().await?;
            }
        }
    };
    chat.look_away().await?;
    chat.keep_draft().await?;
    ended
}

impl<'a> Chat<'a> {
    async fn open(
        handle: &'a Handle,
        who: &Target,
        questions: mpsc::Sender<(About, Command)>,
    ) -> Result<Self, Failure> {
        let peer = who.peer(handle).await?;
        let (conversation, account) = match handle.call(Command::Resolve { who: peer.clone() }).await? {
            Reply::Conversation { conversation, account } => (conversation, account),
            other => return Err(unexpected(&other)),
        };
        let connection = crate::command::status(handle).await?.connection;
        let state = State::new(conversation, account, who.to_string(), connection);
        let mut chat = Self { handle, peer, state, questions, looked_ms: None, typing_told_ms: None };
        let unread = chat.load_row().await?;
        chat.take_up_draft().await?;
        chat.load_newest().await?;
        chat.state.mark_unread(unread);
        Ok(chat)
    }

    fn draw(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        let now = Now { ms: now_ms(), zone: TimeZone::system() };
        let state = &mut self.state;
        screen.terminal.draw(|frame| {
            let lines = draw::lay_out(state, usize::from(frame.area().width), &now);
            state.laid_out(lines.len());
            draw::draw(frame, state, lines, &now);
        })?;
        Ok(())
    }

    /// Columns and rows that the messages have.
    fn size() -> (usize, usize) {
        let (columns, rows) = crossterm::terminal::size().unwrap_or((80, 24));
        (usize::from(columns), usize::from(rows).saturating_sub(2))
    }

    async fn mark_read(&mut self) -> Result<(), Failure> {
        if let Some(up_to) = self.state.seen() {
            self.handle.call(Command::MarkRead { to: self.peer.clone(), up_to }).await?;
        }
        Ok(())
    }

    /// While the terminal has the person's eyes, others see them online.
    async fn look(&mut self) -> Result<(), Failure> {
        if !self.state.focused {
            return self.look_away().await;
        }
        let now = now_ms();
        if self.looked_ms.is_some_and(|looked| now.saturating_sub(looked) < LOOK_RENEW_MS) {
            return Ok(());
        }
        self.looked_ms = Some(now);
        self.handle.ask(Command::OpenChat { of: Some(self.peer.clone()) }).await.map(drop)
    }

    async fn look_away(&mut self) -> Result<(), Failure> {
        match self.looked_ms.take() {
            Some(_) => self.handle.ask(Command::CloseChat { of: Some(self.peer.clone()) }).await.map(drop),
            None => Ok(()),
        }
    }

    async fn take_up_draft(&mut self) -> Result<(), Failure> {
        let rows = crate::feed::conversations(self.handle).await?;
        let row = rows.into_iter().find(|row| row.conversation == self.state.conversation);
        if let Some(draft) = row.and_then(|row| row.draft) {
            self.state.input.insert(&draft);
        }
        Ok(())
    }

    /// What was written and not sent. Commands are not worth it.
    async fn keep_draft(&self) -> Result<(), Failure> {
        let text = self.state.input.text();
        let text = if text.starts_with('/') || text.trim().is_empty() { String::new() } else { text.to_owned() };
        self.handle.call(Command::SetDraft { of: self.peer.clone(), text }).await.map(drop)
    }

    // ---- the core --------------------------------------------------------------------------------------------------

    async fn on_news(&mut self, first: News, more: &mut Listener) -> Result<(), Failure> {
        let mut changed: Vec<MessageId> = Vec::new();
        let (mut ticks, mut row) = (false, false);
        let mut next = Some(first);
        while let Some(news) = next {
            match news {
                News::Missed => (ticks, row) = (true, true),
                News::Event(event) => match event {
                    Event::MessageAdded { conversation, message, .. }
                    | Event::MessageChanged { conversation, message }
                        if conversation == self.state.conversation && !changed.contains(&message) =>
                    {
                        changed.push(message);
                    }
                    Event::MessageRemoved { conversation, message } if conversation == self.state.conversation => {
                        changed.retain(|id| *id != message);
                        self.state.remove(message);
                    }
                    Event::TicksChanged { conversation } if conversation == self.state.conversation => ticks = true,
                    Event::ConversationChanged { conversation } if conversation == self.state.conversation => {
                        row = true
                    }
                    Event::Typing { conversation, account, on }
                        if conversation == self.state.conversation && !me::am(account) =>
                    {
                        self.state.typing(account, on, now_ms());
                    }
                    Event::PresenceChanged { account } if self.state.peer == Some(account) => row = true,
                    Event::Connection { state } => self.state.connection = state,
                    Event::LoggedOut { reason } => return Err(logged_out(&reason)),
                    _ => {}
                },
            }
            next = more.ready();
        }
        if row {
            self.load_row().await?;
        }
        if ticks || changed.len() > NEWS_ONE_BY_ONE {
            self.load_newest().await?;
            // A change of an older message is not at the end.
            changed.retain(|id| self.state.is_here(*id));
            changed.truncate(NEWS_ONE_BY_ONE);
        }
        for id in changed {
            match self.handle.ask(Command::Message { id }).await? {
                Ok(Reply::Message(message)) => self.state.merge(vec![message]),
                Ok(other) => return Err(unexpected(&other)),
                Err(ClientError::NoSuchMessage) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The conversation's name and marks. Says how many messages are unread.
    async fn load_row(&mut self) -> Result<u64, Failure> {
        let rows = crate::feed::conversations(self.handle).await?;
        let row = rows.iter().find(|row| row.conversation == self.state.conversation);
        if let Some(row) = row {
            self.state.set_row(row);
            if row.kind == ConversationKind::Group {
                let group = crate::command::group::look(self.handle, self.peer.clone()).await?;
                self.state.names = group.members.into_iter().map(|it| (it.account, it.title)).collect();
            }
        }
        Ok(row.map_or(0, |row| row.unread))
    }

    async fn load_newest(&mut self) -> Result<(), Failure> {
        let messages = self.messages(None).await?;
        // What lies between these and what was loaded before would be missing: begin anew.
        let joins = messages
            .first()
            .is_none_or(|first| self.state.messages.last().is_none_or(|last| last.position >= first.position));
        if !joins {
            self.state.messages.clear();
            self.state.complete = false;
        }
        if self.state.messages.is_empty() {
            self.state.complete = messages.len() < PAGE as usize;
        }
        self.state.merge(messages);
        Ok(())
    }

    async fn load_older(&mut self) -> Result<(), Failure> {
        let before = self.state.messages.first().map(|message| message.position);
        let messages = self.messages(before).await?;
        self.state.complete = messages.len() < PAGE as usize;
        self.state.merge(messages);
        Ok(())
    }

    async fn messages(&self, before: Option<Position>) -> Result<Vec<Message>, Failure> {
        match self.handle.ask(Command::Messages { of: self.peer.clone(), before, limit: PAGE }).await? {
            Ok(Reply::Messages(messages)) => Ok(messages),
            Ok(other) => Err(unexpected(&other)),
            // It is made with the first message.
            Err(ClientError::NoSuchConversation) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}
