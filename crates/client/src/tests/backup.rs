//! Backup, wipe, restore.

use super::world::{Fault, World, is_new_number};
use crate::command::FileHead;
use crate::db::Db;
use crate::view::{Body, Notice};
use crate::{ClientError, Command, Event, Reply};
use tidings_proto::id::AccountId;
use tidings_proto::problem::Code;

const SECRET: &str = "correct horse battery";

fn set_secret(world: &mut World, who: usize) {
    let set = Command::SetBackupSecret { passphrase: Some(SECRET.into()) };
    assert_eq!(world.ask(who, set), Ok(Reply::BackupSecret { code: None }));
    world.settle();
}

fn account(world: &mut World, who: usize) -> AccountId {
    let Ok(Reply::Status(status)) = world.ask(who, Command::Status) else { panic!("no status") };
    status.account.unwrap()
}

fn safety(world: &mut World, who: usize, other: usize) -> String {
    let of = world.peer(other);
    match world.ask(who, Command::SafetyNumber { who: of }) {
        Ok(Reply::SafetyNumber { digits, .. }) => digits,
        other => panic!("{other:?}"),
    }
}

/// A new device of the same number, signed in without keys.
fn fresh(world: &mut World, who: usize) -> usize {
    let phone = world.people[who].phone.clone();
    let new = world.add(phone.clone(), Db::open_memory().unwrap());
    let login = Command::LoginToRestore {
        phone,
        code: "000000".into(),
        device_name: "new".into(),
        pin: None,
        forgot_pin: false,
    };
    match world.ask(new, login) {
        Ok(Reply::SignedIn { backup: Some(_) }) => new,
        other => panic!("{other:?}"),
    }
}

/// The old device is gone: lost, and silent from now on.
fn lose(world: &mut World, who: usize) {
    world.set_online(who, false);
}

fn restore(world: &mut World, who: usize, secret: &str) -> usize {
    let new = fresh(world, who);
    let restored = world.ask(new, Command::Restore { secret: secret.into() });
    assert!(matches!(restored, Ok(Reply::LoggedIn { .. })), "{restored:?}");
    world.settle();
    new
}

fn talked() -> World {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.say(1, 0, "hello yourself");
    world.settle();
    world
}

#[test]
fn what_was_lost_with_a_device_comes_back_and_nobody_sees_another_identity() {
    let mut world = talked();
    let liked = world.say(1, 0, "like this");
    world.settle();
    let to = world.peer(1);
    world.ask(0, Command::React { to: to.clone(), message: liked, emoji: Some("👍".into()) }).unwrap();
    world.ask(0, Command::MarkVerified { who: to }).unwrap();
    let old_safety = safety(&mut world, 1, 0);
    set_secret(&mut world, 0);
    let shown = world.shown(0);
    lose(&mut world, 0);

    let new = restore(&mut world, 0, SECRET);
    assert_eq!(world.shown(new), shown);
    let conversation = world.conversation(new);
    assert!(conversation.verified, "who was verified is");
    let message =
        world.messages(new, conversation.conversation).into_iter().find(|message| message.message == liked).unwrap();
    assert_eq!(message.reactions.len(), 1);
    assert!(world.people[new].events.contains(&Event::Restored { messages: 3, damaged: 0 }));

    world.say(1, 0, "welcome back");
    world.say(new, 1, "it is me");
    world.settle();
    assert_eq!(world.shown(new)[3..], ["welcome back", "it is me"]);
    assert_eq!(world.shown(1)[3..], ["welcome back", "it is me"]);
    assert_eq!(safety(&mut world, 1, new), old_safety);
    let conversation = world.conversation(1).conversation;
    assert!(world.messages(1, conversation).iter().all(|message| !is_new_number(&message.body)));
    let missing = Body::Notice { notice: Notice::HistoryMissing };
    let conversation = world.conversation(new).conversation;
    assert!(world.messages(new, conversation).iter().all(|message| message.body != missing));
}

#[test]
fn what_was_said_after_the_backup_shows_one_by_one_and_nothing_else_is_called_lost() {
    let mut world = talked();
    set_secret(&mut world, 0);
    lose(&mut world, 0);
    world.say(1, 0, "for a device that is lost");
    world.settle();
    let new = restore(&mut world, 0, SECRET);
    world.say(1, 0, "welcome back");
    world.settle();
    let conversation = world.conversation(new).conversation;
    let bodies: Vec<Body> = world.messages(new, conversation).into_iter().map(|message| message.body).collect();
    assert!(
        matches!(&bodies[2..], [Body::Unreadable { .. }, Body::Text { text }] if text == "welcome back"),
        "{bodies:?}"
    );
}

