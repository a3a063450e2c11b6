//! The history that a linked device gets from the old one.

use super::world::{Fault, World};
use crate::event::Transfer;
use crate::view::{Body, Notice, Tick};
use crate::{Command, Event, Reply};

/// Messages of before, as many as asked for, besides the two that were said.
fn talked(many: u32) -> World {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.say(1, 0, "hello yourself");
    world.settle();
    if many > 0 {
        world.sql(
            0,
            &format!(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {many})
                 INSERT INTO message (message, conversation, seq, account, device, own, time_ms, kind, text, counts)
                 SELECT randomblob(16), conversation, 2, account, device, 0, 1600000000000 + n, 0, 'old ' || n, 1
                 FROM n, (SELECT conversation, account, device FROM message LIMIT 1);"
            ),
        );
    }
    world
}

fn count(world: &World, who: usize) -> u64 {
    let db = &world.people[who].client.as_ref().unwrap().db;
    db.connection().query_row("SELECT count(*) FROM message WHERE kind = 0", [], |row| row.get(0)).unwrap()
}

fn restored(world: &World, who: usize) -> Vec<(u64, u64)> {
    let events = world.people[who].events.iter();
    events
        .filter_map(|event| match event {
            Event::Restored { messages, damaged } => Some((*messages, *damaged)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_linked_device_gets_what_was_said_before_the_newest_first() {
    let mut world = talked(12_000);
    let laptop = world.link(0);
    assert_eq!(count(&world, laptop), 12_002);
    assert_eq!(restored(&world, laptop), [(12_002, 0)]);
    let moved = |who: usize, what: Transfer| -> Vec<(u64, u64)> {
        let events = world.people[who].events.iter();
        events
            .filter_map(|event| match event {
                Event::Transfer { what: of, done, total } if *of == what => Some((*done, *total)),
                _ => None,
            })
            .collect()
    };
    let sent = moved(0, Transfer::History);
    assert_eq!(sent.last(), Some(&(12_002, 12_002)));
    assert!(sent.len() >= 3, "in rounds: {sent:?}");
    let came = moved(laptop, Transfer::Restore);
    assert!(came.iter().all(|(done, total)| done <= total) && came.last() == Some(&(12_002, 12_002)), "{came:?}");
    // What came first is the newest: its rows are the older ones here.
    let db = &world.people[laptop].client.as_ref().unwrap().db;
    let first: String = db
        .connection()
        .query_row("SELECT text FROM message WHERE kind = 0 AND text LIKE 'old%' ORDER BY local LIMIT 1", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(first[4..].parse::<u32>().unwrap() > 8_000, "{first}");
    let missing = Body::Notice { notice: Notice::HistoryMissing };
    let conversation = world.conversation(1).conversation;
    assert!(world.messages(laptop, conversation).iter().all(|message| message.body != missing));
    assert!(world.server.backups.blobs.is_empty(), "what was taken over goes");
}

#[test]
fn history_goes_on_when_either_device_goes_away() {
    let calm = talked(2_100);
    let mut copy = calm.copy();
    copy.link(0);
    let (old, new) = (copy.people[0].outputs, copy.people[2].outputs);
    for (who, outputs) in [(0, old), (2, new)] {
        for at in (0..outputs).step_by(7) {
            for fault in [Fault::CrashAfter, Fault::CutAfter] {
                let mut world = calm.copy();
                let (laptop, code) = world.show_code(0);
                // What opens and redeems the link has tests of its own.
                world.ask(0, Command::ApproveLink { code }).unwrap();
                let linked = world.ask(laptop, Command::AwaitLink);
                assert!(matches!(linked, Ok(Reply::LoggedIn { .. })), "{linked:?}");
                world.people[who].fault = Some((world.people[who].outputs + at, fault));
                world.settle();
                world.people[who].fault = None;
                world.settle();
                assert_eq!(count(&world, laptop), 2_102, "{who} {at} {fault:?}");
                assert!(restored(&world, laptop).iter().all(|(_, damaged)| *damaged == 0));
            }
        }
    }
}

#[test]
fn what_is_said_and_changed_while_the_new_device_comes_in_is_there_too() {
    let mut world = talked(10);
    let first = world.say(0, 1, "to be changed");
    let second = world.say(0, 1, "to be taken back");
    world.settle();
    let (laptop, code) = world.show_code(0);
    world.must(0, &Command::ApproveLink { code });
    let linked = world.ask(laptop, Command::AwaitLink);
    assert!(matches!(linked, Ok(Reply::LoggedIn { .. })), "{linked:?}");
    // The history goes out while the laptop is away, and what follows is not in it.
    world.set_online(laptop, false);
    world.drain();
    let bram = world.peer(1);
    world.must(0, &Command::Edit { to: bram.clone(), message: first, text: "changed".into() });
    world.must(0, &Command::Delete { to: bram, message: second });
    world.say(1, 0, "meanwhile");
    world.drain();
    world.set_online(laptop, true);
    world.settle();
    let conversation = world.conversation(1).conversation;
    let shown = |world: &mut World, who: usize| -> Vec<(Body, String)> {
        world.messages(who, conversation).into_iter().map(|it| (it.body, format!("{:?}", it.reactions))).collect()
    };
    assert_eq!(shown(&mut world, laptop), shown(&mut world, 0));
    let unread = |world: &mut World, who: usize| world.conversations(who).iter().map(|row| row.unread).sum::<u64>();
    assert_eq!((unread(&mut world, laptop), unread(&mut world, 0)), (12, 12));
}

#[test]
fn ticks_in_a_group_are_those_of_the_old_device() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    let unread = world.tell(0, group, "read by nobody");
    world.settle();
    let laptop = world.link(0);
    world.settle();
    assert_eq!(world.tick_of(0, unread), Some(Tick::Delivered));
    let ticks = |world: &mut World, who: usize| -> Vec<_> {
        world.messages(who, group).into_iter().map(|message| message.tick).collect()
    };
    assert_eq!(ticks(&mut world, laptop), ticks(&mut world, 0));
    let since = |world: &mut World, who: usize| -> Vec<u64> {
        world.group(who, group).members.into_iter().map(|member| member.since_ms).collect()
    };
    assert_eq!(since(&mut world, laptop), since(&mut world, 0));
}
