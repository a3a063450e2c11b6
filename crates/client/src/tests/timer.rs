//! Messages that disappear, and what a group says of itself.

use super::world::World;
use crate::db::Db;
use crate::view::{Body, Conversation, Notice};
use crate::{ClientError, Command, Event, Peer, Reply};
use tidings_proto::group::Who;
use tidings_proto::id::ConversationId;

impl World {
    fn timer(&mut self, who: usize, of: Peer, seconds: Option<u64>) -> Result<Reply, ClientError> {
        self.ask(who, Command::SetTimer { of, seconds })
    }

    pub fn chat(&mut self, who: usize, of: ConversationId) -> Conversation {
        self.conversations(who).into_iter().find(|row| row.conversation == of).unwrap()
    }

    fn said_in(&mut self, who: usize, of: ConversationId) -> Vec<String> {
        let texts = self.messages(who, of).into_iter().filter_map(|message| match message.body {
            Body::Text { text } => Some(text),
            _ => None,
        });
        texts.collect()
    }

    fn notices(&mut self, who: usize, of: ConversationId) -> Vec<Notice> {
        let notices = self.messages(who, of).into_iter().filter_map(|message| match message.body {
            Body::Notice { notice } => Some(notice),
            _ => None,
        });
        notices.collect()
    }

    fn timers_told(&mut self, who: usize, of: ConversationId) -> Vec<Option<u64>> {
        let notices = self.notices(who, of).into_iter().filter_map(|notice| match notice {
            Notice::TimerSet { seconds, .. } => Some(seconds),
            _ => None,
        });
        notices.collect()
    }
}

#[test]
fn messages_disappear_at_their_time_with_all_that_hangs_on_them() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "stays");
    world.settle();
    let conversation = world.conversation(0).conversation;
    let of = world.peer(1);
    world.timer(0, of.clone(), Some(60)).unwrap();
    // It counts at once for who set it, also before the server knows.
    let goes = world.say(0, 1, "goes");
    world.settle();
    for who in 0..2 {
        assert_eq!(world.chat(who, conversation).timer_s, Some(60));
        assert_eq!(world.timers_told(who, conversation), [Some(60)]);
        assert_eq!(world.said_in(who, conversation), ["stays", "goes"]);
    }
    let back = world.peer(0);
    world.must(1, &Command::React { to: back.clone(), message: goes, emoji: Some("👍".into()) });
    world.must(1, &Command::Star { message: goes, on: true });
    world.must(0, &Command::Edit { to: of.clone(), message: goes, text: "goes too".into() });
    world.timer(1, back.clone(), None).unwrap();
    let reply = Command::text(back, "an answer", Some(goes));
    world.must(1, &reply);
    world.settle();

    world.pass(30_000);
    assert_eq!(world.said_in(0, conversation), ["stays", "goes too", "an answer"]);
    world.pass(31_000);
    for who in 0..2 {
        assert_eq!(world.said_in(who, conversation), ["stays", "an answer"]);
        let shown = world.messages(who, conversation);
        assert!(shown.iter().all(|message| message.reply_to.is_none() && message.expires_ms.is_none()));
        let removed = Event::MessageRemoved { conversation, message: goes };
        assert!(world.people[who].events.contains(&removed));
        assert_eq!(world.chat(who, conversation).timer_s, None);
        for table in ["reaction", "orphan", "chat_state", "outbox"] {
            let db = world.people[who].client.as_ref().unwrap().db.connection();
            let rows: u64 = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
            assert_eq!(rows, 0, "{table}");
        }
    }
}