#[test]
fn the_logs_wait_for_the_state_in_a_file() {
    let mut world = talked();
    set_secret(&mut world, 0);
    let mut parts = vec![];
    loop {
        let part = Command::BackUpToFile { part: parts.len() as u64 };
        let Ok(Reply::FilePart { bytes, more, .. }) = world.ask(0, part) else { panic!("no part") };
        parts.push(bytes);
        if !more {
            break;
        }
    }
    lose(&mut world, 0);
    let new = fresh(&mut world, 0);
    let (head, end) = (parts[0].as_slice(), parts[parts.len() - 1].as_slice());
    let head = FileHead { lock: head[12..].to_vec().into(), manifest: end[..end.len() - 16].to_vec().into() };
    let open = Command::RestoreFromFile { head, secret: SECRET.into() };
    assert!(matches!(world.ask(new, open.clone()), Ok(Reply::LoggedIn { .. })));
    world.drain();
    assert!(world.conversations(new).is_empty(), "it reads no log yet");
    assert!(matches!(world.ask(new, open), Ok(Reply::FileOpened { .. })));
    for (index, bytes) in parts[1..parts.len() - 1].iter().enumerate() {
        let part = Command::RestorePart { index: index as u64, bytes: bytes.clone() };
        assert_eq!(world.ask(new, part), Ok(Reply::Done));
    }
    world.settle();
    let conversation = world.conversation(new).conversation;
    let bodies: Vec<Body> = world.messages(new, conversation).into_iter().map(|message| message.body).collect();
    assert!(matches!(&bodies[..], [Body::Text { .. }, Body::Text { .. }]), "{bodies:?}");
    // What never comes is not waited for.
    lose(&mut world, new);
    let other = fresh(&mut world, 0);
    let head =
        FileHead { lock: parts[0].as_slice()[12..].to_vec().into(), manifest: end[..end.len() - 16].to_vec().into() };
    assert!(matches!(
        world.ask(other, Command::RestoreFromFile { head, secret: SECRET.into() }),
        Ok(Reply::LoggedIn { .. })
    ));
    world.settle();
    assert_eq!(world.conversations(other).len(), 1, "the log is read without the file");
}

#[test]
fn a_wrong_secret_brings_nothing_and_a_code_is_taken_as_it_was_written_down() {
    let mut world = talked();
    let Ok(Reply::BackupSecret { code: Some(code) }) = world.ask(0, Command::SetBackupSecret { passphrase: None })
    else {
        panic!("no code")
    };
    world.settle();
    lose(&mut world, 0);
    let new = fresh(&mut world, 0);
    let wrong = world.ask(new, Command::Restore { secret: "0000-0000".into() });
    assert!(matches!(wrong, Err(ClientError::Refused { code: Code::WrongPassphrase, .. })), "{wrong:?}");
    let restored = world.ask(new, Command::Restore { secret: code.to_lowercase().replace('-', " ") });
    assert!(matches!(restored, Ok(Reply::LoggedIn { .. })), "{restored:?}");
    world.settle();
    assert_eq!(world.shown(new), ["hello", "hello yourself"]);
}

#[test]
fn only_what_changed_is_sent_again_and_nothing_is_left_over() {
    let mut world = talked();
    set_secret(&mut world, 0);
    world.people[0].requests.clear();
    let before = world.server.backups.blobs.clone();
    let again = world.ask(0, Command::BackUp);
    assert!(matches!(&again, Ok(Reply::Backup(backup)) if backup.generation == 1), "{again:?}");
    assert_eq!(world.people[0].requests, ["Get /v1/backup"]);
    assert_eq!(world.server.backups.blobs, before);

    world.say(0, 1, "news");
    world.settle();
    let again = world.ask(0, Command::BackUp);
    assert!(matches!(&again, Ok(Reply::Backup(backup)) if (backup.generation, backup.messages) == (2, 3)), "{again:?}");
    // State, messages, manifest.
    assert_eq!(world.server.backups.blobs.len(), 3);
}

#[test]
fn a_run_that_is_cut_anywhere_leaves_a_backup_that_restores() {
    let mut calm = talked();
    set_secret(&mut calm, 0);
    calm.say(0, 1, "later");
    calm.settle();
    let mut copy = calm.copy();
    copy.ask(0, Command::BackUp).unwrap();
    let outputs = copy.people[0].outputs;
    for at in 0..outputs {
        for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::CutBefore, Fault::CutAfter] {
            let mut world = calm.copy();
            world.people[0].fault = Some((at, fault));
            let _ = world.ask(0, Command::BackUp);
            world.people[0].fault = None;
            world.settle();
            let done = world.ask(0, Command::BackUp);
            assert!(matches!(done, Ok(Reply::Backup(_))), "{at} {fault:?}: {done:?}");
            assert_eq!(world.server.backups.blobs.len(), 3, "{at} {fault:?}: rubbish is left");
            lose(&mut world, 0);
            let new = restore(&mut world, 0, SECRET);
            assert_eq!(world.shown(new), ["hello", "hello yourself", "later"], "{at} {fault:?}");
        }
    }
}

