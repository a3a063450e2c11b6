//! The address book, on all of one's devices.

use super::world::World;
use crate::address_book;
use crate::command::NewContact;
use crate::view::{Contact, Found};
use crate::{ClientError, Command, Event, Peer, Reply};
use tidings_proto::http::Audience;
use tidings_proto::limit::{CONTACTS_MAX, LOOKUP_PHONES_MAX};

fn add(phone: &str, name: &str) -> Command {
    Command::AddContacts { contacts: vec![NewContact { phone: phone.into(), name: name.into() }] }
}

fn book(world: &mut World, who: usize) -> Vec<Contact> {
    match world.must(who, &Command::Contacts) {
        Reply::Contacts(contacts) => contacts,
        other => panic!("{other:?}"),
    }
}

fn names(world: &mut World, who: usize) -> Vec<String> {
    book(world, who).into_iter().map(|contact| contact.name).collect()
}

fn number(world: &World, who: usize) -> String {
    match world.peer(who) {
        Peer::Phone(phone) => phone,
        other => panic!("{other:?}"),
    }
}

fn lookups(world: &World, who: usize) -> usize {
    world.people[who].requests.iter().filter(|path| path.contains("lookup")).count()
}

#[test]
fn a_name_of_ones_own_goes_before_all_others() {
    let mut world = World::signed_in(2);
    world.say(1, 0, "hello");
    world.settle();
    let phone = number(&world, 1);
    let before = world.conversation(0).title;
    assert_eq!(world.must(0, &add(&phone, " Bram ")), Reply::ContactsAdded { added: 1, renamed: 0 });
    assert_eq!(world.conversation(0).title, "Bram");
    assert!(world.people[0].events.contains(&Event::ContactsChanged));
    let conversation = world.conversation(0).conversation;
    let message = world.messages(0, conversation).pop().unwrap();
    assert_eq!(message.sender_title, "Bram");
    assert_eq!(world.must(0, &add(&phone, "Bram B")), Reply::ContactsAdded { added: 0, renamed: 1 });
    assert_eq!(world.must(0, &add(&phone, "Bram B")), Reply::ContactsAdded { added: 0, renamed: 0 });
    world.must(0, &Command::RemoveContact { phone: phone.clone() });
    assert_eq!(world.conversation(0).title, before);
    assert!(matches!(world.ask(0, Command::RemoveContact { phone }), Err(ClientError::NotAllowed { .. })));
}

#[test]
fn who_is_here_is_asked_once_and_who_is_not_again_after_a_day() {
    let mut world = World::signed_in(2);
    let phone = number(&world, 1);
    let strangers =
        (0..LOOKUP_PHONES_MAX).map(|n| NewContact { phone: format!("+4917012{n:05}"), name: format!("S{n}") });
    world.must(0, &Command::AddContacts { contacts: strangers.collect() });
    world.must(0, &add(&phone, "Bram"));
    assert!(book(&mut world, 0).iter().all(|contact| contact.found == Found::Unknown));
    let Reply::Contacts(found) = world.must(0, &Command::FindContacts) else { panic!("it is a list") };
    assert_eq!(lookups(&world, 0), 2, "in batches");
    let here: Vec<&Contact> = found.iter().filter(|contact| contact.found == Found::Here).collect();
    assert!(matches!(here[..], [Contact { name, account: Some(_), .. }] if name == "Bram"));
    assert_eq!(found.iter().filter(|contact| contact.found == Found::Nobody).count(), LOOKUP_PHONES_MAX);
    world.must(0, &Command::FindContacts);
    assert_eq!(lookups(&world, 0), 2);
    world.pass(address_book::find::NOBODY_KEPT_MS);
    world.must(0, &Command::FindContacts);
    assert_eq!(lookups(&world, 0), 3, "about those who were not here");
    world.set_online(0, false);
    world.must(0, &Command::FindContacts);
    world.must(0, &add("+491701299999", "New"));
    assert_eq!(world.ask(0, Command::FindContacts), Err(ClientError::Offline));
}

