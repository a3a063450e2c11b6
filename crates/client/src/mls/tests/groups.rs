//! Groups: the rules are everybody's, and the tree is not in welcomes.

use super::*;
use crate::mls::group::{Committed, GroupChange};
use crate::mls::join::{Entrance, Joined};
use crate::mls::rules::Declared;
use openmls::prelude::tls_codec::Serialize as _;
use tidings_proto::entry::Change;
use tidings_proto::group::{GroupRules, Invite, InviteKey, JoinProof, LeaveProof, Who};

const SECRET: [u8; 32] = [42; 32];

fn group() -> ConversationId {
    ConversationId::group([7; 16])
}

/// A device in the group's conversation.
fn device(account_byte: u8) -> Device {
    Device { conversation: group(), ..Device::new(account_byte, account_byte * 11) }
}

impl Device {
    fn make_group(&mut self, rules: &GroupRules, others: &mut [&mut Device]) -> CommitBundle {
        let packages: Vec<_> = others.iter_mut().map(|other| (other.sender(), other.key_package())).collect();
        self.call(|mls, tx| mls.create_group(tx, group(), rules, &invitees(&packages), NOW_S)).unwrap()
    }

    fn change(&mut self, change: &GroupChange<'_>) -> Result<CommitBundle, MlsError> {
        self.call(|mls, tx| mls.change_group(tx, group(), change, NOW_S))
    }

    fn add_to_group(&mut self, other: &mut Device) -> Result<CommitBundle, MlsError> {
        let packages = [(other.sender(), other.key_package())];
        self.change(&GroupChange { add: &invitees(&packages), ..GroupChange::default() })
    }

    fn remove_from_group(&mut self, other: &Device) -> Result<CommitBundle, MlsError> {
        self.change(&GroupChange { remove: &[other.sender()], ..GroupChange::default() })
    }

    /// What the server knows.
    fn tree(&mut self) -> Vec<u8> {
        self.call(|mls, tx| {
            mls.ask(tx, group(), |group| Ok(group.export_ratchet_tree().tls_serialize_detached().unwrap()))
        })
        .unwrap()
    }

    fn join_group(&mut self, bundle: &CommitBundle, tree: &[u8]) -> Result<Joined, MlsError> {
        let me = self.sender();
        let welcome = bundle.welcomes.iter().find(|welcome| welcome.device == me.device).expect("it was added");
        self.call(|mls, tx| mls.join(tx, group(), ConversationKind::Group, welcome.payload.as_slice(), Some(tree)))
    }

    fn enter(&mut self, info: &[u8], tree: &[u8], invite: Option<&JoinProof>) -> Result<CommitBundle, MlsError> {
        let from = Entrance { group_info: info, tree: Some(tree), invite };
        self.call(|mls, tx| mls.join_external(tx, group(), ConversationKind::Group, &from)).map(|(_, bundle)| bundle)
    }

    fn follow(&mut self, payload: &[u8], change: &Change) -> Result<Committed, MlsError> {
        let declared = Declared { change, time_s: NOW_S, seq: 1 };
        match self.call(|mls, tx| mls.process(tx, group(), payload, Some(declared)))? {
            Processed::Commit(committed) => Ok(committed),
            other => panic!("{other:?} is no commit"),
        }
    }

    fn take(&mut self, bundle: &CommitBundle) -> Result<Committed, MlsError> {
        self.follow(&bundle.payload, &bundle.change)
    }

    fn rules(&self) -> GroupRules {
        self.mls.group_rules(self.db.connection(), group()).unwrap()
    }
}

/// The first one made the group of all, with these rules.
fn members(rules: &GroupRules) -> [Device; 3] {
    let (mut a, mut b, mut c) = (device(1), device(2), device(3));
    let bundle = a.make_group(rules, &mut [&mut b, &mut c]);
    assert!(bundle.origin.is_some());
    assert_eq!(bundle.change.added.len(), 3);
    assert_eq!(bundle.change.rules.as_ref(), Some(rules));
    a.merge();
    let tree = a.tree();
    b.join_group(&bundle, &tree).unwrap();
    c.join_group(&bundle, &tree).unwrap();
    [a, b, c]
}

