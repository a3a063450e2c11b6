//! What goes wrong: the network, the machines, the clocks, and people who lose their phones.

use crate::device::Device;
use crate::laptop;
use crate::model::Block;
use crate::network::Cut;
use crate::rollback;
use crate::signup::Stage;
use crate::world::World;
use std::rc::Rc;
use std::time::Duration;
use tidings_client::event::Connection;
use tokio::time::sleep;

/// One fault.
pub async fn happen(world: &Rc<World>) {
    let chance = &world.chance;
    let everybody = world.machines();
    let Some(device) = chance.choose(&everybody).cloned() else { return };
    match chance.between(0..=99) {
        0..16 => device.cut(Cut::noticed(chance)),
        16..20 => device.cut(Cut::silent()),
        20..30 => go_offline(world, &device),
        30..36 => device.link.set_delay_ms(1..=chance.between(100..=4_000)),
        36..42 => device.link.stall(Duration::from_millis(chance.between(500..=90_000))),
        42..50 => device.link.set_lost_percent(chance.between(5..=50)),
        50..62 => device.crash(),
        62..72 => device.crash_after(chance.between(1..=6) as usize),
        72..88 => world.server.crash(),
        // Plans forgive a minute between clocks.
        88..92 => world.server.set_skew_ms(chance.between(0..=50_000) as i64 - 25_000),
        92..94 => wipe(world, &device),
        94..96 => rollback::happen(world, &device).await,
        96..98 => lose_the_phone(world, &device),
        _ => long_absence(world).await,
    }
}

fn go_offline(world: &World, device: &Device) {
    world.story.tell(format!("{} goes offline", device.name()));
    device.link.set_online(false);
    device.cut(Cut::noticed(&world.chance));
}

/// Things come back by themselves after a while.
pub async fn mend_some(world: &Rc<World>) {
    if !world.server.runs() && world.chance.percent(40) {
        world.server.start().await;
    }
    let devices = world.machines();
    for device in devices {
        if world.chance.percent(25) {
            device.start();
        }
        if !device.link.online() && world.chance.percent(15) {
            come_back(world, &device);
        }
    }
}

fn come_back(world: &World, device: &Rc<Device>) {
    world.story.tell(format!("{} is back online", device.name()));
    device.link.heal();
    // Often, but not always, the operating system tells the program.
    if world.chance.percent(60) {
        device.feed(tidings_client::Input::NetworkChanged);
    }
}

pub async fn heal(world: &Rc<World>) {
    world.server.start().await;
    world.server.set_skew_ms(0);
    let devices = world.machines();
    for device in devices {
        // Before it starts: a crash that is still to come must not hit it now.
        device.crash_after(usize::MAX);
        device.start();
        device.link.heal();
        device.feed(tidings_client::Input::NetworkChanged);
    }
}

/// The MLS state of one conversation is gone, as after a fault in the client: it has to rejoin.
fn wipe(world: &Rc<World>, device: &Rc<Device>) {
    let (who, mut model) = (device.who, world.model.borrow_mut());
    let others: Vec<usize> = (0..world.traits.people).filter(|other| *other != who).collect();
    let Some(with) = world.chance.choose(&others).copied() else { return };
    let Some(conversation) = model.conversation(who, with) else { return };
    drop(model);
    device.crash();
    let mut cursor = None;
    device.with_storage(|db| {
        let id = conversation.as_bytes().as_slice();
        let connection = db.connection();
        cursor = connection
            .query_row("SELECT cursor FROM conversation WHERE conversation = ?1", [id], |row| row.get::<_, i64>(0))
            .ok();
        for statement in [
            "DELETE FROM mls_state WHERE group_id IN (SELECT group_id FROM mls_group WHERE conversation = ?1)",
            "DELETE FROM mls_group WHERE conversation = ?1",
            "UPDATE conversation SET epoch = NULL WHERE conversation = ?1",
        ] {
            if let Err(error) = connection.execute(statement, [id]) {
                world.story.violate(format!("the MLS state cannot be wiped: {error}"));
            }
        }
    });
    if let Some(cursor) = cursor {
        world.story.tell(format!("{} loses its MLS state with p{with} at cursor {cursor}", device.name()));
        model = world.model.borrow_mut();
        let life = &mut model.people[who].lives[device.life];
        life.wipes.entry(conversation).or_default().push(cursor as u64);
    }
}

/// The device is gone for good; the person gets another one.
pub fn lose_the_phone(world: &Rc<World>, device: &Rc<Device>) {
    let is_first = world.device(device.who).is_some_and(|first| Rc::ptr_eq(&first, device));
    if world.stages.borrow()[device.who] != Stage::In || !is_first {
        return;
    }
    world.story.tell(format!("{} is lost for good", device.name()));
    device.throw_away();
    laptop::lose(world, device.who);
    let mut model = world.model.borrow_mut();
    let person = &mut model.people[device.who];
    person.lives[device.life].ended = true;
    for block in person.blocks.values_mut() {
        *block = Block::Unknown;
    }
    drop(model);
    world.devices.borrow_mut()[device.who] = None;
}

/// Everybody is away for hours or, in some worlds, until entries expire.
async fn long_absence(world: &Rc<World>) {
    let devices = world.machines();
    for device in &devices {
        if world.chance.percent(70) {
            go_offline(world, device);
        }
    }
    let expire = world.traits.passes_retention && world.chance.percent(50);
    let hours = if expire { u64::from(world.traits.retention_days) * 24 + 1 } else { world.chance.between(1..=20) };
    world.story.tell(format!("{hours} hours pass"));
    sleep(Duration::from_secs(hours * 3_600)).await;
    let live = devices.iter().filter(|device| device.connection() == Some(Connection::Live)).count();
    world.story.tell(format!("{live} devices stayed connected"));
}
