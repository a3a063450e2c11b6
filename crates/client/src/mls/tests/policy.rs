//! What OpenMLS would accept, and we do not.

use super::*;
use ed25519_dalek::SigningKey;
use tidings_proto::credential::Credential;

/// A device that shows `credential`, whatever it says, and signs with the key of `device`.
fn liar(mut device: Device, credential: Credential) -> Device {
    let mut identity = device.mls.identity().clone();
    identity.credential = credential;
    device.mls = Mls::new(identity, [77; 32]);
    device
}

fn identity_key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn issue(whose: &Device, account_byte: u8, device_byte: u8) -> Credential {
    let signature_key = whose.mls.identity().credential.signature_key;
    let device = DeviceId::from_bytes([device_byte; 16]);
    Credential::issue(&identity_key(66), account(account_byte), device, signature_key, NOW_S + 1_000)
}

fn assert_bad_package(result: Result<CommitBundle, MlsError>, expected: &str) {
    match result {
        Err(MlsError::BadKeyPackage { why, .. }) => assert!(why.contains(expected), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_package_of_another_device_is_not_added() {
    let (mut a, mut b, mut c) = (Device::new(1, 11), Device::new(2, 22), Device::new(2, 23));
    let package = [(b.sender(), c.key_package())];
    let conversation = a.conversation;
    let made = a.call(|mls, tx| mls.create(tx, conversation, ConversationKind::Direct, &invitees(&package), NOW_S));
    assert_bad_package(made, "another device");
    assert_eq!(a.state(), State::Absent, "nothing is left of the attempt");
    assert!(a.create(&mut [&mut b]).is_ok());
}

#[test]
fn an_expired_credential_is_not_added() {
    let mut a = Device::new(1, 11);
    let b = Device::new(2, 22);
    let mut expired = b.mls.identity().credential.clone();
    expired = Credential::issue(&identity_key(66), expired.account, expired.device, expired.signature_key, NOW_S);
    let mut b = liar(b, expired);
    assert_bad_package(a.create(&mut [&mut b]), "expired");
}

#[test]
fn a_credential_of_another_key_is_not_added() {
    let mut a = Device::new(1, 11);
    let (victim, thief) = (Device::new(2, 22), Device::new(2, 23));
    // The thief shows the victim's genuine credential, but does not have its key.
    let mut thief = liar(thief, victim.mls.identity().credential.clone());
    assert!(matches!(a.create(&mut [&mut thief]), Err(MlsError::BadKeyPackage { .. } | MlsError::Internal(_))));
}

#[test]
fn a_third_account_does_not_get_into_a_direct_conversation() {
    let (mut a, mut b) = pair();
    let mut stranger = Device::new(3, 33);
    assert!(matches!(a.add(&mut stranger), Err(MlsError::Invalid { .. })));
    assert_eq!(a.state(), State::Member { epoch: 1, pending: false });

    // Also not if the other member's program does not check.
    b.call(|_, tx| Ok(tx.execute("UPDATE mls_group SET kind = 1", [])?)).unwrap();
    let added = b.add(&mut stranger).unwrap();
    assert!(matches!(a.process(&added.payload), Err(MlsError::Invalid { .. })));
    assert_eq!(a.state(), State::Member { epoch: 1, pending: false });
    // Nor does the stranger's own program go in.
    assert!(matches!(stranger.join(&added), Err(MlsError::Invalid { .. })));
}

#[test]
fn a_device_has_one_leaf() {
    let (mut a, mut b) = pair();
    // The same device id with another signature key: its credential is genuine as far as anybody can tell.
    let twin = Device::new(2, 25);
    let forged = issue(&twin, 2, 22);
    let mut twin = liar(twin, forged);
    match a.add(&mut twin) {
        Err(MlsError::Invalid { why }) => assert!(why.contains("twice"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn an_external_commit_of_a_new_key_does_not_stand_beside_the_old_leaf() {
    let (mut a, _) = pair();
    let info = {
        let bundle = a.self_update().unwrap();
        a.merge();
        bundle.group_info
    };
    let twin = Device::new(2, 25);
    let forged = issue(&twin, 2, 22);
    let mut twin = liar(twin, forged);
    assert!(matches!(twin.rejoin(&info), Err(MlsError::Invalid { .. })));
    twin.call(|mls, tx| {
        // Past the own check, to see the other one's.
        let _ = mls.delete(tx, direct());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_leaf_does_not_change_hands() {
    let (mut a, b) = pair();
    let forged = issue(&b, 2, 22);
    assert_ne!(forged.identity_key, b.mls.identity().credential.identity_key);
    let b_before = b.mls.identity().credential.clone();
    let mut b = liar(b, forged);
    // OpenMLS keeps the leaf's credential in an update, so the lie must go in by an external commit.
    let info = {
        let bundle = a.self_update().unwrap();
        a.merge();
        bundle.group_info
    };
    let rejoin = b.rejoin(&info).unwrap();
    match a.process(&rejoin.payload).unwrap() {
        // The same device with another identity key: allowed, for people do lose their keys, but visible.
        Processed::Commit(committed) => {
            assert_eq!(committed.removed, [b_before]);
            assert_ne!(committed.added[0].identity_key, committed.removed[0].identity_key);
        }
        other => panic!("{other:?}"),
    }
}
