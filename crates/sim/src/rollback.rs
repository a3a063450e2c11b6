//! A device's database is put back to an older copy of itself, as when a whole machine was restored.
//!
//! What was queued since the copy may be lost with it, and what the device said itself nobody can give back to it; but its
//! groups go on, and everybody else reads all that it says from then on, so no key was used for two messages.

use crate::device::Device;
use crate::laptop;
use crate::properties::log;
use crate::signup::Stage;
use crate::world::World;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::rc::Rc;
use tidings_client::db::Db;
use tidings_proto::id::ConversationId;
use tokio::time::{Duration, sleep};

/// What of a device was kept, and when.
pub struct Copy {
    db: Db,
    /// How many operations there had been.
    operations: usize,
    cursors: BTreeMap<ConversationId, u64>,
}

/// How far a device forgot a conversation: from the copy's cursor up to the head when it was put back.
#[derive(Clone, Copy, Debug)]
pub struct Forgotten {
    pub after: u64,
    pub head: u64,
}

/// Keeps a copy, or puts back the one that was kept.
pub async fn happen(world: &Rc<World>, device: &Rc<Device>) {
    if !is_in_use(world, device) || world.traits.evil == Some(device.who) {
        return;
    }
    match device.take_copy() {
        Some(copy) => put_back(world, device, copy).await,
        None => keep(world, device),
    }
}

fn is_in_use(world: &World, device: &Rc<Device>) -> bool {
    let is_first = world.device(device.who).is_some_and(|first| Rc::ptr_eq(&first, device));
    if is_first {
        return world.stages.borrow()[device.who] == Stage::In;
    }
    let laptop = world.laptops.borrow()[device.who].clone();
    laptop.is_some_and(|laptop| laptop.stage == laptop::Stage::In && Rc::ptr_eq(&laptop.device, device))
}

fn keep(world: &Rc<World>, device: &Rc<Device>) {
    device.crash();
    let mut copy = None;
    let operations = world.model.borrow().order.len();
    device.with_storage(|db| match copy_of(db) {
        Ok((db, cursors)) => copy = Some(Copy { db, operations, cursors }),
        Err(error) => world.story.violate(format!("a database cannot be copied: {error}")),
    });
    if let Some(copy) = copy {
        world.story.tell(format!("a copy is kept of {}", device.name()));
        device.keep_copy(copy);
    }
}

async fn put_back(world: &Rc<World>, device: &Rc<Device>, copy: Copy) {
    device.crash();
    // What it had sent has arrived or never will.
    sleep(Duration::from_secs(1)).await;
    if let Err(what) = log::read(world).await {
        return world.story.violate(what);
    }
    world.story.tell(format!("{} is put back to an older copy of itself", device.name()));
    device.put_back(copy.db);
    let mut model = world.model.borrow_mut();
    let since = model.order.split_off(copy.operations);
    let lost = since.iter().filter(|id| model.ops[*id].by == device.who && model.ops[*id].life == device.life);
    let lost: Vec<_> = lost.copied().collect();
    model.order.extend(since);
    let conversations: Vec<ConversationId> = log::pairs(&model)
        .iter()
        .map(|pair| pair.2)
        .chain(model.groups.iter().map(|group| group.conversation))
        .collect();
    let person = &mut model.people[device.who];
    person.marked_in_this_life.clear();
    let life = &mut person.lives[device.life];
    life.lost.extend(lost);
    life.may_be_logged_out = true;
    for conversation in conversations {
        let after = copy.cursors.get(&conversation).copied().unwrap_or(0);
        let head = world.shadow.borrow().head(conversation);
        life.forgotten.entry(conversation).or_default().push(Forgotten { after, head });
    }
}

/// The same rows in another database, and the cursors among them. The full-text index makes itself again.
fn copy_of(from: &Db) -> rusqlite::Result<(Db, BTreeMap<ConversationId, u64>)> {
    let to = Db::open_memory().expect("a database in memory opens");
    let from = from.connection();
    let mut tables = from.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'",
    )?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in tables {
        let mut rows = from.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let columns = rows.column_count();
        let places = vec!["?"; columns].join(", ");
        let mut insert = to.connection().prepare(&format!("INSERT INTO \"{table}\" VALUES ({places})"))?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let values: Vec<Value> = (0..columns).map(|column| row.get(column)).collect::<Result<_, _>>()?;
            insert.execute(rusqlite::params_from_iter(values))?;
        }
    }
    let mut cursors = from.prepare("SELECT conversation, cursor FROM conversation")?;
    let cursors = cursors.query_map([], |row| Ok((ConversationId::from_bytes(row.get(0)?), row.get(1)?)))?;
    let cursors = cursors.collect::<Result<_, _>>()?;
    Ok((to, cursors))
}

/// Devices whose tokens were newer than what they were put back to are logged out, and their people get others.
pub fn tend(world: &Rc<World>) {
    let out = std::mem::take(&mut *world.logged_out.borrow_mut());
    for device in out {
        let is_laptop = world.laptops.borrow()[device.who].as_ref().is_some_and(|it| Rc::ptr_eq(&it.device, &device));
        if is_laptop {
            laptop::lose(world, device.who);
        } else {
            crate::fault::lose_the_phone(world, &device);
        }
    }
}