fn rules() -> GroupRules {
    GroupRules::of_creator(account(1))
}

fn assert_denied(result: Result<impl std::fmt::Debug, MlsError>, expected: &str) {
    match result {
        Err(MlsError::Denied { why }) => assert!(why.contains(expected), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn everybody_has_the_rules_and_a_welcome_does_not_grow_with_the_group() {
    let [mut a, mut b, c] = members(&rules());
    assert_eq!([a.rules(), b.rules(), c.rules()], [rules(), rules(), rules()]);
    let message = a.encrypt("hello");
    assert_eq!(b.read(&message), "hello");

    let (mut d, mut e) = (device(4), device(5));
    let packages = [(d.sender(), d.key_package()), (e.sender(), e.key_package())];
    let bundle = a.change(&GroupChange { add: &invitees(&packages), ..GroupChange::default() }).unwrap();
    assert!(bundle.welcomes.iter().all(|welcome| welcome.payload.len() < 2_000));
    assert!(bundle.group_info.len() < 2_500, "{}", bundle.group_info.len());
    a.merge();
    let tree = a.tree();
    let without =
        d.call(|mls, tx| mls.join(tx, group(), ConversationKind::Group, bundle.welcomes[0].payload.as_slice(), None));
    assert!(matches!(without, Err(MlsError::Invalid { .. })));
    e.join_group(&bundle, &tree).unwrap();
    assert_eq!(e.rules(), rules());
    b.take(&bundle).unwrap();
    let message = e.encrypt("me too");
    assert_eq!(b.read(&message), "me too");
}

#[test]
fn rules_change_by_a_commit_of_an_admin_and_of_nobody_else() {
    let [mut a, mut b, mut c] = members(&rules());
    let closed = GroupRules { adding: Who::Admins, admins: vec![account(1), account(2)], ..rules() };
    let bundle = a.change(&GroupChange { rules: Some(&closed), ..GroupChange::default() }).unwrap();
    a.merge();
    assert_eq!(b.take(&bundle).unwrap().rules, Some(closed.clone()));
    c.take(&bundle).unwrap();
    assert_eq!(c.rules(), closed);

    let mut d = device(4);
    assert_denied(c.add_to_group(&mut d), "only an admin");
    assert_eq!(c.state(), State::Member { epoch: 2, pending: false }, "nothing is left of the attempt");
    let open = GroupRules { adding: Who::Members, ..closed };
    assert_denied(c.change(&GroupChange { rules: Some(&open), ..GroupChange::default() }), "only an admin");
    let bundle = b.add_to_group(&mut d).unwrap();
    b.merge();
    a.take(&bundle).unwrap();
    c.take(&bundle).unwrap();
}

/// What somebody whose program does not check would send: a commit that the rules forbid.
fn unchecked(device: &mut Device, forbidden: impl FnOnce(&mut Device) -> CommitBundle) -> CommitBundle {
    device.mls.lawless.set(true);
    let bundle = forbidden(device);
    device.mls.lawless.set(false);
    bundle
}

#[test]
fn a_commit_that_the_rules_forbid_is_not_applied_whatever_the_server_says() {
    let [mut a, mut b, mut c] = members(&rules());
    let grab = GroupRules { admins: vec![account(2)], ..rules() };
    let coup = unchecked(&mut b, |b| b.change(&GroupChange { rules: Some(&grab), ..GroupChange::default() }).unwrap());
    assert_denied(a.take(&coup), "only an admin");
    b.call(|mls, tx| mls.drop_pending(tx, group())).unwrap();

    let expulsion = unchecked(&mut b, |b| b.remove_from_group(&c).unwrap());
    assert_denied(a.take(&expulsion), "only an admin");
    assert_denied(c.take(&expulsion), "only an admin");
    assert_eq!(a.state(), State::Member { epoch: 1, pending: false });
    assert_eq!(c.state(), State::Member { epoch: 1, pending: false });
}

#[test]
fn a_commit_that_is_declared_as_something_else_is_not_applied() {
    let [mut a, mut b, mut c] = members(&rules());
    let mut d = device(4);
    let bundle = a.add_to_group(&mut d).unwrap();
    a.merge();
    let hidden = Change { added: vec![], ..bundle.change.clone() };
    let more = Change { removed: vec![c.sender()], ..bundle.change.clone() };
    let other = Change { rules: Some(rules()), ..bundle.change.clone() };
    for forged in [hidden, more, other] {
        assert_denied(b.follow(&bundle.payload, &forged), "something else");
    }
    let silent = b.call(|mls, tx| mls.process(tx, group(), &bundle.payload, None));
    assert!(matches!(silent, Err(MlsError::Invalid { .. })));
    b.take(&bundle).unwrap();
    c.take(&bundle).unwrap();
}

#[test]
fn who_was_removed_reads_nothing_more_and_does_not_come_back() {
    let [mut a, mut b, mut c] = members(&rules());
    let bundle = a.remove_from_group(&c).unwrap();
    a.merge();
    b.take(&bundle).unwrap();
    let gone = c.take(&bundle).unwrap();
    assert!(gone.removed_self && gone.expelled);
    let message = a.encrypt("about c");
    assert_eq!(b.read(&message), "about c");
    assert!(matches!(c.process(&message), Err(MlsError::Removed)));
    let tree = a.tree();
    let back = c.enter(&bundle.group_info, &tree, None).unwrap();
    assert_denied(a.take(&back), "only a member");
}

#[test]
fn who_lost_everything_comes_back_without_an_invite() {
    let [mut a, mut b, mut c] = members(&rules());
    let update = a.change(&GroupChange::default()).unwrap();
    a.merge();
    b.take(&update).unwrap();
    c.lose_state();
    let tree = a.tree();
    let back = c.enter(&update.group_info, &tree, None).unwrap();
    assert_eq!(back.change.removed, [c.sender()]);
    c.merge();
    a.take(&back).unwrap();
    b.take(&back).unwrap();
    let message = c.encrypt("here again");
    assert_eq!(b.read(&message), "here again");
}

#[test]
fn who_is_taken_out_and_let_in_by_the_same_commit_comes_in_by_its_welcome_once() {
    let [mut a, mut b, mut c] = members(&rules());
    let before = c.encrypt("before");
    assert_eq!(a.read(&before), "before");
    // C can follow, and reads that it is out; its new leaf is another one.
    let packages = [(c.sender(), c.key_package())];
    let change = GroupChange { add: &invitees(&packages), remove: &[c.sender()], ..GroupChange::default() };
    let bundle = a.change(&change).unwrap();
    a.merge();
    assert_eq!((&bundle.change.added, &bundle.change.removed), (&vec![c.sender()], &vec![c.sender()]));
    b.take(&bundle).unwrap();
    let seen = c.take(&bundle).unwrap();
    assert!(seen.removed_self && !seen.expelled);
    let tree = a.tree();
    c.join_group(&bundle, &tree).unwrap();
    let message = a.encrypt("here again");
    assert_eq!((b.read(&message), c.read(&message)), ("here again".into(), "here again".into()));
    let answer = c.encrypt("yes");
    assert_eq!(b.read(&answer), "yes");
    assert!(c.join_group(&bundle, &tree).is_err(), "not twice");
}

#[test]
fn an_invite_lets_in_whoever_holds_it_until_it_is_revoked() {
    let invite = Invite { key: InviteKey::of(&SECRET), expires_s: Some(NOW_S + 1_000), approval: false };
    let open = GroupRules { invites: vec![invite], ..rules() };
    let [mut a, mut b, mut c] = members(&open);
    let update = a.change(&GroupChange::default()).unwrap();
    a.merge();
    b.take(&update).unwrap();
    c.take(&update).unwrap();
    let (mut d, mut e) = (device(4), device(5));
    let tree = a.tree();
    let proof = JoinProof::sign(&SECRET, group(), d.sender());
    let stolen = e.enter(&update.group_info, &tree, Some(&proof)).unwrap();
    assert_denied(a.take(&stolen), "not valid");
    let join = d.enter(&update.group_info, &tree, Some(&proof)).unwrap();
    d.merge();
    for device in [&mut a, &mut b, &mut c] {
        assert_eq!(device.take(&join).unwrap().added.len(), 1);
    }

    let bundle = a.change(&GroupChange { rules: Some(&rules()), ..GroupChange::default() }).unwrap();
    a.merge();
    for device in [&mut b, &mut c, &mut d] {
        device.take(&bundle).unwrap();
    }
    let tree = a.tree();
    let proof = JoinProof::sign(&SECRET, group(), e.sender());
    let late = e.enter(&bundle.group_info, &tree, Some(&proof)).unwrap();
    assert_denied(a.take(&late), "not valid");
}

#[test]
fn whoever_left_is_taken_out_by_anybody_who_shows_it() {
    let [mut a, mut b, mut c] = members(&rules());
    let proof = c.call(|mls, tx| mls.prove_leave(tx, group())).unwrap();
    assert!(a.mls.verifies_leave(a.db.connection(), group(), &proof).unwrap());
    let forged = LeaveProof { sender: a.sender(), ..proof.clone() };
    assert!(!b.mls.verifies_leave(b.db.connection(), group(), &forged).unwrap());
    assert_denied(b.remove_from_group(&c), "only an admin");
    let change = GroupChange { remove: &[c.sender()], left: std::slice::from_ref(&proof), ..GroupChange::default() };
    let bundle = b.change(&change).unwrap();
    b.merge();
    a.take(&bundle).unwrap();
    assert!(c.take(&bundle).unwrap().expelled);

    // The proof was for that stay only.
    let bundle = a.add_to_group(&mut c).unwrap();
    a.merge();
    b.take(&bundle).unwrap();
    let tree = a.tree();
    c.join_group(&bundle, &tree).unwrap();
    assert_denied(b.change(&change), "left who did not");
}

#[test]
fn a_commit_and_a_message_work_once() {
    let [mut a, mut b, mut c] = members(&rules());
    let message = a.encrypt("once");
    assert_eq!(b.read(&message), "once");
    assert!(matches!(b.process(&message), Err(MlsError::Replay)));
    let bundle = a.remove_from_group(&c).unwrap();
    a.merge();
    b.take(&bundle).unwrap();
    assert!(matches!(b.take(&bundle), Err(MlsError::WrongEpoch { message: 1, group: 2 })));
    assert!(c.take(&bundle).unwrap().expelled);
}

#[test]
fn a_poisoned_commit_changes_nothing_and_is_left_behind_by_an_external_one() {
    let [mut a, mut b, mut c] = members(&rules());
    let bundle = c.change(&GroupChange::default()).unwrap();
    // The confirmation and membership tags stand at the end of a PublicMessage: only members see that they are wrong.
    let mut poisoned = bundle.payload.clone();
    *poisoned.last_mut().unwrap() ^= 1;
    for device in [&mut a, &mut b] {
        assert!(matches!(device.follow(&poisoned, &bundle.change), Err(MlsError::Invalid { .. })));
        assert_eq!(device.state(), State::Member { epoch: 1, pending: false });
    }
    c.merge();
    let tree = c.tree();
    let back = a.enter(&bundle.group_info, &tree, None).unwrap();
    a.merge();
    c.take(&back).unwrap();
    let tree = c.tree();
    let again = b.enter(&back.group_info, &tree, None).unwrap();
    b.merge();
    a.take(&again).unwrap();
    c.take(&again).unwrap();
    let message = b.encrypt("all together");
    assert_eq!(a.read(&message), "all together");
    assert_eq!(c.read(&message), "all together");
}