#[test]
fn a_message_is_gone_for_those_who_were_away_and_nobody_wonders() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let conversation = world.conversation(0).conversation;
    let of = world.peer(1);
    world.timer(0, of, Some(30)).unwrap();
    world.say(0, 1, "read in time");
    world.settle();
    world.set_online(1, false);
    world.settle();
    world.say(0, 1, "never read");
    world.settle();
    world.pass(31_000);
    assert_eq!(world.said_in(1, conversation), ["hello"], "without a server");
    world.set_online(1, true);
    world.settle();
    for who in 0..2 {
        assert_eq!(world.said_in(who, conversation), ["hello"]);
        assert!(!world.notices(who, conversation).contains(&Notice::HistoryMissing));
        assert_eq!(world.conversations(who)[0].unread, u64::from(who == 1));
    }
}

#[test]
fn a_group_tells_its_timer_and_name_as_its_rules_allow() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    let of = Peer::Conversation(group);
    let rules = Command::SetRules { group: of.clone(), posting: None, editing: Some(Who::Admins), adding: None };
    world.must(0, &rules);
    world.settle();
    let refused = world.timer(1, of.clone(), Some(60)).unwrap_err();
    assert!(refused.to_string().contains("only admins"), "{refused}");
    world.timer(0, of.clone(), Some(60)).unwrap();
    // Neither undoes the other while both are on their way.
    let profile = |name: Option<&str>, description: Option<&str>| Command::SetGroupProfile {
        group: of.clone(),
        name: name.map(Into::into),
        description: description.map(Into::into),
        picture: None,
    };
    let rename = profile(Some("Film"), Some("Fridays"));
    world.must(0, &rename);
    world.must(0, &Command::text(of.clone(), "goes", None));
    world.must(0, &Command::AddMembers { group: of.clone(), members: vec![world.peer(2)] });
    world.settle();
    for who in 0..3 {
        let row = world.chat(who, group);
        assert_eq!((row.timer_s, row.title.as_str()), (Some(60), "Film"));
        assert_eq!(world.group(who, group).description.as_deref(), Some("Fridays"));
    }
    for who in 0..2 {
        assert_eq!(world.timers_told(who, group), [Some(60)]);
        let renamed = world
            .notices(who, group)
            .into_iter()
            .any(|notice| matches!(notice, Notice::Renamed { name: Some(name), .. } if name == "Film"));
        assert!(renamed);
        assert_eq!(world.said_in(who, group), ["goes"]);
    }
    world.pass(60_001);
    assert_eq!(world.said_in(1, group), Vec::<String>::new());
    let same = profile(Some("Film"), None);
    assert_eq!(world.must(0, &same), Reply::Done);
    assert!(world.ask(0, profile(Some(" "), None)).is_err());
}

#[test]
fn spans_beyond_the_limits_are_refused_and_notes_to_oneself_can_go_too() {
    let mut world = World::signed_in(1);
    for seconds in [0, 29, 90 * 86_400 + 1] {
        assert!(world.timer(0, Peer::Me, Some(seconds)).is_err());
    }
    world.timer(0, Peer::Me, Some(30)).unwrap();
    world.must(0, &Command::text(Peer::Me, "note", None));
    world.settle();
    let conversation = world.conversation(0).conversation;
    assert_eq!(world.said_in(0, conversation), ["note"]);
    world.crash(0);
    world.pass(30_001);
    assert_eq!(world.said_in(0, conversation), Vec::<String>::new());
}

#[test]
fn nothing_of_a_deleted_message_stays_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.db");
    let mut db = Db::from_connection(rusqlite::Connection::open(&path).unwrap()).unwrap();
    let held = |secret: &str| {
        std::fs::read_dir(folder.path()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
        })
    };
    let write = |db: &mut Db, sql: &str| {
        db.transaction(|tx| tx.execute_batch(sql).map_err(crate::db::DbError::from)).unwrap();
    };
    write(
        &mut db,
        "INSERT INTO message (message, conversation, seq, account, device, own, time_ms, kind, text, counts)
         VALUES (x'01', x'02', 1, x'03', x'04', 1, 5, 0, 'the secret of the test', 1)",
    );
    assert!(held("the secret of the test"), "otherwise this test proves nothing");
    write(&mut db, "DELETE FROM message");
    db.scrub();
    assert!(!held("the secret of the test"));
}
