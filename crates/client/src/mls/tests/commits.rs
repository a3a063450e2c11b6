use super::*;
use crate::mls::group::Committed;

fn committed(processed: Result<Processed, MlsError>) -> Committed {
    match processed.unwrap() {
        Processed::Commit(committed) => committed,
        other => panic!("{other:?} is no commit"),
    }
}

#[test]
fn a_creation_declares_what_it_does() {
    let (mut a, mut b, mut c) = (Device::new(1, 11), Device::new(2, 22), Device::new(2, 23));
    let bundle = a.create(&mut [&mut b, &mut c]).unwrap();
    assert_eq!(bundle.epoch, 0);
    assert_eq!(bundle.change.create, Some(ConversationKind::Direct));
    assert_eq!(bundle.change.added, [a.sender(), b.sender(), c.sender()]);
    assert_eq!(bundle.welcomes.len(), 2);
    a.merge();
    assert_eq!(b.join(&bundle).unwrap().epoch, 1);
    let joined = c.join(&bundle).unwrap();
    let mut devices: Vec<_> = joined.members.iter().map(|member| member.device).collect();
    devices.sort();
    assert_eq!(devices, [a.sender().device, b.sender().device, c.sender().device]);
    assert_in_touch(&mut a, &mut b);
    let message = b.encrypt("to all");
    assert_eq!(c.read(&message), "to all");
    assert_eq!(a.read(&message), "to all");
}

#[test]
fn devices_come_and_go() {
    let (mut a, mut b) = pair();
    let mut c = Device::new(1, 12);
    let added = a.add(&mut c).unwrap();
    a.merge();
    let seen = committed(b.process(&added.payload));
    assert_eq!((seen.epoch, seen.own, seen.removed_self), (2, false, false));
    assert_eq!(seen.author, a.mls.identity().credential);
    assert_eq!(seen.added, [c.mls.identity().credential.clone()]);
    c.join(&added).unwrap();
    assert_in_touch(&mut b, &mut c);

    let (conversation, gone) = (a.conversation, c.sender());
    let removed = a.call(|mls, tx| mls.remove(tx, conversation, &[gone])).unwrap();
    assert_eq!(removed.change.removed, [gone]);
    a.merge();
    assert_eq!(committed(b.process(&removed.payload)).removed, [c.mls.identity().credential.clone()]);
    assert!(committed(c.process(&removed.payload)).removed_self);
    assert_eq!(c.state(), State::Removed);
    let message = a.encrypt("without c");
    assert!(matches!(c.process(&message), Err(MlsError::Removed)));
    assert_eq!(b.read(&message), "without c");
}

#[test]
fn of_two_commits_at_once_the_loser_takes_the_winners() {
    let (mut a, mut b) = pair();
    let won = a.self_update().unwrap();
    let lost = b.self_update().unwrap();
    assert_eq!(b.state(), State::Member { epoch: 1, pending: true });
    a.merge();
    committed(b.process(&won.payload));
    assert_eq!(b.state(), State::Member { epoch: 2, pending: false });
    assert!(matches!(a.process(&lost.payload), Err(MlsError::WrongEpoch { message: 1, group: 2 })));
    assert_in_touch(&mut a, &mut b);
    let again = b.self_update().unwrap();
    b.merge();
    committed(a.process(&again.payload));
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn a_pending_commit_survives_a_restart() {
    let (mut a, mut b) = pair();
    let update = a.self_update().unwrap();
    let mut a = a.restart();
    assert_eq!(a.state(), State::Member { epoch: 1, pending: true });
    assert!(matches!(a.self_update(), Err(MlsError::PendingCommit)));
    a.merge();
    committed(b.process(&update.payload));
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn the_own_commit_is_recognized_in_the_log() {
    let (mut a, mut b) = pair();
    let update = a.self_update().unwrap();
    let mut a = a.restart();
    assert!(committed(a.process(&update.payload)).own);
    committed(b.process(&update.payload));
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn a_dropped_commit_leaves_no_trace() {
    let (mut a, mut b) = pair();
    a.self_update().unwrap();
    let conversation = a.conversation;
    a.call(|mls, tx| mls.drop_pending(tx, conversation)).unwrap();
    assert_eq!(a.state(), State::Member { epoch: 1, pending: false });
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn both_create_at_once_and_the_loser_takes_the_welcome() {
    let (mut a, mut b) = (Device::new(1, 11), Device::new(2, 22));
    let won = a.create(&mut [&mut b]).unwrap();
    b.create(&mut [&mut a]).unwrap();
    a.merge();
    b.join(&won).unwrap();
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn a_creation_that_lost_can_be_dropped() {
    let (mut a, mut b) = (Device::new(1, 11), Device::new(2, 22));
    a.create(&mut [&mut b]).unwrap();
    let conversation = a.conversation;
    a.call(|mls, tx| mls.drop_pending(tx, conversation)).unwrap();
    assert_eq!(a.state(), State::Absent);
}

#[test]
fn a_member_whose_commits_are_many_stays_in_touch() {
    let (mut a, mut b) = pair();
    for _ in 0..8 {
        let update = a.self_update().unwrap();
        a.merge();
        committed(b.process(&update.payload));
        let update = b.self_update().unwrap();
        b.merge();
        committed(a.process(&update.payload));
        assert_in_touch(&mut a, &mut b);
    }
    for device in [&a, &b] {
        let rows: u32 =
            device.db.connection().query_row("SELECT count(*) FROM mls_state", [], |row| row.get(0)).unwrap();
        assert!(rows <= 16, "{rows} rows: keys of old epochs are left behind");
    }
}
