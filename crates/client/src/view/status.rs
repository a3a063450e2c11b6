//! [`Status`].

use super::{Status, conversation};
use crate::job::{self, Kind};
use crate::session;
use crate::step::{Step, Stop};

pub(crate) fn read(step: &Step<'_>) -> Result<Status, Stop> {
    let me = step.mem.me.as_ref();
    let (outbox, changes) = step
        .tx
        .prepare_cached("SELECT count(*) FILTER (WHERE silent = 0), count(*) FILTER (WHERE silent = 1) FROM outbox")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (unread, unread_muted) = conversation::unread_of_all(step)?;
    Ok(Status {
        account: me.map(|me| me.sender.account),
        device: me.map(|me| me.sender.device),
        phone: me.map(|me| me.phone.clone()).filter(|phone| !phone.is_empty()),
        connection: session::state(step.mem),
        outbox,
        changes,
        unread,
        unread_muted,
        importing: job::exists(step.tx, Kind::Import, &[])?,
    })
}