#[test]
fn all_of_ones_devices_end_with_the_same_book() {
    let mut world = World::signed_in(2);
    world.must(0, &add("+491701200001", "From before"));
    let laptop = world.link(0);
    world.settle();
    assert_eq!(names(&mut world, laptop), ["From before"], "it comes with the history");
    world.must(0, &add("+491701200002", "Phone's"));
    world.must(laptop, &add("+491701200003", "Laptop's"));
    world.settle();
    let both = ["From before", "Laptop's", "Phone's"];
    assert_eq!(
        (names(&mut world, 0), names(&mut world, laptop)),
        (both.map(str::to_owned).to_vec(), both.map(str::to_owned).to_vec())
    );
    // Of two changes that cross the later one counts on both.
    world.set_online(laptop, false);
    world.must(laptop, &add("+491701200001", "Earlier"));
    world.pass(1_000);
    world.must(0, &Command::RemoveContact { phone: "+491701200001".into() });
    world.set_online(laptop, true);
    world.settle();
    assert_eq!(names(&mut world, 0), ["Laptop's", "Phone's"]);
    assert_eq!(names(&mut world, laptop), ["Laptop's", "Phone's"]);
}

#[test]
fn what_is_no_contact_is_refused_as_a_whole() {
    let mut world = World::signed_in(1);
    let one = |phone: &str, name: &str| NewContact { phone: phone.into(), name: name.into() };
    for bad in [one("0612345678", "No country"), one("+491701200001", "  "), one("+491701200001", &"n".repeat(65))] {
        let contacts = vec![one("+491701200009", "Good"), bad.clone()];
        assert!(world.ask(0, Command::AddContacts { contacts }).is_err(), "{bad:?}");
    }
    let many = (0..=CONTACTS_MAX).map(|n| one(&format!("+4917012{n:05}"), "x")).collect();
    assert!(matches!(world.ask(0, Command::AddContacts { contacts: many }), Err(ClientError::NotAllowed { .. })));
    assert!(names(&mut world, 0).is_empty(), "nothing was written");
}

fn privacy(find_me: Option<Audience>, add_me: Option<Audience>, picture: Option<Audience>) -> Command {
    Command::SetPrivacy { last_seen: None, read_receipts: None, find_me, add_me, picture, about: picture }
}

#[test]
fn the_server_learns_who_ones_contacts_are_only_while_it_has_to() {
    let mut world = World::signed_in(3);
    let (bram, carla) = (number(&world, 1), number(&world, 2));
    world.must(0, &add(&bram, "Bram"));
    world.must(0, &Command::FindContacts);
    assert!(world.server.presence.contacts.is_empty());
    let contacts = Some(Audience::Contacts);
    world.must(0, &privacy(None, contacts, None));
    world.settle();
    let (me, bram, carla_id) = (world.account(0), world.account(1), world.account(2));
    assert_eq!(world.server.presence.contacts[&me], [bram].into());
    // Who comes into the book is looked up and told; who is blocked is none.
    world.must(0, &add(&carla, "Carla"));
    world.settle();
    assert_eq!(world.server.presence.contacts[&me], [bram, carla_id].into());
    world.must(0, &Command::Block { who: Peer::Account(carla_id) });
    world.settle();
    assert_eq!(world.server.presence.contacts[&me], [bram].into());
    // What another device sets holds for all of them.
    let laptop = world.link(0);
    world.must(laptop, &privacy(None, Some(Audience::Everyone), None));
    world.settle();
    world.must(0, &add("+491701200001", "Nobody"));
    world.settle();
    assert!(world.server.presence.contacts[&me].is_empty());
    assert_eq!(lookups(&world, 0), 2);
}

