use super::*;
use crate::mls::key_package::LIFETIME_S;

fn group_info(device: &mut Device) -> Vec<u8> {
    let bundle = device.self_update().unwrap();
    device.merge();
    bundle.group_info
}

#[test]
fn who_lost_the_state_rejoins_in_place_of_the_old_leaf() {
    let (mut a, mut b) = pair();
    let update = a.self_update().unwrap();
    a.merge();
    b.lose_state();
    assert_eq!(b.state(), State::Absent);
    assert!(matches!(b.process(&update.payload), Err(MlsError::NoGroup)));

    let rejoin = b.rejoin(&update.group_info).unwrap();
    assert_eq!(rejoin.epoch, 2);
    assert!(rejoin.change.external);
    assert_eq!(rejoin.change.added, [b.sender()]);
    assert_eq!(b.state(), State::Joining { epoch: 3 });
    let conversation = b.conversation;
    assert!(matches!(b.call(|mls, tx| mls.encrypt(tx, conversation, b"")), Err(MlsError::Joining)));

    match a.process(&rejoin.payload).unwrap() {
        Processed::Commit(committed) => {
            assert_eq!(committed.author, b.mls.identity().credential);
            assert_eq!(committed.added, [b.mls.identity().credential.clone()]);
            assert_eq!(committed.removed, [b.mls.identity().credential.clone()]);
        }
        other => panic!("{other:?}"),
    }
    b.merge();
    assert_eq!(a.mls.members(a.db.connection(), conversation).unwrap().len(), 2);
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn a_rejoin_that_lost_its_race_begins_again() {
    let (mut a, mut b) = pair();
    let info = group_info(&mut a);
    b.lose_state();
    b.rejoin(&info).unwrap();
    let newer = group_info(&mut a);
    let conversation = b.conversation;
    b.call(|mls, tx| mls.drop_pending(tx, conversation)).unwrap();
    assert_eq!(b.state(), State::Absent);
    let rejoin = b.rejoin(&newer).unwrap();
    let mut b = b.restart();
    assert!(matches!(b.process(&rejoin.payload), Ok(Processed::Commit(committed)) if committed.own));
    a.process(&rejoin.payload).unwrap();
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn a_device_with_a_working_group_may_rejoin_too() {
    let (mut a, mut b) = pair();
    let info = group_info(&mut a);
    let rejoin = b.rejoin(&info).unwrap();
    b.merge();
    a.process(&rejoin.payload).unwrap();
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn a_new_device_of_a_member_joins_by_itself_and_a_strangers_is_refused() {
    let (mut a, _) = pair();
    let info = group_info(&mut a);
    let mut second = Device::new(2, 24);
    let join = second.rejoin(&info).unwrap();
    second.merge();
    a.process(&join.payload).unwrap();
    assert_in_touch(&mut a, &mut second);

    let info = group_info(&mut a);
    let mut stranger = Device::new(3, 33);
    assert!(matches!(stranger.rejoin(&info), Err(MlsError::Invalid { .. })));
    // A stranger whose program does not check gets no further.
    let forged = policy::external_commit_without_checks(&mut stranger, &info);
    assert!(matches!(a.process(&forged), Err(MlsError::Invalid { .. })));
}

#[test]
fn a_welcome_opens_once() {
    let (mut a, mut b) = (Device::new(1, 11), Device::new(2, 22));
    let bundle = a.create(&mut [&mut b]).unwrap();
    a.merge();
    b.join(&bundle).unwrap();
    assert!(matches!(b.join(&bundle), Err(MlsError::NoKeyPackage)));
    assert_in_touch(&mut a, &mut b);
    b.lose_state();
    assert!(matches!(b.join(&bundle), Err(MlsError::NoKeyPackage)));
}

#[test]
fn a_package_of_last_resort_opens_any_number_of_welcomes_but_never_an_old_one() {
    let (mut a, mut b) = (Device::new(1, 11), Device::new(2, 22));
    let packages = b.call(|mls, tx| mls.make_key_packages(tx, 0, true, NOW_S)).unwrap();
    assert_eq!(packages.len(), 1);
    let package = [(b.sender(), packages[0].payload.clone())];
    let conversation = a.conversation;
    let mut bundles = Vec::new();
    for _ in 0..2 {
        let invitees = invitees(&package);
        let bundle =
            a.call(|mls, tx| mls.create(tx, conversation, ConversationKind::Direct, &invitees, NOW_S)).unwrap();
        a.merge();
        bundles.push(bundle);
    }
    b.join(&bundles[1]).unwrap();
    assert_in_touch(&mut a, &mut b);
    assert!(matches!(b.join(&bundles[0]), Err(MlsError::StaleWelcome { welcome: 1, group: 1 })));
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn a_welcome_that_is_refused_costs_no_key_package() {
    let (mut a, mut b) = (Device::new(1, 11), Device::new(2, 22));
    let mut bundle = a.create(&mut [&mut b]).unwrap();
    a.merge();
    let good = bundle.welcomes[0].payload.clone();
    let mut damaged = good.as_slice().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    bundle.welcomes[0].payload = damaged.into();
    assert!(matches!(b.join(&bundle), Err(MlsError::Invalid { .. })));
    bundle.welcomes[0].payload = good;
    b.join(&bundle).unwrap();
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn key_packages_age() {
    let (mut a, mut b) = (Device::new(1, 11), Device::new(2, 22));
    let package = [(b.sender(), b.key_package())];
    let conversation = a.conversation;
    let mut create = |now_s| {
        let invitees = invitees(&package);
        a.call(|mls, tx| mls.create(tx, conversation, ConversationKind::Direct, &invitees, now_s))
    };
    assert!(matches!(create(NOW_S + LIFETIME_S + 2 * 86_400), Err(MlsError::BadKeyPackage { .. })));
    create(NOW_S + LIFETIME_S).unwrap();

    let mut discard = |now_s| b.call(|mls, tx| mls.discard_old_key_packages(tx, now_s)).unwrap();
    assert_eq!(discard(NOW_S + LIFETIME_S + 30 * 86_400), 0, "a welcome may still wait in the inbox");
    assert_eq!(discard(NOW_S + LIFETIME_S + 40 * 86_400), 1);
}

#[test]
fn members_who_were_away_for_a_year_can_read_the_commit_that_adds_a_device() {
    let (mut a, mut b) = pair();
    let mut c = Device::new(1, 12);
    let package = [(c.sender(), c.key_package())];
    let (conversation, later) = (a.conversation, NOW_S + LIFETIME_S - 1);
    let added = a.call(|mls, tx| mls.add(tx, conversation, &invitees(&package), later)).unwrap();
    a.merge();
    // The tests' day is years ago by the machine's clock, which OpenMLS asks.
    b.process(&added.payload).unwrap();
    c.join(&added).unwrap();
    assert_in_touch(&mut b, &mut c);
}