#[test]
fn a_restore_that_is_cut_anywhere_goes_on() {
    let mut calm = talked();
    set_secret(&mut calm, 0);
    lose(&mut calm, 0);
    fresh(&mut calm, 0);
    let calm_copy = |calm: &World| {
        let mut world = calm.copy();
        world.set_online(0, false);
        world
    };
    let mut copy = calm_copy(&calm);
    let begun = copy.people[2].outputs;
    copy.ask(2, Command::Restore { secret: SECRET.into() }).unwrap();
    copy.settle();
    for at in begun..copy.people[2].outputs {
        for fault in [Fault::CrashBefore, Fault::CutAfter] {
            let mut world = calm_copy(&calm);
            world.people[2].fault = Some((at, fault));
            let first = world.ask(2, Command::Restore { secret: SECRET.into() });
            world.people[2].fault = None;
            if first.is_err() {
                let again = world.ask(2, Command::Restore { secret: SECRET.into() });
                let in_already = matches!(again, Err(ClientError::AlreadyLoggedIn));
                assert!(in_already || matches!(again, Ok(Reply::LoggedIn { .. })), "{at} {fault:?}: {again:?}");
            }
            world.settle();
            assert_eq!(world.shown(2), ["hello", "hello yourself"], "{at} {fault:?}");
        }
    }
}

#[test]
fn damaged_parts_are_left_out_and_told_and_a_damaged_manifest_brings_nothing() {
    let mut world = talked();
    set_secret(&mut world, 0);
    let me = account(&mut world, 0);
    lose(&mut world, 0);
    let manifest = world.server.backups.heads[&me].1;
    let whole = world.server.backups.blobs.clone();

    let new = fresh(&mut world, 0);
    for at in [0, 1, 40, whole[&(me, manifest)].0.len() - 1] {
        world.server.backups.blobs.get_mut(&(me, manifest)).unwrap().0[at] ^= 1;
        let refused = world.ask(new, Command::Restore { secret: SECRET.into() });
        assert!(matches!(refused, Err(ClientError::NotAllowed { .. })), "{at}: {refused:?}");
        world.server.backups.blobs = whole.clone();
    }
    // Chunks that change places, and one that is gone.
    let chunks: Vec<_> = whole.keys().filter(|(_, blob)| *blob != manifest).copied().collect();
    assert_eq!(chunks.len(), 2);
    let first = whole[&chunks[0]].clone();
    world.server.backups.blobs.insert(chunks[0], whole[&chunks[1]].clone());
    world.server.backups.blobs.insert(chunks[1], first);
    let restored = world.ask(new, Command::Restore { secret: SECRET.into() });
    assert!(matches!(restored, Ok(Reply::LoggedIn { .. })), "{restored:?}");
    world.settle();
    assert!(world.people[new].events.contains(&Event::Restored { messages: 2, damaged: 2 }));
    world.say(1, 0, "can be read");
    world.settle();
    assert_eq!(world.shown(new).last().map(String::as_str), Some("can be read"));
}

#[test]
fn who_starts_anew_is_somebody_else_to_their_contacts() {
    let mut world = talked();
    set_secret(&mut world, 0);
    let old_safety = safety(&mut world, 1, 0);
    lose(&mut world, 0);
    let new = fresh(&mut world, 0);
    assert!(matches!(world.ask(new, Command::StartAnew), Ok(Reply::LoggedIn { .. })));
    world.settle();
    world.say(new, 1, "new me");
    world.settle();
    assert_ne!(safety(&mut world, 1, new), old_safety);
}

#[test]
fn another_device_takes_the_backup_over_and_the_former_one_stops() {
    let mut world = talked();
    set_secret(&mut world, 0);
    let new = restore(&mut world, 0, SECRET);
    set_secret(&mut world, new);
    let refused = world.ask(0, Command::BackUp);
    assert!(matches!(refused, Err(ClientError::NotAllowed { .. })), "{refused:?}");
    let Ok(Reply::Backup(left)) = world.ask(0, Command::BackupStatus) else { panic!("no status") };
    assert_eq!((left.secret, left.chunks), (None, 0));
    let Ok(Reply::Backup(kept)) = world.ask(new, Command::BackUp) else { panic!("no backup") };
    assert_eq!(kept.messages, 2);
    assert_eq!(world.server.backups.blobs.len(), 3);
}

#[test]
fn the_secret_is_asked_for_once_in_a_while() {
    let mut world = talked();
    set_secret(&mut world, 0);
    let prove = |world: &mut World| match world.ask(0, Command::BackupStatus) {
        Ok(Reply::Backup(backup)) => backup.prove,
        other => panic!("{other:?}"),
    };
    assert!(!prove(&mut world));
    world.now_ms += 31 * 24 * 3_600_000;
    assert!(prove(&mut world));
    let wrong = world.ask(0, Command::ProveBackupSecret { secret: "who knows what it was".into() });
    assert!(matches!(wrong, Err(ClientError::NotAllowed { .. })), "{wrong:?}");
    assert_eq!(world.ask(0, Command::ProveBackupSecret { secret: SECRET.into() }), Ok(Reply::Done));
    assert!(!prove(&mut world));
}
