//! What the chat looks like, drawn into memory.

use super::draw::{self, Now};
use super::slash;
use super::state::State;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tidings_client::event::Connection;
use tidings_client::view::{Body, Message, Notice, Person, Position, Quote, Reaction, Tick};
use tidings_proto::id::{AccountId, ConversationId, MessageId};

/// 2026-11-21 12:00 UTC.
const NOON_MS: u64 = 1_795_262_400_000;
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
const ME: AccountId = AccountId::from_bytes([1; 16]);
const BRAM: AccountId = AccountId::from_bytes([2; 16]);

fn conversation() -> ConversationId {
    ConversationId::direct(ME, BRAM)
}

fn id(seq: u64) -> MessageId {
    MessageId::new(seq, [0; 10])
}

fn text(seq: u64, own: bool, time_ms: u64, text: &str) -> Message {
    Message {
        message: id(seq),
        conversation: conversation(),
        position: Position { seq, local: 0 },
        sender: if own { ME } else { BRAM },
        sender_title: if own { "+31612345678".into() } else { "Bram".into() },
        own,
        time_ms,
        body: Body::Text { text: text.into() },
        reply_to: None,
        reactions: Vec::new(),
        edited: false,
        tick: own.then_some(Tick::Read),
        failure: None,
        starred: false,
        pinned: false,
        forwarded: false,
        mentions: Vec::new(),
        mentions_me: false,
        preview: None,
        deleted_by: None,
        expires_ms: None,
    }
}

fn story() -> State {
    let mut state = State::new(conversation(), Some(BRAM), "Bram".into(), Connection::Live);
    let yesterday = NOON_MS - DAY_MS;
    let mut messages = vec![
        text(2, true, NOON_MS - 9 * DAY_MS, "Are you there?"),
        text(
            3,
            false,
            yesterday,
            "Yes! This is a longer message, so that it has to go on in a second line on the screen.",
        ),
        text(4, true, yesterday + MINUTE_MS, "See you at seven"),
        text(7, false, NOON_MS, "ok"),
        text(8, true, NOON_MS + MINUTE_MS, "Two\nlines"),
        text(9, true, NOON_MS + 2 * MINUTE_MS, "on its way"),
        text(10, true, NOON_MS + 3 * MINUTE_MS, "on the server"),
    ];
    messages[1].reactions = vec![
        Reaction { account: ME, emoji: "👍".into() },
        Reaction { account: BRAM, emoji: "👍".into() },
        Reaction { account: BRAM, emoji: "❤️".into() },
    ];
    messages[2].edited = true;
    messages[3].reply_to = Some(Quote { message: id(4), sender: ME, text: Some("See you at seven".into()) });
    messages[4].tick = Some(Tick::Delivered);
    messages[5].tick = Some(Tick::Clock);
    messages[5].position = Position { seq: u64::MAX, local: 1 };
    messages[6].tick = Some(Tick::Sent);
    let mut deleted = text(5, false, yesterday + 2 * MINUTE_MS, "");
    deleted.body = Body::Deleted;
    let mut notice = text(6, false, NOON_MS - MINUTE_MS, "");
    notice.body = Body::Notice {
        notice: Notice::SafetyNumberChanged {
            who: Person { account: AccountId::from_bytes([2; 16]), title: "Bram".into() },
        },
    };
    messages.extend([deleted, notice]);
    // However they come, they stand in order.
    messages.reverse();
    state.merge(messages);
    state.complete = true;
    state
}

fn draw(state: &mut State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let now = Now { ms: NOON_MS + 10 * MINUTE_MS, zone: TimeZone::UTC };
    terminal
        .draw(|frame| {
            let lines = draw::lay_out(state, usize::from(width), &now);
            state.laid_out(lines.len());
            draw::draw(frame, state, lines, &now);
        })
        .unwrap();
    terminal.backend().to_string()
}

#[test]
fn a_conversation_as_people_see_it() {
    let mut state = story();
    state.input.insert("hello the");
    insta::assert_snapshot!(draw(&mut state, 80, 24));
}

#[test]
fn a_small_terminal_shows_the_end() {
    let mut state = story();
    state.input.insert("a text that is longer than the line");
    insta::assert_snapshot!(draw(&mut state, 30, 10));
}

