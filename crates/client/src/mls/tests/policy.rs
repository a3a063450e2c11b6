//! What OpenMLS would accept, and we do not.

use super::*;
use crate::mls::group::{CIPHERSUITE, capabilities, join_config};
use crate::mls::key_package::lifetime;
use crate::mls::provider::Provider;
use ed25519_dalek::SigningKey;
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{
    BasicCredential, CredentialWithKey, KeyPackage, LeafNodeParameters, MlsGroup, MlsMessageBodyIn, MlsMessageIn,
    MlsMessageOut, ProtocolVersion,
};
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
fn a_stolen_a_damaged_and_a_made_up_credential_are_not_added() {
    let mut a = Device::new(1, 11);
    let (victim, mut thief) = (Device::new(2, 22), Device::new(2, 23));
    let genuine = victim.mls.identity().credential.as_bytes().to_vec();
    let mut damaged = thief.mls.identity().credential.as_bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let cases = [
        (victim.sender(), genuine, "a key that its credential does not name"),
        (thief.sender(), damaged, "signature does not verify"),
        (thief.sender(), b"trust me".to_vec(), "not of a known version or length"),
    ];
    for (claimed, credential, expected) in cases {
        let package = [(claimed, package_showing(&mut thief, credential))];
        let made = a.call(|mls, tx| mls.create(tx, direct(), ConversationKind::Direct, &invitees(&package), NOW_S));
        assert_bad_package(made, expected);
    }
}

#[test]
fn a_third_account_does_not_get_into_a_direct_conversation() {
    let (mut a, mut b) = pair();
    let mut stranger = Device::new(3, 33);
    assert!(matches!(a.add(&mut stranger), Err(MlsError::Invalid { .. })));
    assert_eq!(a.state(), State::Member { epoch: 1, pending: false });

    // Also not if the other member's program does not check.
    let package = stranger.key_package();
    let (commit, welcome) = add_without_checks(&mut b, &package);
    assert!(matches!(a.process(&commit), Err(MlsError::Invalid { .. })));
    assert_eq!(a.state(), State::Member { epoch: 1, pending: false });
    // Nor does the stranger's own program go in.
    let joined = stranger.call(|mls, tx| mls.join(tx, direct(), ConversationKind::Direct, &welcome, None));
    assert!(matches!(joined, Err(MlsError::Invalid { .. })));
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
    let info = group_info(&mut a);
    let twin = Device::new(2, 25);
    let forged = issue(&twin, 2, 22);
    let mut twin = liar(twin, forged);
    assert_invalid(twin.rejoin(&info).map(drop), "twice");
    // Nor if the twin's program does not check.
    let payload = external_commit_without_checks(&mut twin, &info);
    assert_invalid(a.process(&payload).map(drop), "twice");
    assert_eq!(a.state(), State::Member { epoch: 2, pending: false });
}

