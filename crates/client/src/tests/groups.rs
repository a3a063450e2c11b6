//! Groups: who comes, who goes, and what those who are in it see.

use super::world::{World, line};
use crate::view::{self, Body, Notice, Tick};
use crate::{ClientError, Command, Event, Peer, Reply};
use tidings_proto::group::{InviteKey, Who};
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::problem::Code;

impl World {
    pub fn account(&self, who: usize) -> AccountId {
        self.server.accounts[&self.people[who].phone]
    }

    /// Made by the first person.
    pub fn make_group(&mut self, members: &[usize]) -> ConversationId {
        let members = members.iter().map(|who| self.peer(*who)).collect();
        let create = Command::CreateGroup { name: "Friends".into(), members };
        match self.must(0, &create) {
            Reply::Conversation { conversation, .. } => {
                self.settle();
                conversation
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn tell(&mut self, who: usize, group: ConversationId, text: &str) -> MessageId {
        let send = Command::text(Peer::Conversation(group), text, None);
        match self.must(who, &send) {
            Reply::Queued { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    /// Unless it was said.
    pub fn tell_once(&mut self, who: usize, group: ConversationId, text: &str) {
        if !self.seen(who, group).iter().any(|line| line == text) {
            self.tell_while_crashing(who, group, text);
        }
    }

    fn tell_while_crashing(&mut self, who: usize, group: ConversationId, text: &str) {
        let send = Command::text(Peer::Conversation(group), text, None);
        while self.ask(who, send.clone()).is_err() && !self.seen(who, group).iter().any(|line| line == text) {}
    }

    pub fn group(&mut self, who: usize, group: ConversationId) -> view::Group {
        match self.must(who, &Command::GroupInfo { group: Peer::Conversation(group) }) {
            Reply::Group(group) => group,
            other => panic!("{other:?}"),
        }
    }

    /// What is shown there, notices by their first word.
    pub fn seen(&mut self, who: usize, group: ConversationId) -> Vec<String> {
        let messages = self.messages(who, group);
        messages.iter().map(|message| self.in_words(message)).collect()
    }

    fn in_words(&self, message: &view::Message) -> String {
        let name = |who: &view::Person| {
            let index = (0..self.people.len()).find(|index| self.account(*index) == who.account).unwrap();
            index.to_string()
        };
        let names = |who: &[view::Person]| who.iter().map(name).collect::<Vec<_>>().join("+");
        match &message.body {
            Body::Notice { notice } => match notice {
                Notice::GroupCreated { by } => format!("{} made it", name(by)),
                Notice::Added { by, who } => format!("{} added {}", name(by), names(who)),
                Notice::Removed { by, who } => format!("{} removed {}", name(by), names(who)),
                Notice::Left { who } => format!("{} left", name(who)),
                Notice::JoinedByLink { who } => format!("{} came by link", name(who)),
                Notice::AdminsChanged { by, named, dismissed } => {
                    format!("{} named {} dismissed {}", name(by), names(named), names(dismissed))
                }
                Notice::RulesChanged { by, .. } => format!("{} changed the rules", name(by)),
                other => format!("{other:?}"),
            },
            _ => line(message),
        }
    }

    pub fn invite(&mut self, group: ConversationId, approval: bool) -> (String, InviteKey) {
        let create = Command::CreateInvite { group: Peer::Conversation(group), expires_in_s: None, approval };
        match self.must(0, &create) {
            Reply::Invite { token, key } => (token, key),
            other => panic!("{other:?}"),
        }
    }

    fn titles(&mut self, who: usize, group: ConversationId) -> usize {
        self.group(who, group).members.len()
    }
}

fn to(group: ConversationId) -> Peer {
    Peer::Conversation(group)
}

/// Whether it was refused, and says this.
fn assert_refused(result: Result<Reply, ClientError>, expected: &str) {
    let error = result.expect_err("it is not allowed").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn three_people_talk_in_a_group_and_see_the_same() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    let hello = world.tell(0, group, "hello all");
    world.settle();
    world.tell(1, group, "hi");
    world.tell(2, group, "hey");
    world.settle();
    assert_eq!(world.seen(0, group), ["0 made it", "0 added 1+2", "hello all", "hi", "hey"]);
    assert_eq!(world.seen(1, group), ["0 added 1", "hello all", "hi", "hey"]);
    for who in 0..3 {
        let shown = world.group(who, group);
        assert_eq!(shown.name.as_deref(), Some("Friends"), "{who}");
        assert!(shown.member && shown.members.len() == 3);
        assert!(shown.members[0].admin && shown.members[0].account == world.account(0));
        assert_eq!(world.conversations(who)[0].title, "Friends");
    }
    // Delivered when all have it, read when all have read it.
    assert_eq!(world.tick_of(0, hello), Some(Tick::Delivered));
    world.must(1, &Command::MarkRead { to: to(group), up_to: hello });
    world.settle();
    assert_eq!(world.tick_of(0, hello), Some(Tick::Delivered));
    world.must(2, &Command::MarkRead { to: to(group), up_to: hello });
    world.settle();
    assert_eq!(world.tick_of(0, hello), Some(Tick::Read));
}

#[test]
fn message_info_says_who_has_it_and_when() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    world.set_online(2, false);
    let message = world.tell(0, group, "who is there?");
    world.settle();
    assert_eq!(world.tick_of(0, message), Some(Tick::Sent));
    world.must(1, &Command::MarkRead { to: to(group), up_to: message });
    world.settle();
    let Reply::MessageInfo(info) = world.must(0, &Command::MessageInfo { message }) else { panic!() };
    let (one, two) = (world.account(1), world.account(2));
    let of = |account| info.members.iter().find(|seen| seen.who.account == account).unwrap();
    assert!(of(one).delivered && of(one).read && of(one).read_ms.is_some() && of(one).delivered_ms.is_some());
    assert!(!of(two).delivered && of(two).delivered_ms.is_none());
    assert_refused(world.ask(1, Command::MessageInfo { message }), "own");
    // Whoever comes later has nothing to do with it.
    world.set_online(2, true);
    world.settle();
    assert_eq!(world.tick_of(0, message), Some(Tick::Delivered));
}

#[test]
fn people_are_added_and_removed_and_only_by_who_may() {
    let mut world = World::signed_in(4);
    let group = world.make_group(&[1]);
    world.tell(0, group, "before");
    world.settle();
    let add = Command::AddMembers { group: to(group), members: vec![world.peer(2), world.peer(3)] };
    world.must(1, &add);
    world.settle();
    world.tell(2, group, "we are here");
    world.settle();
    assert_eq!(world.seen(2, group), ["1 added 2", "we are here"]);
    assert_eq!(world.seen(0, group)[2..], ["before", "1 added 2+3", "we are here"]);
    assert_eq!(world.group(3, group).name.as_deref(), Some("Friends"));

    let remove = Command::RemoveMembers { group: to(group), members: vec![world.peer(3)] };
    assert_refused(world.ask(1, remove.clone()), "only an admin");
    world.must(0, &remove);
    world.settle();
    world.tell(0, group, "without 3");
    world.settle();
    assert_eq!(world.seen(3, group).last().unwrap(), "0 removed 3");
    assert!(!world.group(3, group).member);
    assert!(!world.conversations(3)[0].member);
    let send = Command::text(to(group), "am I here?", None);
    assert_refused(world.ask(3, send), "not in this group");
    assert_eq!(world.seen(2, group).last().unwrap(), "without 3");

    // Added again, one goes on with what was said before.
    world.must(0, &Command::AddMembers { group: to(group), members: vec![world.peer(3)] });
    world.settle();
    world.tell(3, group, "back");
    world.settle();
    assert_eq!(world.seen(3, group)[1..], ["we are here", "0 removed 3", "0 added 3", "back"]);
    assert_eq!(world.seen(1, group).last().unwrap(), "back");
}

#[test]
fn admins_and_rules_change_and_hold() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    let closed =
        Command::SetRules { group: to(group), posting: Some(Who::Admins), editing: None, adding: Some(Who::Admins) };
    assert_refused(world.ask(1, closed.clone()), "only an admin");
    world.must(0, &closed);
    world.settle();
    let send = Command::text(to(group), "may I?", None);
    assert_refused(world.ask(1, send), "only admins may write");
    let announced = world.tell(0, group, "an announcement");
    world.settle();
    world.must(1, &Command::React { to: to(group), message: announced, emoji: Some("👍".into()) });
    world.must(0, &Command::SetAdmin { group: to(group), who: world.peer(1), on: true });
    world.settle();
    world.tell(1, group, "now I may");
    world.settle();
    let shown = ["0 changed the rules", "an announcement [👍]", "0 named 1 dismissed ", "now I may"];
    assert_eq!(world.seen(2, group)[1..], shown);
    let dismiss = Command::SetAdmin { group: to(group), who: world.peer(0), on: false };
    world.must(1, &dismiss);
    world.settle();
    assert_refused(world.ask(0, Command::SetAdmin { group: to(group), who: world.peer(0), on: true }), "only an admin");
    let alone = Command::SetAdmin { group: to(group), who: world.peer(1), on: false };
    assert_refused(world.ask(1, alone), "at least one admin");
}

#[test]
fn whoever_leaves_is_out_before_the_next_message_and_the_last_admin_names_another() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    world.must(0, &Command::Leave { group: to(group) });
    world.settle();
    assert!(!world.group(0, group).member);
    let rules = world.server.logs[&group.into()].group.as_ref().unwrap().rules();
    assert_eq!(rules.admins, [world.account(1).min(world.account(2))]);
    assert_eq!(world.server.logs[&group.into()].group.as_ref().unwrap().members().len(), 2);
    world.tell(1, group, "without 0");
    world.settle();
    assert_eq!(world.seen(2, group)[1..][..], ["0 named 1 dismissed ", "0 left", "without 0"]);
    assert_eq!(world.seen(0, group).last().unwrap(), "0 left");
    assert_eq!(world.titles(1, group), 2);
}

#[test]
fn a_message_that_waits_behind_a_leave_commits_first() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    world.set_online(0, false);
    world.must(2, &Command::Leave { group: to(group) });
    world.set_online(2, false);
    // Nobody has taken 2 out yet, and 1 wants to say something at once.
    let message = world.tell(1, group, "right after");
    world.settle();
    assert_eq!(world.tick_of(1, message), Some(Tick::Sent));
    let log = &world.server.logs[&group.into()];
    assert!(log.group.as_ref().unwrap().left.is_empty());
    world.set_online(0, true);
    world.set_online(2, true);
    world.settle();
    assert_eq!(world.seen(0, group).last().unwrap(), "right after");
    assert_eq!(world.seen(2, group).last().unwrap(), "2 left");
}

#[test]
fn a_link_lets_people_in_until_it_is_revoked() {
    let mut world = World::signed_in(4);
    let group = world.make_group(&[1]);
    let (token, key) = world.invite(group, false);
    let joined = world.must(2, &Command::JoinByInvite { token: format!("https://example.org/join#{token}") });
    assert_eq!(joined, Reply::Conversation { conversation: group, account: None });
    world.settle();
    world.tell(2, group, "found it");
    world.settle();
    assert_eq!(world.seen(1, group).last().unwrap(), "found it");
    assert_eq!(world.seen(2, group), ["2 came by link", "found it"]);
    assert!(world.seen(0, group).contains(&"2 came by link".to_owned()));
    assert_eq!(world.group(2, group).name.as_deref(), Some("Friends"), "somebody answered");
    assert_eq!(world.group(0, group).invites[0].token.as_ref(), Some(&token));
    assert_eq!(world.group(1, group).invites[0].token, None);

    world.must(0, &Command::RevokeInvite { group: to(group), key });
    world.settle();
    let late = world.ask(3, Command::JoinByInvite { token });
    assert!(matches!(late, Err(ClientError::Refused { code: Code::Forbidden, .. })), "{late:?}");
    assert_eq!(world.conversations(3).len(), 0);
    assert_refused(world.ask(3, Command::JoinByInvite { token: "nonsense".into() }), "no invite");
}

#[test]
fn who_comes_by_a_link_with_approval_waits_for_an_admin() {
    let mut world = World::signed_in(4);
    let group = world.make_group(&[1]);
    let (token, _) = world.invite(group, true);
    for who in [2, 3] {
        assert_eq!(world.must(who, &Command::JoinByInvite { token: token.clone() }), Reply::JoinRequested);
    }
    world.settle();
    let asked = Event::JoinRequested { conversation: group, account: world.account(2) };
    assert!(world.people[0].events.contains(&asked));
    let Reply::JoinRequests(requests) = world.must(0, &Command::JoinRequests { group: to(group) }) else { panic!() };
    assert_eq!(requests.len(), 2);
    let answer = |who, approve| Command::AnswerJoinRequest { group: to(group), who, approve };
    let (yes, no) = (world.peer(2), world.peer(3));
    world.must(0, &answer(yes, true));
    world.must(0, &answer(no, false));
    world.settle();
    assert_eq!(world.seen(2, group), ["0 added 2"]);
    assert_eq!(world.conversations(3).len(), 0);
    let Reply::JoinRequests(requests) = world.must(0, &Command::JoinRequests { group: to(group) }) else { panic!() };
    assert_eq!(requests, []);
}

#[test]
fn a_banned_person_does_not_come_back() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    let (token, _) = world.invite(group, false);
    world.must(0, &Command::Ban { group: to(group), who: world.peer(2), on: true });
    world.settle();
    assert_eq!(world.seen(1, group).last().unwrap(), "0 removed 2");
    assert!(world.ask(2, Command::JoinByInvite { token }).is_err());
    let add = Command::AddMembers { group: to(group), members: vec![world.peer(2)] };
    assert_refused(world.ask(1, add.clone()), "banned");
    world.must(0, &Command::Ban { group: to(group), who: world.peer(2), on: false });
    world.must(1, &add);
    world.settle();
    assert!(world.group(2, group).member);
}

#[test]
fn changes_at_the_same_time_all_take_effect() {
    let mut world = World::signed_in(5);
    let group = world.make_group(&[1, 2]);
    for who in 1..3 {
        world.must(0, &Command::SetAdmin { group: to(group), who: world.peer(who), on: true });
    }
    world.settle();
    let add = |world: &World, who: usize| Command::AddMembers { group: to(group), members: vec![world.peer(who)] };
    let (first, second) = (add(&world, 3), add(&world, 4));
    world.command(0, first);
    world.command(1, second);
    world.command(2, Command::SetRules { group: to(group), posting: None, editing: Some(Who::Admins), adding: None });
    for who in 0..3 {
        world.tell(who, group, &format!("from {who}"));
    }
    world.settle();
    for who in 0..5 {
        assert_eq!(world.titles(who, group), 5, "{who}");
        assert_eq!(world.group(who, group).rules.editing, Who::Admins);
    }
    let texts = |seen: Vec<String>| seen.into_iter().filter(|line| line.starts_with("from")).collect::<Vec<_>>();
    assert_eq!(texts(world.seen(0, group)).len(), 3);
    assert_eq!(texts(world.seen(0, group)), texts(world.seen(2, group)));
}

#[test]
fn a_device_that_lost_its_keys_and_one_that_the_server_forgot_come_back_by_themselves() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    world.sql(1, "DELETE FROM mls_state WHERE group_id <> x''; DELETE FROM mls_group;");
    world.tell(0, group, "lost on 1");
    world.settle();
    world.tell(1, group, "here again");
    world.settle();
    assert_eq!(world.seen(2, group).last().unwrap(), "here again");
    world.tell(2, group, "welcome back");
    world.settle();
    assert_eq!(world.seen(1, group).last().unwrap(), "welcome back");

