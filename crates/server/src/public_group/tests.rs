//! Real commits of real devices against the public state.

#[path = "../../tests/live/mls.rs"]
mod mls;

use super::{Groups, Held, PublicState, Refusal};
use mls::{Intent, MlsDevice, group_conversation, stranger};
use tidings_proto::entry::{Change, Sender};
use tidings_proto::frame::Commit;
use tidings_proto::group::{Denied, GroupRules, Invite, InviteKey, JoinProof, Who};
use tidings_proto::id::{ConversationId, MessageId};
use tidings_proto::payload::Payload;

const NOW_S: u64 = 1_700_000_000;

struct Group {
    conversation: ConversationId,
    a: MlsDevice,
    b: MlsDevice,
    c: MlsDevice,
    state: PublicState,
}

/// Of A, who is the admin, and B; C is not in it.
fn group() -> Group {
    let (mut a, mut b, c) = (MlsDevice::new(stranger(1)), MlsDevice::new(stranger(2)), MlsDevice::new(stranger(3)));
    let conversation = group_conversation();
    let rules = GroupRules::of_creator(a.sender.account);
    let commit = a.create(conversation, &rules, vec![b.key_package()]);
    let mut state = PublicState::begin(conversation, a.sender, &commit).unwrap();
    let verified = state.verify(a.sender, &commit, NOW_S).unwrap();
    state.apply(verified).unwrap();
    b.join(commit.welcomes[0].payload.as_slice(), &state.tree().unwrap());
    Group { conversation, a, b, c, state }
}

impl Group {
    fn take(&mut self, by: Sender, commit: &Commit) -> Result<(), Refusal> {
        let verified = self.state.verify(by, commit, NOW_S)?;
        self.state.apply(verified)
    }

    /// Restarts the server.
    fn reload(&mut self, newest: &Commit) {
        let tree = self.state.tree().unwrap();
        self.state = PublicState::load(self.conversation, newest.group_info.as_slice(), &tree).unwrap();
    }
}

