use super::*;

#[test]
fn two_people_read_each_other_and_recognize_their_own() {
    let (mut a, mut b) = pair();
    let message = a.encrypt("hello");
    match b.process(&message).unwrap() {
        Processed::Message { sender, plaintext } => {
            assert_eq!(sender, a.mls.identity().credential);
            assert_eq!(plaintext, b"hello");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(a.process(&message).unwrap(), Processed::Own);
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn a_replay_is_told_apart_from_what_cannot_be_read() {
    let (mut a, mut b) = pair();
    let message = a.encrypt("once");
    b.read(&message);
    assert!(matches!(b.process(&message), Err(MlsError::Replay)));

    let mut damaged = a.encrypt("twice");
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(b.process(&damaged), Err(MlsError::Undecryptable { .. })));
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn messages_may_be_missing_and_a_little_out_of_order() {
    let (mut a, mut b) = pair();
    let messages: Vec<_> = (0..20).map(|number| a.encrypt(&number.to_string())).collect();
    assert_eq!(b.read(&messages[19]), "19");
    assert_eq!(b.read(&messages[5]), "5");
    assert!(matches!(b.process(&messages[1]), Err(MlsError::Replay)), "out of tolerance");
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn messages_of_another_epoch_say_which() {
    let (mut a, mut b) = pair();
    let old = a.encrypt("old");
    let update = a.self_update().unwrap();
    a.merge();
    let new = a.encrypt("new");
    assert!(matches!(b.process(&new), Err(MlsError::WrongEpoch { message: 2, group: 1 })));
    b.process(&update.payload).unwrap();
    assert!(matches!(b.process(&old), Err(MlsError::WrongEpoch { message: 1, group: 2 })));
    assert_eq!(b.read(&new), "new");
}

#[test]
fn a_message_made_while_a_commit_waits_can_be_read() {
    let (mut a, mut b) = pair();
    a.self_update().unwrap();
    let message = a.encrypt("meanwhile");
    assert_eq!(b.read(&message), "meanwhile");
}

#[test]
fn a_transaction_that_is_rolled_back_leaves_the_group_usable() {
    let (mut a, mut b) = pair();
    let (conversation, message) = (a.conversation, a.encrypt("again"));
    for _ in 0..3 {
        let undone: Result<(), MlsError> = b.call(|mls, tx| {
            mls.process(tx, conversation, &message, None)?;
            mls.encrypt(tx, conversation, b"never sent")?;
            mls.self_update(tx, conversation)?;
            Err(MlsError::Internal("crash".into()))
        });
        assert!(undone.is_err());
    }
    assert_eq!(b.read(&message), "again");
    assert_eq!(b.state(), State::Member { epoch: 1, pending: false });
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn the_size_of_a_short_message_is_hidden() {
    let (mut a, _) = pair();
    assert_eq!(a.encrypt("y").len(), a.encrypt("yes").len());
}

#[test]
fn signals_open_for_members_of_the_epoch_and_from_their_sender_only() {
    let (mut a, mut b) = pair();
    let conversation = a.conversation;
    let (sender_a, sender_b) = (a.sender(), b.sender());
    let signal = a.call(|mls, tx| mls.seal_signal(tx, conversation, b"typing")).unwrap();
    let open =
        |b: &mut Device, sender, signal: &[u8]| b.call(|mls, tx| mls.open_signal(tx, conversation, sender, signal));
    assert_eq!(open(&mut b, sender_a, &signal).unwrap(), b"typing");
    assert!(matches!(open(&mut b, sender_b, &signal), Err(MlsError::Undecryptable { .. })));
    for length in 0..signal.len() {
        assert!(open(&mut b, sender_a, &signal[..length]).is_err());
    }
    let update = b.self_update().unwrap();
    b.merge();
    assert!(matches!(open(&mut b, sender_a, &signal), Err(MlsError::WrongEpoch { message: 1, group: 2 })));
    a.process(&update.payload).unwrap();
    assert_in_touch(&mut a, &mut b);
}
