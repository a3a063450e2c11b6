//! Forwarded messages, deletions, mentions, polls, places, contacts, a group's profile and one's own.

use super::world::{World, line};
use crate::content::{Degrees, LinkPreview, Mention};
use crate::view::{Body, Message, Notice};
use crate::{ClientError, Command, Event, Peer, Reply};
use tidings_proto::group::Who;
use tidings_proto::id::{ConversationId, MessageId};
use tidings_proto::payload::Payload;

impl World {
    /// What is queued by it.
    pub fn queued(&mut self, who: usize, command: &Command) -> MessageId {
        match self.must(who, command) {
            Reply::Queued { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    pub fn shows(&mut self, who: usize, id: MessageId) -> Message {
        match self.must(who, &Command::Message { id }) {
            Reply::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }
}

fn to(group: ConversationId) -> Peer {
    Peer::Conversation(group)
}

fn refused(result: Result<Reply, ClientError>, expected: &str) {
    let error = result.expect_err("it is not allowed").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_forwarded_message_says_so_and_not_from_whom() {
    let mut world = World::signed_in(3);
    let first = world.say(1, 0, "the film begins at eight");
    world.settle();
    let forward = Command::Forward { message: first, to: world.peer(2) };
    let second = world.queued(0, &forward);
    world.settle();
    let there = world.shows(2, second);
    assert_eq!((line(&there).as_str(), there.forwarded), ("the film begins at eight", true));
    assert!(!world.shows(1, first).forwarded);
    let poll = Command::CreatePoll {
        to: world.peer(2),
        question: "Coming?".into(),
        options: vec!["yes".into(), "no".into()],
        multiple: false,
    };
    let poll = world.queued(0, &poll);
    refused(world.ask(0, Command::Forward { message: poll, to: Peer::Me }), "cannot be forwarded");
}

#[test]
fn what_is_deleted_for_oneself_stays_with_the_others_and_does_not_come_back() {
    let mut world = World::signed_in(2);
    let message = world.say(0, 1, "a secret of ours");
    world.settle();
    assert_eq!(world.must(1, &Command::DeleteForMe { message }), Reply::Done);
    let conversation = world.conversation(1).conversation;
    assert!(world.people[1].events.contains(&Event::MessageRemoved { conversation, message }));
    world.queued(0, &Command::Edit { to: world.peer(1), message, text: "a bigger secret".into() });
    world.settle();
    assert_eq!(world.shown(1), Vec::<String>::new());
    assert_eq!(world.conversation(1).unread, 0);
    assert_eq!(world.shown(0), ["a bigger secret (edited)"]);
    refused(world.ask(1, Command::DeleteForMe { message }), "no such message");
    let react = Command::React { to: world.peer(0), message, emoji: Some("👍".into()) };
    refused(world.ask(1, react), "no such message");
    let kept: u64 = world.people[1]
        .client
        .as_ref()
        .unwrap()
        .db
        .connection()
        .query_row("SELECT count(*) FROM message WHERE text IS NOT NULL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 0);
}

#[test]
fn an_admin_takes_back_what_others_said_and_only_an_admin_does() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    let spam = world.tell(1, group, "buy this");
    world.settle();
    refused(world.ask(2, Command::Delete { to: to(group), message: spam }), "by admins");
    world.queued(0, &Command::Delete { to: to(group), message: spam });
    world.settle();
    for who in 0..3 {
        let shown = world.shows(who, spam);
        assert_eq!(shown.body, Body::Deleted);
        assert_eq!(shown.deleted_by.map(|by| by.account), Some(world.account(0)));
    }
    // In a direct conversation nobody is an admin.
    let mine = world.say(0, 1, "mine");
    world.settle();
    refused(world.ask(1, Command::Delete { to: world.peer(0), message: mine }), "only one's own");
    world.queued(0, &Command::Delete { to: world.peer(1), message: mine });
    world.settle();
    assert_eq!(world.shows(1, mine).deleted_by, None, "its sender did");
}

#[test]
fn whoever_is_mentioned_knows_it() {
    let mut world = World::signed_in(4);
    let group = world.make_group(&[1, 2]);
    let send = |account, start, len| Command::Send {
        to: to(group),
        text: "é @Bram, hello".into(),
        reply_to: None,
        mentions: vec![Mention { account, start, len }],
        preview: None,
    };
    let bram = world.account(1);
    let message = world.queued(0, &send(bram, 3, 5));
    world.settle();
    assert!(world.shows(1, message).mentions_me && !world.shows(2, message).mentions_me);
    assert_eq!(world.shows(2, message).mentions[0].who.account, bram);
    refused(world.ask(0, send(bram, 1, 5)), "do not fit");
    let stranger = world.account(3);
    refused(world.ask(0, send(stranger, 3, 5)), "has to be in the conversation");
    world.queued(0, &Command::Edit { to: to(group), message, text: "nobody".into() });
    world.settle();
    assert_eq!((world.shows(1, message).mentions_me, world.shows(1, message).mentions), (false, vec![]));
}

#[test]
fn a_preview_travels_with_its_link() {
    let mut world = World::signed_in(2);
    let mut preview =
        LinkPreview { url: "https://example.org".into(), title: "Example".into(), description: None, picture: None };
    let send = |world: &World, preview: &LinkPreview| Command::Send {
        to: world.peer(1),
        text: "look: https://example.org".into(),
        reply_to: None,
        mentions: Vec::new(),
        preview: Some(Box::new(preview.clone())),
    };
    let message = world.queued(0, &send(&world, &preview));
    world.settle();
    assert_eq!(world.shows(1, message).preview.as_deref(), Some(&preview));
    preview.picture = Some(b"<svg>".to_vec().into());
    refused(world.ask(0, send(&world, &preview)), "not of the documented form");
}

#[test]
fn votes_are_counted_and_changed() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    let ask = |options: &[&str], multiple| Command::CreatePoll {
        to: to(group),
        question: "Which day?".into(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        multiple,
    };
    let poll = world.queued(0, &ask(&["Friday", "Sunday"], false));
    world.settle();
    for (who, choices) in [(0, vec![0]), (1, vec![1]), (2, vec![1]), (1, vec![0]), (2, vec![])] {
        world.queued(who, &Command::Vote { poll, choices });
        world.settle();
    }
    for who in 0..3 {
        let Body::Poll { options, .. } = world.shows(who, poll).body else { panic!() };
        let voters: Vec<usize> = options.iter().map(|option| option.voters.len()).collect();
        assert_eq!(voters, [2, 0], "{who}");
        assert_eq!(options[0].mine, who < 2);
    }
    refused(world.ask(1, Command::Vote { poll, choices: vec![2] }), "does not have these choices");
    refused(world.ask(1, Command::Vote { poll, choices: vec![0, 1] }), "takes only one");
    refused(world.ask(1, ask(&["only one"], false)), "2 to 12 answers");
    // A vote shows at once, before it is sent.
    world.set_online(1, false);
    world.queued(1, &Command::Vote { poll, choices: vec![1] });
    let Body::Poll { options, .. } = world.shows(1, poll).body else { panic!() };
    assert!(options[1].mine && !options[0].mine);
}

#[test]
fn places_and_contacts_are_sent_and_forwarded() {
    let mut world = World::signed_in(2);
    let [latitude, longitude] = [52.370_216, 4.895_168].map(|it| Degrees::try_from(it).unwrap());
    let place = Command::SendLocation { to: world.peer(1), latitude, longitude, name: Some("Dam".into()) };
    let place = world.queued(0, &place);
    let contact = |phone: &str| Command::SendContact { to: Peer::Me, name: "Carla".into(), phone: phone.into() };
    let card = world.queued(0, &contact("+31 6 5555 5555"));
    let card = world.queued(0, &Command::Forward { message: card, to: world.peer(1) });
    world.settle();
    assert_eq!(world.shows(1, place).body, Body::Location { latitude, longitude, name: Some("Dam".into()) });
    let card = world.shows(1, card);
    assert_eq!(card.body, Body::Contact { name: "Carla".into(), phone: "+31655555555".into() });
    assert!(card.forwarded);
    refused(world.ask(0, contact("0612")), "in full");
    let nowhere = Command::SendLocation { to: world.peer(1), latitude: longitude, longitude: latitude, name: None };
    assert!(world.ask(0, nowhere).is_ok(), "it is in the sea, but it is a place");
    let nowhere = Degrees::try_from(91.0).unwrap();
    let nowhere = Command::SendLocation { to: world.peer(1), latitude: nowhere, longitude, name: None };
    refused(world.ask(0, nowhere), "-90 to 90");
}

#[test]
fn a_group_changes_how_it_presents_itself_and_tells_who_did_it() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    let set = |name: Option<&str>, description: Option<&str>, picture: Option<&[u8]>| Command::SetGroupProfile {
        group: to(group),
        name: name.map(Into::into),
        description: description.map(Into::into),
        picture: picture.map(|bytes| Payload::from(bytes.to_vec())),
    };
    // The second one is made before the first one is in the log, and undoes nothing of it.
    world.set_online(1, false);
    world.queued(1, &set(Some(" Film club "), None, None));
    world.queued(1, &set(None, Some("Fridays"), Some(b"\xff\xd8\xff\xe0")));
    world.set_online(1, true);
    world.settle();
    for who in 0..3 {
        let shown = world.group(who, group);
        assert_eq!((shown.name.as_deref(), shown.description.as_deref()), (Some("Film club"), Some("Fridays")));
        let picture = world.must(who, &Command::Picture { of: to(group) });
        assert_eq!(picture, Reply::Picture { picture: Some(b"\xff\xd8\xff\xe0".to_vec().into()) });
        assert_eq!(world.chat(who, group).picture, shown.picture);
        assert!(shown.picture.is_some());
        let mut said: Vec<Body> = world.messages(who, group).into_iter().map(|message| message.body).collect();
        // The one who made it also sees that.
        said.drain(..said.len() - 3);
        let is = |at: usize, fits: fn(&Notice) -> bool| matches!(&said[at], Body::Notice { notice } if fits(notice));
        assert!(is(0, |it| matches!(it, Notice::Renamed { name: Some(name), .. } if name == "Film club")), "{said:?}");
        assert!(is(1, |it| matches!(it, Notice::Described { .. })));
        assert!(is(2, |it| matches!(it, Notice::Pictured { .. })));
    }
    refused(world.ask(1, set(Some(" "), None, None)), "needs a name");
    refused(world.ask(1, set(None, None, Some(b"GIF89a"))), "WebP, JPEG or PNG");
    refused(world.ask(1, set(None, None, Some(&[0xff; 24 * 1024 + 1]))), "too long");

    world.sql(1, "CREATE TEMP TABLE former_rules AS SELECT rules FROM group_rules");
    let rules = Command::SetRules { group: to(group), posting: None, editing: Some(Who::Admins), adding: None };
    world.must(0, &rules);
    world.settle();
    refused(world.ask(1, set(Some("Mine"), None, None)), "only admins");
    // What says it nevertheless is not believed.
    world.sql(1, "UPDATE group_rules SET rules = (SELECT rules FROM former_rules)");
    world.queued(1, &set(Some("Mine"), None, None));
    world.settle();
    assert_eq!(world.group(2, group).name.as_deref(), Some("Film club"));
}

#[test]
fn people_learn_how_somebody_wants_to_be_called() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let set = |name: Option<&str>, about: Option<&str>, picture: Option<&[u8]>| Command::SetProfile {
        name: name.map(Into::into),
        about: about.map(Into::into),
        picture: picture.map(|bytes| bytes.to_vec().into()),
    };
    let png = b"\x89PNG\r\n\x1a\n".as_slice();
    assert_eq!(world.must(0, &set(Some("Ann "), Some("At sea"), Some(png))), Reply::Done);
    world.settle();
    let row = world.conversation(1);
    assert_eq!((row.title.as_str(), row.about.as_deref()), ("Ann", Some("At sea")));
    assert!(row.picture.is_some());
    let of = world.peer(0);
    assert_eq!(world.must(1, &Command::Picture { of }), Reply::Picture { picture: Some(png.to_vec().into()) });
    world.must(0, &set(None, Some(""), Some(b"")));
    world.settle();
    let row = world.conversation(1);
    assert_eq!((row.title.as_str(), row.about, row.picture), ("Ann", None, None));
    let own = Reply::Profile { name: Some("Ann".into()), about: None, picture: None };
    assert_eq!(world.must(0, &Command::Profile), own);
    refused(world.ask(0, set(Some(&"x".repeat(65)), None, None)), "too long");
    refused(world.ask(0, set(None, None, Some(b"GIF89a"))), "WebP, JPEG or PNG");
}

#[test]
fn one_s_other_devices_present_one_alike() {
    let mut world = World::signed_in(2);
    let linked = world.link(0);
    world.settle();
    world.must(0, &Command::SetProfile { name: Some("Ann".into()), about: Some("At sea".into()), picture: None });
    world.settle();
    let own = Reply::Profile { name: Some("Ann".into()), about: Some("At sea".into()), picture: None };
    assert_eq!(world.must(linked, &Command::Profile), own);
}

#[test]
fn what_is_asked_or_named_is_found_by_its_words() {
    let mut world = World::signed_in(2);
    let [latitude, longitude] = [52.370_216, 4.895_168].map(|it| Degrees::try_from(it).unwrap());
    let options = vec!["gladly".into(), "when the wind is right".into()];
    let poll = Command::CreatePoll { to: world.peer(1), question: "Going sailing?".into(), options, multiple: false };
    let poll = world.queued(0, &poll);
    let place = Command::SendLocation { to: world.peer(1), latitude, longitude, name: Some("Dam square".into()) };
    let place = world.queued(0, &place);
    let card = Command::SendContact { to: world.peer(1), name: "Carla".into(), phone: "+31655555555".into() };
    let card = world.queued(0, &card);
    world.settle();
    for (text, found) in [("sail", poll), ("sail wind gladly", poll), ("square", place), ("carla", card)] {
        let search = Command::Search { text: text.into(), of: None, before: None, limit: 10 };
        let Reply::Messages(messages) = world.must(1, &search) else { panic!() };
        assert_eq!(messages.iter().map(|message| message.message).collect::<Vec<_>>(), [found], "{text}");
    }
}