fn invalid(result: Result<(), Refusal>) -> String {
    match result {
        Err(Refusal::Invalid(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_state_follows_adds_removals_rules_and_external_commits_also_over_a_restart() {
    let mut group = group();
    let (a, b, c) = (group.a.sender, group.b.sender, group.c.sender);
    let add = group.a.commit(group.conversation, Intent { add: vec![group.c.key_package()], ..Intent::default() });
    group.take(a, &add).unwrap();
    group.reload(&add);
    group.a.merge();
    group.b.process(add.payload.as_slice());
    let secret = [5; 32];
    let invites = vec![Invite { key: InviteKey::of(&secret), expires_s: None, approval: false }];
    let rules = GroupRules { posting: Who::Admins, invites, ..GroupRules::of_creator(a.account) };
    let change = group.a.commit(group.conversation, Intent { rules: Some(rules.clone()), ..Intent::default() });
    group.take(a, &change).unwrap();
    assert_eq!(*group.state.rules(), rules);
    group.reload(&change);
    group.a.merge();
    assert_eq!(*group.state.rules(), rules);

    // B lost its state, and comes back on its own; D comes by the link.
    let tree = group.state.tree().unwrap();
    let back = group.b.join_by_commit(group.conversation, change.group_info.as_slice(), &tree, None);
    assert_eq!(back.change.removed, [b]);
    group.take(b, &back).unwrap();
    let mut d = MlsDevice::new(stranger(4));
    let tree = group.state.tree().unwrap();
    let proof = JoinProof::sign(&secret, group.conversation, d.sender);
    let joins = d.join_by_commit(group.conversation, back.group_info.as_slice(), &tree, Some(proof));
    group.take(d.sender, &joins).unwrap();
    group.a.process(back.payload.as_slice());
    group.a.process(joins.payload.as_slice());
    let remove = group.a.commit(group.conversation, Intent { remove: vec![c, b], ..Intent::default() });
    group.take(a, &remove).unwrap();
    assert!(group.state.leaf(b).is_none() && group.state.leaf(d.sender).is_some());
}

#[test]
fn what_is_declared_has_to_be_what_is_done() {
    let mut group = group();
    let (a, c) = (group.a.sender, group.c.sender);
    let add = group.a.commit(group.conversation, Intent { add: vec![group.c.key_package()], ..Intent::default() });
    let spoilt = |spoil: &dyn Fn(&mut Change)| {
        let mut commit = add.clone();
        spoil(&mut commit.change);
        commit
    };
    let rules = GroupRules { posting: Who::Admins, ..GroupRules::of_creator(a.account) };
    let cases = [
        spoilt(&|change| change.added.clear()),
        spoilt(&|change| change.added = vec![stranger(9)]),
        spoilt(&|change| change.added.push(c)),
        spoilt(&|change| change.removed = vec![stranger(2)]),
        spoilt(&|change| change.external = true),
        spoilt(&|change| change.rules = Some(rules.clone())),
    ];
    for (number, commit) in cases.iter().enumerate() {
        assert!(matches!(group.take(a, commit), Err(Refusal::Undeclared(_))), "case {number}");
    }
    // A rule that is changed and not said so.
    group.a.drop_pending();
    let mut silent = group.a.commit(group.conversation, Intent { rules: Some(rules), ..Intent::default() });
    silent.change.rules = None;
    assert_eq!(group.take(a, &silent), Err(Refusal::Undeclared("the rules")));
    // Nothing of all that had an effect.
    group.a.drop_pending();
    let good = group.a.commit(group.conversation, Intent::default());
    group.take(a, &good).unwrap();
}

#[test]
fn a_commit_is_its_authors_and_of_this_epoch_and_this_group() {
    let mut group = group();
    let (a, b) = (group.a.sender, group.b.sender);
    let update = group.a.commit(group.conversation, Intent::default());
    assert!(invalid(group.take(b, &update)).contains("another device"));
    let mut flipped = update.clone();
    let mut bytes = flipped.payload.as_slice().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    flipped.payload = Payload::from(bytes);
    invalid(group.take(a, &flipped));
    for cut in [0, 3, 40, update.payload.len() - 1] {
        let payload = update.payload.as_slice()[..cut].to_vec().into();
        invalid(group.take(a, &Commit { payload, ..update.clone() }));
    }
    group.take(a, &update).unwrap();
    invalid(group.take(a, &update));
    group.a.merge();
    group.b.process(update.payload.as_slice());
    // A commit of another group.
    let mut other = self::group();
    let foreign = other.a.commit(other.conversation, Intent::default());
    invalid(group.take(a, &foreign));
    // A proposal by itself, and a message of no use.
    let proposal = group.b.removal_proposal(a);
    invalid(group.take(b, &Commit { payload: proposal.into(), ..update.clone() }));
    invalid(group.take(a, &Commit { payload: update.group_info.clone(), ..update }));
}

#[test]
fn the_group_info_is_of_exactly_the_new_state() {
    let mut group = group();
    let a = group.a.sender;
    let old = group.a.group_info(false);
    let update = group.a.commit(group.conversation, Intent::default());
    let with_info = |info: Vec<u8>| Commit { group_info: info.into(), ..update.clone() };
    assert!(invalid(group.take(a, &with_info(old))).contains("another state"));
    assert!(invalid(group.take(a, &with_info(update.payload.as_slice().to_vec()))).contains("none"));
    let good = update.group_info.as_slice().to_vec();
    for position in (0..good.len()).step_by(7).chain([good.len() - 1, good.len() - 80]) {
        let mut flipped = good.clone();
        flipped[position] ^= 1;
        invalid(group.take(a, &with_info(flipped)));
        invalid(group.take(a, &with_info(good[..position].to_vec())));
    }
    invalid(group.take(a, &with_info([&good[..], &[0]].concat())));
    // The one that merges it can sign what it likes; a tree does not belong there.
    group.a.merge();
    let with_tree = group.a.group_info(true);
    assert!(invalid(group.take(a, &with_info(with_tree))).contains("no other extension"));
    let again = group.a.group_info(false);
    group.take(a, &with_info(again)).unwrap();
}

#[test]
fn a_confirmation_tag_that_differs_is_found_though_openmls_does_not_look_at_it() {
    let mut group = group();
    let a = group.a.sender;
    let update = group.a.commit(group.conversation, Intent::default());
    let mut bytes = update.payload.as_slice().to_vec();
    // The confirmation tag stands before the membership tag: 32 bytes each, and a length.
    let position = bytes.len() - 40;
    bytes[position] ^= 1;
    let verified = group.state.verify(a, &Commit { payload: bytes.into(), ..update }, NOW_S).unwrap();
    assert!(invalid(group.state.apply(verified)).contains("confirmation tag"));
}

#[test]
fn the_rules_are_kept() {
    let mut group = group();
    let (a, b, c) = (group.a.sender, group.b.sender, group.c.sender);
    let denied = |result: Result<(), Refusal>| match result {
        Err(Refusal::Denied(denied)) => denied,
        other => panic!("{other:?}"),
    };
    let expel = group.b.commit(group.conversation, Intent { remove: vec![a], ..Intent::default() });
    assert_eq!(denied(group.take(b, &expel)), Denied::NotAdmin);
    group.b.drop_pending();
    let usurp = GroupRules::of_creator(b.account);
    let usurp = group.b.commit(group.conversation, Intent { rules: Some(usurp), ..Intent::default() });
    assert_eq!(denied(group.take(b, &usurp)), Denied::NotAdmin);
    group.b.drop_pending();
    let nobody = GroupRules { admins: vec![], ..GroupRules::default() };
    let nobody = group.a.commit(group.conversation, Intent { rules: Some(nobody), ..Intent::default() });
    assert_eq!(denied(group.take(a, &nobody)), Denied::NoAdmin);
    group.a.drop_pending();
    // An outsider joins by itself only with an invite.
    let (info, tree) = (group.a.group_info(false), group.state.tree().unwrap());
    let joins = group.c.join_by_commit(group.conversation, &info, &tree, None);
    assert_eq!(denied(group.take(c, &joins)), Denied::NotMember);
    let forged = JoinProof::sign(&[8; 32], group.conversation, c);
    let joins = group.c.join_by_commit(group.conversation, &info, &tree, Some(forged));
    assert_eq!(denied(group.take(c, &joins)), Denied::BadInvite);
    // Who left is removed by anybody who shows the proof, and by nobody without.
    let proof = group.a.leave_proof(group.conversation);
    let mut remove = group.b.commit(
        group.conversation,
        Intent { remove: vec![a], rules: Some(GroupRules::of_creator(b.account)), ..Intent::default() },
    );
    remove.change.left = vec![proof];
    assert_eq!(denied(group.take(b, &remove)), Denied::NotAdmin, "the rules are still not B's to change");
}

#[test]
fn leaves_that_would_break_the_group_are_refused() {
    let mut group = group();
    let a = group.a.sender;
    let add = |group: &mut Group, package| {
        let commit = group.a.commit(group.conversation, Intent { add: vec![package], ..Intent::default() });
        group.a.drop_pending();
        commit
    };
    let ends = openmls::prelude::Lifetime::new(3_600);
    let package = group.c.key_package_until(ends);
    let commit = add(&mut group, package);
    assert!(invalid(group.take(a, &commit)).contains("lifetime"));
    // Somebody's idea of a leaf that fills the tree.
    let package = group.c.large_key_package();
    let commit = add(&mut group, package);
    assert!(invalid(group.take(a, &commit)).contains("too large"));
    // A further device of a member is welcome.
    let spoilt = Sender { device: stranger(55).device, ..group.b.sender };
    let other = MlsDevice::with_identity(spoilt, &mls::identity(group.b.sender.account));
    let commit = add(&mut group, other.key_package());
    group.take(a, &commit).unwrap();
}

#[test]
fn a_group_begins_as_its_creator_says_and_only_so() {
    let (mut a, b) = (MlsDevice::new(stranger(1)), MlsDevice::new(stranger(2)));
    let conversation = group_conversation();
    let rules = GroupRules::of_creator(a.sender.account);
    let good = a.create(conversation, &rules, vec![b.key_package()]);
    let begin = |by: Sender, commit: &Commit| PublicState::begin(conversation, by, commit).map(|_| ());
    begin(a.sender, &good).unwrap();
    assert!(invalid(begin(a.sender, &Commit { origin: None, ..good.clone() })).contains("origin"));
    invalid(begin(b.sender, &good));
    invalid(PublicState::begin(group_conversation(), a.sender, &good).map(|_| ()));
    let later = Commit { origin: Some(a.group_info(true).into()), ..good.clone() };
    invalid(begin(a.sender, &later));
    let mut other = good.clone();
    other.change.rules = Some(GroupRules { posting: Who::Admins, ..rules });
    assert_eq!(begin(a.sender, &other), Err(Refusal::Undeclared("the rules")));
    let mut d = MlsDevice::new(stranger(4));
    let mut usurped = GroupRules { admins: vec![a.sender.account, d.sender.account], ..GroupRules::default() };
    usurped.admins.sort_unstable();
    let commit = d.create(conversation, &usurped, vec![]);
    assert!(invalid(begin(d.sender, &commit)).contains("first admin"));
}

#[test]
fn groups_that_are_not_in_use_make_room_for_others() {
    // Room for one of these.
    let groups = Groups::with_max_bytes(40_000);
    let hold = |groups: &Groups| {
        let Group { conversation, state, .. } = group();
        let slot = groups.slot(conversation);
        let tree_bytes = state.tree().unwrap().len();
        *slot.state.try_lock().unwrap() = Some(Held { commit: MessageId::from_bytes([1; 16]), state, tree_bytes });
        (conversation, slot)
    };
    let (first, slot) = hold(&groups);
    groups.settle(first, slot);
    let (second, slot) = hold(&groups);
    groups.settle(second, slot);
    assert_eq!(groups.len(), 1);
    assert!(groups.slot(second).state.try_lock().unwrap().is_some(), "the one that was used last stays");
    // Those in use stay, whatever comes.
    let in_use = groups.slot(second);
    let (third, slot) = hold(&groups);
    groups.settle(third, slot);
    assert!(groups.slot(second).state.try_lock().unwrap().is_some());
    drop(in_use);
    // What turned out to be nothing leaves nothing.
    let nothing = group_conversation();
    let before = groups.len();
    groups.settle(nothing, groups.slot(nothing));
    assert_eq!(groups.len(), before);
}
