//! Registering, logging in and out, tokens, key packages.

use super::world::World;
use crate::event::{Connection, Event};
use crate::{ClientError, Command, Reply};
use tidings_proto::id::DeviceId;
use tidings_proto::problem::Code;

fn login(code: &str) -> Command {
    Command::Login {
        phone: "+31612345670".into(),
        code: code.into(),
        device_name: "laptop".into(),
        pin: None,
        forgot_pin: false,
    }
}

fn device(world: &World, who: usize) -> DeviceId {
    world.people[who].client.as_ref().unwrap().memory.me.as_ref().unwrap().sender.device
}

#[test]
fn a_login_ends_with_keys_at_the_server_and_a_connection() {
    let mut world = World::new(1);
    assert_eq!(world.ask(0, Command::Conversations), Ok(Reply::Conversations(vec![])));
    let send = Command::text(world.peer(0), "x", None);
    assert_eq!(world.ask(0, send), Err(ClientError::NotLoggedIn));
    let sent = world.ask(0, Command::Register { phone: "+31 612 345 670".into() });
    assert_eq!(sent, Ok(Reply::CodeSent { expires_in_s: 600, retry_after_s: 60 }));
    let wrong = world.ask(0, login("111111"));
    assert!(matches!(wrong, Err(ClientError::Refused { code: Code::InvalidCode, .. })), "{wrong:?}");
    let Ok(Reply::LoggedIn { device, .. }) = world.ask(0, login("000000")) else { panic!() };
    let at_server = &world.server.devices[&device];
    assert!(at_server.credential.is_some());
    assert_eq!((at_server.packages.len(), at_server.last_resort.is_some()), (50, true));
    assert_eq!(world.ask(0, login("000000")), Err(ClientError::AlreadyLoggedIn));
    world.settle();
    assert!(world.people[0].events.contains(&Event::Connection { state: Connection::Live }));
    assert!(world.people[0].events.contains(&Event::CaughtUp));
}

#[test]
fn without_a_network_nobody_is_told_that_they_are_logged_in() {
    let mut world = World::new(1);
    world.set_online(0, false);
    assert_eq!(world.ask(0, Command::Register { phone: "+31612345670".into() }), Err(ClientError::Offline));
    assert_eq!(world.ask(0, login("000000")), Err(ClientError::Offline));
}

#[test]
fn logging_out_wipes_everything_and_the_device_can_log_in_again() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    assert_eq!(world.ask(0, Command::Logout), Ok(Reply::Done));
    let client = world.people[0].client.as_ref().unwrap();
    for table in ["message", "contact", "setting", "identity", "mls_state", "mls_group", "watermark", "conversation"] {
        let rows: u64 =
            client.db.connection().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    assert!(matches!(world.people[0].events.last(), Some(Event::LoggedOut { .. })));
    assert!(world.people[0].connection.is_none());
    world.login(0);
    world.say(1, 0, "still there?");
    world.settle();
    assert_eq!(world.shown(0).last().unwrap(), "still there?");
}

#[test]
fn a_device_that_the_server_logs_out_is_wiped_and_says_so() {
    let mut world = World::signed_in(1);
    let device = device(&world, 0);
    world.server.devices.get_mut(&device).unwrap().out = true;
    world.server.goodbye(device, Code::LoggedOut);
    world.drain();
    assert!(world.people[0].events.iter().any(|event| matches!(event, Event::LoggedOut { .. })));
    let Ok(Reply::Status(status)) = world.ask(0, Command::Status) else { panic!() };
    assert_eq!((status.account, status.connection), (None, Connection::Offline));
}

#[test]
fn tokens_are_refreshed_before_they_expire_and_when_the_server_refuses_one() {
    let mut world = World::signed_in(2);
    world.pass(3_600_000);
    world.cut(0);
    world.drain();
    world.settle();
    let generation = |world: &World| world.server.devices[&device(world, 0)].generation;
    assert_eq!(generation(&world), 1, "the old one had expired");
    world.server.devices.get_mut(&device(&world, 0)).unwrap().generation += 1;
    world.must(0, &Command::Resolve { who: world.peer(1) });
    assert_eq!(generation(&world), 3, "the server had refused the one before");
    world.server.devices.get_mut(&device(&world, 0)).unwrap().generation += 1;
    world.server.goodbye(device(&world, 0), Code::Unauthorized);
    world.drain();
    world.settle();
    assert_eq!(generation(&world), 5);
}

#[test]
fn the_stock_of_key_packages_is_filled_up_and_renewed() {
    let mut world = World::signed_in(1);
    let device = device(&world, 0);
    let left = |world: &World| world.server.devices[&device].packages.len();
    world.server.devices.get_mut(&device).unwrap().packages.truncate(5);
    world.cut(0);
    world.pass(7 * 3_600_000);
    world.settle();
    assert_eq!(left(&world), 50);
    let old = world.server.devices[&device].last_resort.clone();
    world.cut(0);
    world.pass(41 * 24 * 3_600_000);
    world.settle();
    assert_ne!(world.server.devices[&device].last_resort, old);
}

#[test]
fn a_line_that_is_silent_is_pinged_and_given_up_when_it_stays_silent() {
    let mut world = World::signed_in(1);
    let first = world.people[0].connection;
    world.pass(10 * 60_000);
    assert_eq!(world.people[0].connection, first, "the server answers its pings");
    // From here on the server does not hear this connection any more.
    world.server.disconnect(first.unwrap());
    world.pass(60_000);
    world.settle();
    assert_ne!(world.people[0].connection, first);
    assert!(world.people[0].events.contains(&Event::Connection { state: Connection::Offline }));
}