#[test]
fn any_size_is_drawn() {
    for width in 1..90 {
        for height in 1..12 {
            let mut state = story();
            state.typing(BRAM, true, NOON_MS);
            draw(&mut state, width, height);
            state.show(slash::HELP);
            draw(&mut state, width, height);
        }
    }
}

#[test]
fn help_covers_the_messages() {
    let mut state = story();
    state.show(slash::HELP);
    insta::assert_snapshot!(draw(&mut state, 80, 24));
}

#[test]
fn help_turns_its_pages_on_a_small_terminal() {
    let mut state = story();
    state.show(slash::HELP);
    let mut seen = String::new();
    let mut pages = 0;
    while state.overlay.is_some() {
        seen.push_str(&draw(&mut state, 40, 10));
        assert!(state.turn_overlay(40, 8));
        pages += 1;
    }
    assert!((3..10).contains(&pages), "{pages}");
    for part in ["/reply 12", "/block", "Alt-Enter", "blue"] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    assert!(!state.turn_overlay(40, 8), "then keys are for the chat again");
}

#[test]
fn a_hostile_message_stays_in_its_place() {
    let mut state = State::new(conversation(), Some(BRAM), "Br\u{1b}[31mam\u{202e}".into(), Connection::Live);
    let mut hostile = text(2, false, NOON_MS, "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}1A\u{202e}txet\rover\u{200b}");
    hostile.sender_title = "\u{1b}[5mBram\nYou: \u{202e}".into();
    hostile.reactions = vec![Reaction { account: BRAM, emoji: "\u{1b}[7m and a whole novel".into() }];
    let quoted = "\u{1b}[8m".to_owned() + &"a\u{301}".repeat(100);
    hostile.reply_to = Some(Quote { message: id(1), sender: ME, text: Some(quoted) });
    state.merge(vec![hostile]);
    state.tell("\u{1b}[2Jnotice", NOON_MS + 10 * MINUTE_MS);
    let drawn = draw(&mut state, 60, 8);
    assert!(!drawn.chars().any(|c| c != '\n' && c.is_control()));
    insta::assert_snapshot!(drawn);
}

#[test]
fn what_was_unread_has_a_line_above_it() {
    let mut state = story();
    state.mark_unread(2);
    let drawn = draw(&mut state, 80, 24);
    let marker = drawn.find("2 unread").expect("there is a marker");
    assert!(marker > drawn.find("(edited)").unwrap() && marker < drawn.find("↳ See you").unwrap(), "{drawn}");
}

#[test]
fn a_view_above_the_end_stays_still_when_something_comes() {
    let mut state = story();
    draw(&mut state, 80, 8);
    state.scroll_by(4, 6);
    let before = draw(&mut state, 80, 8);
    state.merge(vec![
        text(11, false, NOON_MS + 5 * MINUTE_MS, "new"),
        text(12, false, NOON_MS + 6 * MINUTE_MS, "newer"),
    ]);
    let after = draw(&mut state, 80, 8);
    assert_eq!(before.lines().take(6).collect::<Vec<_>>(), after.lines().take(6).collect::<Vec<_>>());
    state.scroll_by(-100, 6);
    assert!(draw(&mut state, 80, 8).contains("newer"));
    state.scroll_by(100_000, 6);
    assert!(draw(&mut state, 80, 8).contains("The beginning"));
}

#[test]
fn only_what_is_seen_is_reported_and_only_once() {
    let mut state = story();
    draw(&mut state, 80, 24);
    state.focused = false;
    assert_eq!(state.seen(), None);
    state.focused = true;
    assert_eq!(state.seen(), Some(id(7)));
    assert_eq!(state.seen(), None);
    state.merge(vec![text(11, false, NOON_MS, "new")]);
    state.show("help");
    assert_eq!(state.seen(), None);
    state.overlay = None;
    assert_eq!(state.seen(), Some(id(11)));
}

#[test]
fn a_message_that_comes_ends_the_typing() {
    let mut state = story();
    state.typing(BRAM, true, NOON_MS);
    assert!(state.writers(NOON_MS + 1).is_some());
    state.merge(vec![text(11, false, NOON_MS, "new")]);
    assert_eq!(state.writers(NOON_MS + 1), None);
    state.typing(BRAM, true, NOON_MS);
    assert_eq!(state.writers(NOON_MS + tidings_client::event::TYPING_LIFETIME_MS), None);
}