#[test]
fn the_same_device_may_come_back_with_another_identity_but_everybody_sees_it() {
    let (mut a, b) = pair();
    let before = b.mls.identity().credential.clone();
    let changed = issue(&b, 2, 22);
    assert_ne!(changed.identity_key, before.identity_key);
    let mut b = liar(b, changed.clone());
    let info = group_info(&mut a);
    let rejoin = b.rejoin(&info).unwrap();
    match a.process(&rejoin.payload).unwrap() {
        Processed::Commit(committed) => {
            assert_eq!(committed.removed, [before]);
            assert_eq!(committed.added, [changed]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_leaf_does_not_change_hands() {
    let (mut a, mut b) = pair();
    for changed in [issue(&b, 2, 22), issue(&b, 2, 29), issue(&b, 1, 29)] {
        let payload = update_showing(&mut b, &changed);
        assert_invalid(a.process(&payload).map(drop), "change hands");
    }
    assert_in_touch(&mut a, &mut b);
}

#[test]
fn proposals_that_nobody_needs_are_refused() {
    let (mut a, mut b) = pair();
    let alone = openmls_call(&mut b, |mls, provider, group| {
        group.propose_self_update(provider, mls.identity(), Default::default()).unwrap().0.to_bytes().unwrap()
    });
    assert_invalid(a.process(&alone).map(drop), "a proposal on its own");

    let extensions = openmls_call(&mut b, |mls, provider, group| {
        group.clear_pending_proposals(&provider.storage).unwrap();
        let bundle = group
            .commit_builder()
            .consume_proposal_store(false)
            .propose_group_context_extensions(Default::default())
            .unwrap()
            .load_psks(&provider.storage)
            .unwrap()
            .build(provider.random, provider.crypto, mls.identity(), |_| true)
            .unwrap()
            .stage_commit(provider)
            .unwrap();
        bundle.commit().to_bytes().unwrap()
    });
    assert_invalid(a.process(&extensions).map(drop), "GroupContextExtensions");
    assert_eq!(a.state(), State::Member { epoch: 1, pending: false });
}

fn assert_invalid(result: Result<(), MlsError>, expected: &str) {
    match result {
        Err(MlsError::Invalid { why }) => assert!(why.contains(expected), "{why}"),
        other => panic!("{other:?}"),
    }
}

fn group_info(device: &mut Device) -> Vec<u8> {
    let bundle = device.self_update().unwrap();
    device.merge();
    bundle.group_info
}

// What a program without our checks would send.

fn leaf_showing(device: &Device, credential: &[u8]) -> CredentialWithKey {
    let key = device.mls.identity().credential.signature_key;
    CredentialWithKey {
        credential: BasicCredential::new(credential.to_vec()).into(),
        signature_key: key.to_vec().into(),
    }
}

fn package_showing(device: &mut Device, credential: Vec<u8>) -> Vec<u8> {
    let leaf = leaf_showing(device, &credential);
    device
        .call(|mls, tx| {
            let package = KeyPackage::builder()
                .key_package_lifetime(lifetime(NOW_S))
                .leaf_node_capabilities(capabilities())
                .build(CIPHERSUITE, &mls.provider(tx), mls.identity(), leaf)
                .unwrap();
            Ok(MlsMessageOut::from(package.key_package().clone()).to_bytes().unwrap())
        })
        .unwrap()
}

fn add_without_checks(device: &mut Device, package: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let MlsMessageBodyIn::KeyPackage(package) = MlsMessageIn::tls_deserialize_exact(package).unwrap().extract() else {
        panic!("a key package")
    };
    openmls_call(device, |mls, provider, group| {
        let package = package.validate(provider.crypto, ProtocolVersion::Mls10).unwrap();
        let bundle = group
            .commit_builder()
            .propose_adds([package])
            .load_psks(&provider.storage)
            .unwrap()
            .build(provider.random, provider.crypto, mls.identity(), |_| true)
            .unwrap()
            .stage_commit(provider)
            .unwrap();
        (bundle.commit().to_bytes().unwrap(), bundle.to_welcome_msg().unwrap().to_bytes().unwrap())
    })
}

pub(super) fn external_commit_without_checks(device: &mut Device, info: &[u8]) -> Vec<u8> {
    let MlsMessageBodyIn::GroupInfo(info) = MlsMessageIn::tls_deserialize_exact(info).unwrap().extract() else {
        panic!("a GroupInfo")
    };
    device
        .call(|mls, tx| {
            let provider = mls.provider(tx);
            let (_, bundle) = MlsGroup::external_commit_builder()
                .with_config(join_config(ConversationKind::Direct))
                .build_group(&provider, info, mls.credential_with_key())
                .unwrap()
                .leaf_node_parameters(LeafNodeParameters::builder().with_capabilities(capabilities()).build())
                .load_psks(&provider.storage)
                .unwrap()
                .build(provider.random, provider.crypto, mls.identity(), |_| true)
                .unwrap()
                .finalize(&provider)
                .unwrap();
            Ok(bundle.commit().to_bytes().unwrap())
        })
        .unwrap()
}

/// Does something with the group that our own calls would not do. Nothing of it is kept.
fn openmls_call<T>(device: &mut Device, work: impl FnOnce(&Mls, &Provider<'_>, &mut MlsGroup) -> T) -> T {
    let mut result = None;
    let undone: Result<(), MlsError> = device.call(|mls, tx| {
        let (_, mut group) = mls.usable(tx, direct())?;
        result = Some(work(mls, &mls.provider(tx), &mut group));
        Err(MlsError::Internal("undo".into()))
    });
    assert!(undone.is_err());
    result.expect("the work was done")
}

fn update_showing(device: &mut Device, credential: &Credential) -> Vec<u8> {
    let leaf = leaf_showing(device, credential.as_bytes());
    openmls_call(device, |mls, provider, group| {
        let parameters = LeafNodeParameters::builder().with_credential_with_key(leaf).build();
        let bundle = group
            .commit_builder()
            .force_self_update(true)
            .leaf_node_parameters(parameters)
            .load_psks(&provider.storage)
            .unwrap()
            .build(provider.random, provider.crypto, mls.identity(), |_| true)
            .unwrap()
            .stage_commit(provider)
            .unwrap();
        bundle.commit().to_bytes().unwrap()
    })
}
