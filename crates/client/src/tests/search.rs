//! What was said is found again, and what was deleted is not.

use super::world::{World, line};
use crate::db::Db;
use crate::{ClientError, Command, Peer, Reply};
use tidings_proto::id::MessageId;

impl World {
    fn search_in(&mut self, who: usize, text: &str, of: Option<Peer>, before: Option<MessageId>) -> Vec<String> {
        let search = Command::Search { text: text.into(), of, before, limit: 2 };
        match self.must(who, &search) {
            Reply::Messages(messages) => messages.iter().map(line).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn search(&mut self, who: usize, text: &str) -> Vec<String> {
        self.search_in(who, text, None, None)
    }

    /// Everything that the index holds.
    fn index(&self, who: usize) -> Vec<String> {
        let db = self.people[who].client.as_ref().unwrap().db.connection();
        db.execute_batch("INSERT INTO search (search) VALUES ('integrity-check')").unwrap();
        let mut rows = db.prepare("SELECT words FROM search ORDER BY rowid").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }
}

#[test]
fn what_was_said_is_found_as_it_reads_now() {
    let mut world = World::signed_in(2);
    let message = world.say(0, 1, "Candles for the cake");
    world.settle();
    for who in 0..2 {
        assert_eq!(world.search(who, "cake candle"), ["Candles for the cake"]);
        assert_eq!(world.search(who, "andles"), Vec::<String>::new());
    }
    let to = world.peer(1);
    world.must(0, &Command::Edit { to: to.clone(), message, text: "Matches for the fire".into() });
    world.settle();
    for who in 0..2 {
        assert_eq!(world.search(who, "candles"), Vec::<String>::new());
        assert_eq!(world.search(who, "matches"), ["Matches for the fire (edited)"]);
    }
    world.set_online(0, false);
    world.must(0, &Command::Delete { to, message });
    assert_eq!(world.search(0, "matches"), Vec::<String>::new(), "before it is sent");
    world.set_online(0, true);
    world.settle();
    for who in 0..2 {
        assert_eq!(world.search(who, "matches"), Vec::<String>::new());
        assert_eq!(world.index(who), Vec::<String>::new());
    }
    // Whatever takes a message away takes its words.
    world.say(0, 1, "disappears");
    world.settle();
    assert_eq!(world.index(1), ["disappears"]);
    world.sql(1, "DELETE FROM message");
    assert_eq!(world.index(1), Vec::<String>::new());
}

#[test]
fn the_newest_come_first_page_by_page_in_one_conversation_or_in_all() {
    let mut world = World::signed_in(3);
    let mut said = Vec::new();
    for n in 0..4 {
        said.push(world.say(0, 1 + n % 2, &format!("word {n}")));
        world.settle();
        world.pass(10);
    }
    assert_eq!(world.search(0, "word"), ["word 2", "word 3"]);
    assert_eq!(world.search_in(0, "word", None, Some(said[2])), ["word 0", "word 1"]);
    assert_eq!(world.search_in(0, "word", None, Some(said[0])), Vec::<String>::new());
    let peer = world.peer(1);
    assert_eq!(world.search_in(0, "word", Some(peer), None), ["word 0", "word 2"]);
    let long = Command::Search { text: "x".repeat(2_000), of: None, before: None, limit: 1 };
    assert!(matches!(world.ask(0, long), Err(ClientError::TooLong { .. })));
}

#[test]
fn one_can_go_to_a_message_that_was_found() {
    let mut world = World::signed_in(2);
    let said: Vec<MessageId> = (0..9).map(|n| world.say(0, 1, &n.to_string())).collect();
    world.settle();
    let around =
        |world: &mut World, message: MessageId| match world.must(1, &Command::MessagesAround { message, limit: 4 }) {
            Reply::Messages(messages) => messages,
            other => panic!("{other:?}"),
        };
    let found = around(&mut world, said[4]);
    assert_eq!(found.iter().map(line).collect::<Vec<_>>(), ["3", "4", "5", "6"]);
    let (of, after) = (Peer::Conversation(found[0].conversation), found[3].position);
    let Reply::Messages(later) = world.must(1, &Command::MessagesAfter { of, after, limit: 10 }) else { panic!() };
    assert_eq!(later.iter().map(line).collect::<Vec<_>>(), ["7", "8"]);
    assert_eq!(around(&mut world, said[8]).iter().map(line).collect::<Vec<_>>(), ["5", "6", "7", "8"]);
    assert_eq!(around(&mut world, said[0]).iter().map(line).collect::<Vec<_>>(), ["0", "1", "2"]);
    let unknown = Command::MessagesAround { message: MessageId::new(1, [9; 10]), limit: 4 };
    assert_eq!(world.ask(1, unknown), Err(ClientError::NoSuchMessage));
}

#[test]
fn who_logs_out_and_in_again_starts_with_an_empty_index_that_works() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "before");
    world.settle();
    world.must(1, &Command::Logout);
    assert_eq!(world.index(1), Vec::<String>::new());
    world.login(1);
    world.say(0, 1, "after");
    world.settle();
    assert_eq!(world.search(1, "after"), ["after"]);
    assert_eq!(world.search(1, "before"), Vec::<String>::new());
}

#[test]
fn deleted_words_are_gone_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.db");
    let mut db = Db::from_connection(rusqlite::Connection::open(&path).unwrap()).unwrap();
    let put =
        |db: &mut Db, sql: &str| db.transaction::<_, crate::db::DbError>(|tx| Ok(tx.execute_batch(sql)?)).unwrap();
    for n in 0..50 {
        let sql = format!(
            "INSERT INTO message (message, conversation, seq, account, device, own, time_ms, kind, text, counts)
             VALUES (x'{n:032x}', x'00', {n}, x'00', x'00', 0, {n}, 0, 'commonplace number{n} secretword', 1)"
        );
        put(&mut db, &sql);
    }
    let holds = |word: &str| {
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    };
    db.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert!(holds("secretword"), "this file is not encrypted");
    put(&mut db, "UPDATE message SET text = replace(text, 'secretword', 'x')");
    put(&mut db, "DELETE FROM message WHERE seq < 49");
    db.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert!(holds("number49") && !holds("secretword") && !holds("number12"));
}