    world.set_online(2, false);
    world.must(0, &Command::SetAdmin { group: to(group), who: world.peer(1), on: true });
    world.tell(0, group, "long ago");
    world.settle();
    let log = world.server.logs.get_mut(&group.into()).unwrap();
    log.entries.iter_mut().for_each(|entry| *entry = None);
    world.set_online(2, true);
    world.settle();
    // What expired may have been messages only: the first that cannot be read shows that a commit was among it.
    world.tell(0, group, "cannot be read");
    world.settle();
    world.tell(0, group, "still there?");
    world.settle();
    world.tell(2, group, "yes");
    world.settle();
    assert_eq!(world.seen(0, group).last().unwrap(), "yes");
    assert!(world.seen(2, group).contains(&"still there?".to_owned()));
}

#[test]
fn a_welcome_whose_tree_is_gone_is_replaced_by_an_external_commit() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    world.server.logs.get_mut(&group.into()).unwrap().group.as_mut().unwrap().forgetful = true;
    world.must(0, &Command::AddMembers { group: to(group), members: vec![world.peer(2)] });
    world.settle();
    world.tell(2, group, "in");
    world.settle();
    assert_eq!(world.seen(1, group).last().unwrap(), "in");
}

#[test]
fn somebody_without_a_device_is_named_and_the_others_are_added() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    let device = *world.server.devices.iter().find(|(_, device)| device.account == world.account(2)).unwrap().0;
    world.server.devices.get_mut(&device).unwrap().credential = None;
    let nobody = world.ask(0, Command::AddMembers { group: to(group), members: vec![world.peer(2)] });
    assert!(matches!(nobody, Err(ClientError::Refused { code: Code::NoDevice, .. })), "{nobody:?}");
    assert_eq!(world.titles(0, group), 2);
}

