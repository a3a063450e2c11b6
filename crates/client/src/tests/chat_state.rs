//! What one keeps about chats for oneself, and what is pinned for everybody.

use super::world::{World, line};
use crate::view::{Conversation, FOR_EVER_MS, Message, PINNED_CONVERSATIONS_MAX};
use crate::{ClientError, Command, Peer, Reply};
use tidings_proto::group::Who;
use tidings_proto::id::{ConversationId, MessageId};

fn of(conversation: ConversationId) -> Peer {
    Peer::Conversation(conversation)
}

impl World {
    fn message(&mut self, who: usize, id: MessageId) -> Message {
        match self.must(who, &Command::Message { id }) {
            Reply::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn lines(&mut self, who: usize, command: Command) -> Vec<String> {
        match self.must(who, &command) {
            Reply::Messages(messages) => messages.iter().map(line).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn row(&mut self, who: usize, conversation: ConversationId) -> Conversation {
        self.conversations(who).into_iter().find(|row| row.conversation == conversation).unwrap()
    }

    fn unread(&mut self, who: usize) -> (u64, u64) {
        match self.must(who, &Command::Status) {
            Reply::Status(status) => (status.unread, status.unread_muted),
            other => panic!("{other:?}"),
        }
    }
}

fn assert_refused(result: Result<Reply, ClientError>, why: &str) {
    assert!(matches!(&result, Err(ClientError::NotAllowed { why: said }) if said.contains(why)), "{result:?}");
}

#[test]
fn a_star_is_ones_own_and_goes_with_the_message() {
    let mut world = World::signed_in(3);
    let messages = [world.say(1, 0, "one"), world.say(1, 0, "two"), world.say(2, 0, "three")];
    world.settle();
    for message in messages {
        world.must(0, &Command::Star { message, on: true });
        world.pass(10);
    }
    world.crash(0);
    assert_eq!(world.lines(0, Command::Starred { of: None }), ["three", "two", "one"]);
    let peer = world.peer(1);
    assert_eq!(world.lines(0, Command::Starred { of: Some(peer) }), ["two", "one"]);
    assert!(world.message(0, messages[0]).starred && !world.message(1, messages[0]).starred);
    assert_eq!(world.lines(1, Command::Starred { of: None }), Vec::<String>::new());

    world.must(0, &Command::Star { message: messages[1], on: false });
    let to = world.peer(0);
    world.must(1, &Command::Delete { to, message: messages[0] });
    world.settle();
    assert_eq!(world.lines(0, Command::Starred { of: None }), ["three"]);
    assert!(!world.message(0, messages[0]).starred);
    let result = world.ask(0, Command::Star { message: messages[0], on: true });
    assert_refused(result, "cannot be starred");
    world.sql(0, "DELETE FROM message");
    assert_eq!(world.lines(0, Command::Starred { of: None }), Vec::<String>::new());
}

#[test]
fn everybody_sees_the_last_few_messages_that_were_pinned() {
    let mut world = World::signed_in(2);
    let said: Vec<MessageId> = (0..5).map(|n| world.say(0, 1, &n.to_string())).collect();
    world.settle();
    let conversation = world.conversation(0).conversation;
    for (n, message) in said.iter().enumerate().take(4) {
        world.must(n % 2, &Command::Pin { message: *message, on: true });
        assert!(world.message(n % 2, *message).pinned, "at once for who pinned it");
        world.settle();
    }
    for who in 0..2 {
        assert_eq!(world.lines(who, Command::Pinned { of: of(conversation) }), ["3", "2", "1"]);
        assert_eq!(world.row(who, conversation).pins, [said[3], said[2], said[1]]);
        assert!(!world.message(who, said[0]).pinned && world.message(who, said[1]).pinned);
    }
    world.must(1, &Command::Pin { message: said[3], on: false });
    let to = world.peer(1);
    world.must(0, &Command::Delete { to, message: said[2] });
    world.settle();
    for who in 0..2 {
        assert_eq!(world.lines(who, Command::Pinned { of: of(conversation) }), ["1"]);
    }
    let result = world.ask(0, Command::Pin { message: said[2], on: true });
    assert_refused(result, "cannot be pinned");
    assert_eq!(world.row(1, conversation).unread, 4, "a pin is silent");
}

#[test]
fn in_a_group_those_pin_who_may_edit_it() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    let message = world.tell(1, group, "read this");
    world.settle();
    world.must(1, &Command::Pin { message, on: true });
    world.settle();
    assert_eq!(world.row(2, group).pins, [message]);
    let rules = Command::SetRules { group: of(group), posting: None, editing: Some(Who::Admins), adding: None };
    // Said before this device knows of the new rule: nobody takes it over.
    world.set_online(2, false);
    world.must(0, &rules);
    world.must(2, &Command::Pin { message, on: false });
    world.set_online(2, true);
    world.settle();
    for who in 0..3 {
        assert_eq!(world.row(who, group).pins, [message], "{who}");
    }
    let result = world.ask(1, Command::Pin { message, on: false });
    assert_refused(result, "only admins");
    world.must(0, &Command::Pin { message, on: false });
    world.settle();
    assert_eq!(world.row(1, group).pins, []);
}

#[test]
fn an_archived_conversation_comes_back_with_a_message_unless_it_is_muted() {
    let mut world = World::signed_in(2);
    world.say(1, 0, "first");
    world.settle();
    let conversation = world.conversation(0).conversation;
    assert_eq!(world.unread(0), (1, 0));
    world.must(0, &Command::Archive { of: of(conversation), on: true });
    assert!(world.row(0, conversation).archived && !world.row(1, conversation).archived);
    assert_eq!(world.unread(0), (0, 0), "nothing calls from there");
    world.say(1, 0, "second");
    world.settle();
    assert!(!world.row(0, conversation).archived);

    world.must(0, &Command::Mute { of: of(conversation), until_ms: Some(u64::MAX) });
    assert_eq!(world.row(0, conversation).muted_until_ms, Some(FOR_EVER_MS));
    assert_eq!(world.unread(0), (2, 2));
    world.must(0, &Command::Archive { of: of(conversation), on: true });
    world.say(1, 0, "third");
    world.settle();
    assert!(world.row(0, conversation).archived);

    let until_ms = Some(world.now_ms + 1_000);
    world.must(0, &Command::Mute { of: of(conversation), until_ms });
    world.pass(2_000);
    assert_eq!(world.row(0, conversation).muted_until_ms, None);
    world.say(0, 1, "one's own too");
    assert!(!world.row(0, conversation).archived);
}

#[test]
fn a_few_conversations_stay_at_the_top() {
    let mut world = World::signed_in(PINNED_CONVERSATIONS_MAX + 2);
    let mut conversations = Vec::new();
    for other in 1..PINNED_CONVERSATIONS_MAX + 2 {
        world.say(0, other, &other.to_string());
        world.settle();
        world.pass(10);
        conversations.push(world.conversations(0)[0].conversation);
    }
    let shown = |world: &mut World| -> Vec<String> {
        world.conversations(0).iter().map(|row| line(row.last.as_ref().unwrap())).collect()
    };
    assert_eq!(shown(&mut world), ["6", "5", "4", "3", "2", "1"]);
    for conversation in &conversations[..2] {
        world.must(0, &Command::PinConversation { of: of(*conversation), on: true });
        world.pass(10);
    }
    assert_eq!(shown(&mut world), ["2", "1", "6", "5", "4", "3"], "pinned last first");
    for conversation in &conversations[2..PINNED_CONVERSATIONS_MAX] {
        world.must(0, &Command::PinConversation { of: of(*conversation), on: true });
    }
    let last = of(conversations[PINNED_CONVERSATIONS_MAX]);
    let result = world.ask(0, Command::PinConversation { of: last, on: true });
    assert_refused(result, "5 conversations are pinned already");
    // What is archived is not at the top.
    world.must(0, &Command::Archive { of: of(conversations[0]), on: true });
    assert!(!world.row(0, conversations[0]).pinned);
    world.must(0, &Command::PinConversation { of: of(conversations[0]), on: true });
    assert!(!world.row(0, conversations[0]).archived);
    world.must(0, &Command::PinConversation { of: of(conversations[0]), on: false });
    assert_eq!(shown(&mut world).last().map(String::as_str), Some("1"));
}

#[test]
fn marked_as_unread_until_one_looks_again() {
    let mut world = World::signed_in(2);
    let message = world.say(1, 0, "hello");
    world.settle();
    let conversation = world.conversation(0).conversation;
    let read = Command::MarkRead { to: of(conversation), up_to: message };
    world.must(0, &read);
    world.must(0, &Command::MarkUnread { of: of(conversation) });
    world.crash(0);
    let row = world.row(0, conversation);
    assert_eq!((row.unread, row.marked_unread), (0, true));
    world.must(0, &read);
    assert!(!world.row(0, conversation).marked_unread);
}

#[test]
fn a_draft_is_kept_even_where_nothing_was_said_yet() {
    let mut world = World::signed_in(2);
    let peer = world.peer(1);
    world.must(0, &Command::SetDraft { of: peer.clone(), text: "I think that".into() });
    world.settle();
    world.crash(0);
    assert_eq!(world.conversation(0).draft.as_deref(), Some("I think that"));
    assert_eq!(world.conversations(1), [], "nobody else is told");
    world.must(0, &Command::SetDraft { of: peer.clone(), text: "x".repeat(40_000) });
    assert_eq!(world.conversation(0).draft.map(|draft| draft.len()), Some(40_000), "also what is too long to be sent");
    world.must(0, &Command::SetDraft { of: peer.clone(), text: String::new() });
    assert_eq!(world.conversation(0).draft, None);
    let long = Command::SetDraft { of: peer, text: "x".repeat(140_000) };
    assert!(matches!(world.ask(0, long), Err(ClientError::TooLong { .. })));
}
