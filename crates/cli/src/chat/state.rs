//! What the chat shows. No terminal and no network here.

use super::line_edit::LineEdit;
use crate::show::text;
use std::collections::HashMap;
use tidings_client::event::{Connection, TYPING_LIFETIME_MS};
use tidings_client::view::{Conversation, Message, Position, Presence};
use tidings_proto::id::{AccountId, ConversationId, MessageId};

/// How long a notice stands.
const NOTICE_LIFETIME_MS: u64 = 6_000;

pub struct State {
    pub conversation: ConversationId,
    /// The other person of a direct conversation.
    pub peer: Option<AccountId>,
    /// What to call the other person, or the group.
    pub title: String,
    pub blocked: bool,
    pub verified: bool,
    pub muted: bool,
    pub timer_s: Option<u64>,
    /// Of the other person, while that is known.
    pub presence: Option<Presence>,
    pub connection: Connection,
    /// Ascending.
    pub messages: Vec<Message>,
    /// There is nothing older.
    pub complete: bool,
    /// The first message that was unread when the chat was opened, and how many there were.
    pub unread_from: Option<(Position, u64)>,
    pub input: LineEdit,
    /// Lines that the view is above the end.
    pub scroll: usize,
    /// Lines of the last drawing, to keep the view still when something is added below.
    pub lines: usize,
    oldest: Option<MessageId>,
    /// Shown over the messages, page by page, until all was seen.
    pub overlay: Option<Overlay>,
    notice: Option<(String, u64)>,
    /// Who writes, and until when that holds.
    typing: Vec<(AccountId, u64)>,
    /// What a group's members are called.
    pub names: HashMap<AccountId, String>,
    /// False once one has left the group.
    pub member: bool,
    /// Whether the terminal has the person's eyes, as far as it says.
    pub focused: bool,
    /// Up to which message the sender was told that it was seen.
    marked: Option<Position>,
}

pub struct Overlay {
    pub text: String,
    /// Lines that were seen on former pages.
    pub seen: usize,
}

impl State {
    pub fn new(conversation: ConversationId, peer: Option<AccountId>, title: String, connection: Connection) -> Self {
        Self {
            conversation,
            peer,
            title,
            blocked: false,
            verified: false,
            muted: false,
            timer_s: None,
            presence: None,
            connection,
            messages: Vec::new(),
            complete: false,
            unread_from: None,
            input: LineEdit::default(),
            scroll: 0,
            lines: 0,
            oldest: None,
            overlay: None,
            notice: None,
            typing: Vec::new(),
            names: HashMap::new(),
            member: true,
            focused: true,
            marked: None,
        }
    }

    pub fn set_row(&mut self, row: &Conversation) {
        self.title.clone_from(&row.title);
        self.blocked = row.blocked;
        self.verified = row.verified;
        self.muted = row.muted_until_ms.is_some();
        self.timer_s = row.timer_s;
        self.presence = row.presence;
        self.member = row.member;
    }

    /// Puts messages in their places; known ones are replaced.
    pub fn merge(&mut self, messages: Vec<Message>) {
        for message in messages {
            if message.conversation != self.conversation {
                continue;
            }
            if !message.own && self.messages.iter().all(|it| it.message != message.message) {
                self.typing.retain(|(who, _)| *who != message.sender);
            }
            self.messages.retain(|it| it.message != message.message);
            let at = self.messages.partition_point(|it| it.position <= message.position);
            self.messages.insert(at, message);
        }
    }

    pub fn remove(&mut self, message: MessageId) {
        self.messages.retain(|it| it.message != message);
    }

    pub fn find(&self, number: u64) -> Option<&Message> {
        self.messages.iter().find(|message| message.position.seq == number)
    }

    pub fn is_here(&self, id: MessageId) -> bool {
        self.messages.iter().any(|message| message.message == id)
    }

    /// Remembers where the unread messages begin, from how many there are.
    pub fn mark_unread(&mut self, unread: u64) {
        let theirs = self.messages.iter().rev().filter(|message| !message.own);
        let first = usize::try_from(unread).ok().and_then(|unread| theirs.take(unread).last());
        self.unread_from = first.map(|message| (message.position, unread));
    }

    /// The newest message of the other person that is seen now and was not reported yet.
    pub fn seen(&mut self) -> Option<MessageId> {
        if !self.focused || self.scroll > 0 || self.overlay.is_some() {
            return None;
        }
        let newest = self.messages.iter().rev().find(|message| !message.own)?;
        if self.marked.is_some_and(|marked| marked >= newest.position) {
            return None;
        }
        self.marked = Some(newest.position);
        Some(newest.message)
    }

    pub fn show(&mut self, text: impl Into<String>) {
        self.overlay = Some(Overlay { text: text.into(), seen: 0 });
    }

    /// A key was pressed: the overlay's next page, or its end. Says whether there was one.
    pub fn turn_overlay(&mut self, columns: usize, rows: usize) -> bool {
        let Some(overlay) = &mut self.overlay else { return false };
        // One row is for the hint.
        overlay.seen += rows.saturating_sub(1).max(1);
        if overlay.seen >= text::wrap(&overlay.text, columns).len() {
            self.overlay = None;
        }
        true
    }

    pub fn typing(&mut self, who: AccountId, on: bool, now_ms: u64) {
        self.typing.retain(|(other, until)| *other != who && now_ms < *until);
        if on {
            self.typing.push((who, now_ms + TYPING_LIFETIME_MS));
        }
    }

    /// As in `writes…`, in a group `Bram and Carla write…`.
    pub fn writers(&self, now_ms: u64) -> Option<String> {
        let now: Vec<&AccountId> =
            self.typing.iter().filter(|(_, until)| now_ms < *until).map(|(who, _)| who).collect();
        if self.peer.is_some() && !now.is_empty() {
            return Some("writes…".into());
        }
        let name = |who: &AccountId| self.names.get(who).map_or("somebody".into(), |name| text::line(name));
        match now.as_slice() {
            [] => None,
            [one] => Some(format!("{} writes…", name(one))),
            [one, other] => Some(format!("{} and {} write…", name(one), name(other))),
            several => Some(format!("{} people write…", several.len())),
        }
    }

    pub fn tell(&mut self, notice: impl Into<String>, now_ms: u64) {
        self.notice = Some((notice.into(), now_ms + NOTICE_LIFETIME_MS));
    }

    pub fn notice(&self, now_ms: u64) -> Option<&str> {
        self.notice.as_ref().filter(|(_, until)| now_ms < *until).map(|(text, _)| text.as_str())
    }

    /// Moves the view up (or down) by so many lines.
    pub fn scroll_by(&mut self, up: isize, rows: usize) {
        let most = self.lines.saturating_sub(rows);
        self.scroll = self.scroll.saturating_add_signed(up).min(most);
    }

    /// The messages fill so many lines now. A view that is not at the end stays where it is.
    pub fn laid_out(&mut self, lines: usize) {
        let oldest = self.messages.first().map(|message| message.message);
        // What older messages add is above the view, all else below.
        if self.scroll > 0 && oldest == self.oldest {
            self.scroll = (self.scroll + lines).saturating_sub(self.lines).max(1);
        }
        self.oldest = oldest;
        self.lines = lines;
    }
}