#[test]
fn a_forbidden_commit_that_the_server_passes_on_ends_the_trust_in_it() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    world.set_online(2, false);
    world.must(0, &Command::RemoveMembers { group: to(group), members: vec![world.peer(1)] });
    world.settle();
    // To the third device the server says that it was somebody else whom the commit removed.
    let log = world.server.logs.get_mut(&group.into()).unwrap();
    let entry = log.entries.iter_mut().flatten().last().unwrap();
    let tidings_proto::entry::Body::Commit { change, .. } = &mut entry.body else { panic!() };
    change.removed.clear();
    world.set_online(2, true);
    world.settle();
    assert_eq!(world.seen(2, group).last().unwrap(), "Distrusted");
    let send = Command::text(to(group), "?", None);
    assert_refused(world.ask(2, send), "not in this group");
}

#[test]
fn notes_to_oneself_stay_with_oneself() {
    let mut world = World::signed_in(1);
    let note = Command::text(Peer::Me, "buy milk", None);
    let Reply::Queued { message, .. } = world.must(0, &note) else { panic!() };
    world.settle();
    assert_eq!(world.tick_of(0, message), Some(Tick::Read));
    assert_eq!(world.conversation(0).title, "Notes to yourself");
    assert_eq!(world.shown(0), ["buy milk"]);
}

#[test]
fn who_comes_by_a_link_after_somebody_left_takes_their_devices_out() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    let (token, _) = world.invite(group, false);
    world.set_online(0, false);
    world.must(1, &Command::Leave { group: to(group) });
    world.settle();
    // The word of who left stands before this one's part of the log, and nobody else is there.
    world.must(2, &Command::JoinByInvite { token });
    world.settle();
    let hello = world.tell(2, group, "hello");
    world.settle();
    assert_eq!(world.tick_of(2, hello), Some(Tick::Sent));
    assert_eq!(world.titles(2, group), 2);
    world.set_online(0, true);
    world.settle();
    assert_eq!(world.seen(0, group).last().unwrap(), "hello");
    assert_eq!(world.titles(0, group), 2);
}
