use super::*;
use crate::id::DeviceId;

const NOW_S: u64 = 1_700_000_000;

fn account(n: u8) -> AccountId {
    AccountId::from_bytes([n; 16])
}

fn device(n: u8) -> Sender {
    Sender { account: account(n), device: DeviceId::from_bytes([n + 100; 16]) }
}

fn conversation() -> ConversationId {
    ConversationId::from_bytes([9; 16])
}

fn signing_key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn leaves(members: &[u8]) -> Leaves {
    let leaf = |n: u8| Leaf { signature_key: signing_key(n).verifying_key().to_bytes(), encryption_key: vec![n; 32] };
    members.iter().map(|n| (account(*n), BTreeMap::from([(device(*n).device, leaf(*n))]))).collect()
}

/// Account 1 is the admin; 2 and 3 are members.
fn try_change(rules: &GroupRules, author: u8, change: &Change) -> Result<(), Denied> {
    check(conversation(), rules, &leaves(&[1, 2, 3]), device(author), change, NOW_S)
}

fn rules() -> GroupRules {
    GroupRules::of_creator(account(1))
}

fn add(n: u8) -> Change {
    Change { added: vec![device(n)], ..Change::default() }
}

fn remove(n: u8) -> Change {
    Change { removed: vec![device(n)], ..Change::default() }
}

fn leave_proof(n: u8, leaf_key: u8) -> LeaveProof {
    let message = LeaveProof::message(conversation(), device(n), &[leaf_key; 32]);
    LeaveProof { sender: device(n), signature: signing_key(n).sign(&message).to_bytes().to_vec().into() }
}

#[test]
fn who_may_add() {
    assert_eq!(try_change(&rules(), 2, &add(4)), Ok(()));
    assert_eq!(try_change(&rules(), 4, &add(5)), Err(Denied::NotMember));
    let strict = GroupRules { adding: Who::Admins, ..rules() };
    assert_eq!(try_change(&strict, 2, &add(4)), Err(Denied::NotAdmin));
    assert_eq!(try_change(&strict, 1, &add(4)), Ok(()));
    let banned = GroupRules { banned: vec![account(4)], ..rules() };
    assert_eq!(try_change(&banned, 1, &add(4)), Err(Denied::Banned));
    // An admin may lift the ban in the same commit.
    let lifting = Change { rules: Some(rules()), ..add(4) };
    assert_eq!(try_change(&banned, 1, &lifting), Ok(()));
    assert_eq!(try_change(&banned, 2, &lifting), Err(Denied::NotAdmin));
}

#[test]
fn who_may_remove() {
    assert_eq!(try_change(&rules(), 1, &remove(2)), Ok(()));
    assert_eq!(try_change(&rules(), 2, &remove(3)), Err(Denied::NotAdmin));
    // An admin who is removed is no admin any more.
    assert_eq!(try_change(&rules(), 2, &remove(1)), Err(Denied::NotAdmin));
    let two = GroupRules { admins: vec![account(1), account(2)], ..rules() };
    assert_eq!(try_change(&two, 1, &remove(2)), Err(Denied::NoAdmin));
    assert_eq!(try_change(&two, 1, &Change { rules: Some(rules()), ..remove(2) }), Ok(()));
}

#[test]
fn who_left_may_be_removed_by_anybody_and_nobody_else() {
    let gone = |proof| Change { left: vec![proof], ..remove(3) };
    assert_eq!(try_change(&rules(), 2, &gone(leave_proof(3, 3))), Ok(()));
    assert_eq!(try_change(&rules(), 2, &gone(leave_proof(3, 7))), Err(Denied::BadLeave), "of an earlier stay");
    let forged = LeaveProof { sender: device(3), ..leave_proof(2, 3) };
    assert_eq!(try_change(&rules(), 2, &gone(forged)), Err(Denied::BadLeave));
    assert_eq!(try_change(&rules(), 2, &gone(leave_proof(2, 2))), Err(Denied::NotAdmin));
}