#[test]
fn who_does_not_want_to_be_added_is_named_and_the_others_are_in() {
    let mut world = World::signed_in(4);
    world.must(2, &privacy(None, Some(Audience::Nobody), None));
    world.must(3, &privacy(None, Some(Audience::Contacts), None));
    let group = world.make_group(&[1]);
    let titles = |world: &mut World| match world.must(0, &Command::GroupInfo { group: Peer::Conversation(group) }) {
        Reply::Group(group) => group.members.len(),
        other => panic!("{other:?}"),
    };
    let add_both = |world: &World| Command::AddMembers {
        group: Peer::Conversation(group),
        members: vec![world.peer(2), world.peer(3)],
    };
    let both = add_both(&world);
    let Err(ClientError::InviteNeeded { conversation, who }) = world.ask(0, both) else { panic!("neither is in") };
    assert_eq!((conversation, who.len(), titles(&mut world)), (group, 2, 2));
    let phone = number(&world, 0);
    world.must(3, &add(&phone, "Anna"));
    world.settle();
    let both = add_both(&world);
    let Err(ClientError::InviteNeeded { who, .. }) = world.ask(0, both) else { panic!("one is not in") };
    assert_eq!((who.len(), who[0].account), (1, world.account(2)));
    assert_eq!(titles(&mut world), 3);
    // Nor when a group is made: it is there without them.
    let create = Command::CreateGroup { name: "Others".into(), members: vec![world.peer(1), world.peer(2)] };
    let Err(ClientError::InviteNeeded { conversation, who }) = world.ask(0, create) else { panic!("one is not in") };
    assert_eq!(who[0].account, world.account(2));
    world.settle();
    world.tell(0, conversation, "without her");
    world.settle();
    assert_eq!(world.seen(1, conversation).last().unwrap(), "without her");
}

#[test]
fn nobody_is_found_who_does_not_want_to() {
    let mut world = World::signed_in(2);
    world.must(1, &privacy(Some(Audience::Nobody), None, None));
    let who = world.peer(1);
    assert!(matches!(world.ask(0, Command::Resolve { who }), Err(ClientError::NoSuchPerson { .. })));
    let phone = number(&world, 0);
    world.must(1, &add(&phone, "Anna"));
    world.must(1, &privacy(Some(Audience::Contacts), None, None));
    world.settle();
    world.must(0, &Command::Resolve { who: world.peer(1) });
}

#[test]
fn picture_and_about_go_to_those_who_may_see_them() {
    let mut world = World::signed_in(3);
    let about = |world: &mut World, who: usize| {
        let rows = world.conversations(who);
        rows.iter().find(|row| row.account.is_some()).and_then(|row| row.about.clone())
    };
    let set = |text: &str| Command::SetProfile { name: None, about: Some(text.into()), picture: None };
    world.must(0, &set("at sea"));
    world.say(0, 1, "hello");
    world.say(0, 2, "hello");
    world.settle();
    assert_eq!((about(&mut world, 1), about(&mut world, 2)), (Some("at sea".into()), Some("at sea".into())));
    let bram = number(&world, 1);
    world.must(0, &add(&bram, "Bram"));
    world.must(0, &privacy(None, None, Some(Audience::Contacts)));
    world.settle();
    assert_eq!((about(&mut world, 1), about(&mut world, 2)), (Some("at sea".into()), None), "it is taken back");
    world.must(0, &set("ashore"));
    world.settle();
    assert_eq!((about(&mut world, 1), about(&mut world, 2)), (Some("ashore".into()), None));
    // Who becomes a contact has it with the next message; one's other devices keep to it.
    let carla = number(&world, 2);
    let laptop = world.link(0);
    world.must(laptop, &add(&carla, "Carla"));
    world.settle();
    world.say(laptop, 2, "hello again");
    world.settle();
    assert_eq!(about(&mut world, 2), Some("ashore".into()));
    world.must(laptop, &privacy(None, None, Some(Audience::Nobody)));
    world.settle();
    assert_eq!((about(&mut world, 1), about(&mut world, 2)), (None, None));
    let Ok(Reply::Privacy { picture, .. }) = world.ask(0, Command::Privacy) else { panic!("it is shown") };
    assert_eq!(picture, Audience::Nobody);
}