#[test]
fn members_without_devices_are_kept_in_the_rules_by_anybody() {
    let away = GroupRules { away: vec![account(3)], ..rules() };
    let noting = Change { rules: Some(away.clone()), ..remove(3) };
    assert_eq!(try_change(&rules(), 2, &noting), Ok(()));
    // Not somebody who is still there, nor a stranger.
    assert_eq!(try_change(&rules(), 2, &Change { rules: Some(away), ..Change::default() }), Err(Denied::NotAdmin));
    let stranger = GroupRules { away: vec![account(8)], ..rules() };
    assert_eq!(
        try_change(&rules(), 2, &Change { rules: Some(stranger.clone()), ..Change::default() }),
        Err(Denied::NotAdmin)
    );
    let named = Change { rules: Some(stranger.clone()), ..Change::default() };
    assert_eq!(try_change(&rules(), 1, &named), Err(Denied::BadRules), "an admin cannot make up members either");
    // Who is away comes back without an invite; only an admin expels them.
    let back = Change { external: true, ..add(8) };
    assert_eq!(try_change(&stranger, 8, &back), Ok(()));
    assert_eq!(try_change(&rules(), 8, &back), Err(Denied::NotMember));
    let expel = Change { rules: Some(rules()), ..Change::default() };
    assert_eq!(try_change(&stranger, 2, &expel), Err(Denied::NotAdmin));
    assert_eq!(try_change(&stranger, 1, &expel), Ok(()));
}

#[test]
fn only_admins_change_rules_and_one_is_always_left() {
    let announcements = Change { rules: Some(GroupRules { posting: Who::Admins, ..rules() }), ..Change::default() };
    assert_eq!(try_change(&rules(), 2, &announcements), Err(Denied::NotAdmin));
    assert_eq!(try_change(&rules(), 1, &announcements), Ok(()));
    let with = |admins: Vec<AccountId>| Change { rules: Some(GroupRules { admins, ..rules() }), ..Change::default() };
    assert_eq!(try_change(&rules(), 1, &with(vec![])), Err(Denied::NoAdmin));
    assert_eq!(try_change(&rules(), 1, &with(vec![account(7)])), Err(Denied::NoAdmin));
    assert_eq!(try_change(&rules(), 1, &with(vec![account(2), account(1)])), Err(Denied::BadRules));
    assert_eq!(try_change(&rules(), 1, &with(vec![account(2)])), Ok(()));
}

#[test]
fn an_invite_lets_in_who_holds_its_secret_until_it_ends() {
    let secret = [5; 32];
    let invite = Invite { key: InviteKey::of(&secret), expires_s: Some(NOW_S + 1), approval: false };
    let open = |invite: Invite| GroupRules { invites: vec![invite], ..rules() };
    let join = |n: u8, proof: JoinProof| Change { external: true, invite: Some(proof), ..add(n) };
    let proof = JoinProof::sign(&secret, conversation(), device(4));
    assert_eq!(try_change(&open(invite.clone()), 4, &join(4, proof.clone())), Ok(()));
    // Somebody else's proof, another secret, after its time, revoked, banned, to be approved.
    assert_eq!(try_change(&open(invite.clone()), 5, &join(5, proof.clone())), Err(Denied::BadInvite));
    let wrong = JoinProof::sign(&[6; 32], conversation(), device(4));
    assert_eq!(try_change(&open(invite.clone()), 4, &join(4, wrong)), Err(Denied::BadInvite));
    let expired = open(Invite { expires_s: Some(NOW_S), ..invite.clone() });
    assert_eq!(try_change(&expired, 4, &join(4, proof.clone())), Err(Denied::BadInvite));
    assert_eq!(try_change(&rules(), 4, &join(4, proof.clone())), Err(Denied::BadInvite));
    let banned = GroupRules { banned: vec![account(4)], ..open(invite.clone()) };
    assert_eq!(try_change(&banned, 4, &join(4, proof.clone())), Err(Denied::Banned));
    let approval = open(Invite { approval: true, ..invite.clone() });
    assert_eq!(try_change(&approval, 4, &join(4, proof.clone())), Err(Denied::ApprovalNeeded));
    assert!(approval.check_request(conversation(), device(4), &proof, NOW_S).is_ok());
    // An external commit does nothing else.
    let greedy = Change { removed: vec![device(2)], ..join(4, proof) };
    assert_eq!(try_change(&open(invite), 4, &greedy), Err(Denied::NotOnlyJoining));
}

#[test]
fn rules_keep_their_form() {
    let rules = GroupRules {
        admins: vec![account(1)],
        posting: Who::Admins,
        banned: vec![account(2)],
        away: vec![account(3)],
        invites: vec![Invite { key: InviteKey([4; 32]), expires_s: Some(NOW_S), approval: true }],
        ..GroupRules::default()
    };
    assert_eq!(GroupRules::decode(&rules.encode()).unwrap(), rules);
    insta::assert_json_snapshot!("rules", rules);
    let hex: String = rules.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!("rules_encoded", hex);
}
