//! From the database: rows in portions that fit a chunk each.

use super::cell::Cell;
use super::chunk::PLAIN_MAX_BYTES;
use super::rows::{self, Rows};
use super::table::{self, BOUND, MESSAGE, Rule, STATE, Table};
use crate::db::schema::UNSENT;
use crate::step::Stop;
use rusqlite::{Connection, ToSql};

/// Rows of `message` that are packed together, by `local`. The triggers in the schema count in the same blocks.
pub(crate) const BLOCK_MESSAGES: i64 = 1 << 11;
/// A portion ends here. One more row fits: a content has at most 64 KiB.
const PORTION_BYTES: usize = PLAIN_MAX_BYTES - 160 * 1024;

/// The plaintext of a chunk to be.
pub(crate) struct Portion {
    pub plain: Vec<u8>,
    pub messages: u64,
}

#[derive(Default)]
struct Portions {
    done: Vec<Portion>,
    tables: Vec<Rows>,
    bytes: usize,
    messages: u64,
}

impl Portions {
    fn add(&mut self, table: &Table, columns: &[String], row: Vec<Cell>) {
        self.bytes += row.iter().map(Cell::size).sum::<usize>() + 3;
        if self.tables.last().is_none_or(|last| last.table != table.name) {
            self.bytes += 64 + columns.iter().map(|column| column.len() + 5).sum::<usize>();
            self.tables.push(Rows { table: table.name.to_owned(), columns: columns.to_vec(), rows: Vec::new() });
        }
        if table.name == MESSAGE.name {
            self.messages += 1;
        }
        if let Some(last) = self.tables.last_mut() {
            last.rows.push(row);
        }
        if self.bytes >= PORTION_BYTES {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.tables.is_empty() {
            return;
        }
        let plain = rows::encode(&std::mem::take(&mut self.tables));
        self.done.push(Portion { plain, messages: std::mem::take(&mut self.messages) });
        self.bytes = 0;
    }

    fn end(mut self) -> Vec<Portion> {
        self.cut();
        self.done
    }
}

/// People, chats, settings.
pub(crate) fn state(tx: &Connection) -> Result<Vec<Portion>, Stop> {
    let mut portions = Portions::default();
    for table in STATE {
        let columns = table::columns(tx, table)?;
        if columns.is_empty() {
            continue;
        }
        let (columns_sql, key) = (columns.join(", "), table.key.join(", "));
        let sql = format!("SELECT {columns_sql} FROM {} WHERE {} ORDER BY {key}", table.name, packed(table));
        select(tx, &mut portions, table, &columns, &sql, &[])?;
    }
    Ok(portions.end())
}

/// Which rows. A group that this device only asks to come into may never be one of its conversations.
fn packed(table: &Table) -> &'static str {
    match table.rule {
        Rule::Conversation => {
            "joined = 1 OR conversation NOT IN (SELECT conversation FROM joining)
             OR EXISTS (SELECT 1 FROM message WHERE message.conversation = conversation.conversation)"
        }
        _ => "TRUE",
    }
}

/// The messages of a block, with what hangs on them; nothing if none is left. What is not in its log yet stays out.
pub(crate) fn block(tx: &Connection, block: i64) -> Result<Vec<Portion>, Stop> {
    let (from, to) = (block * BLOCK_MESSAGES, (block + 1) * BLOCK_MESSAGES);
    messages(tx, "message.local >= ?1 AND message.local < ?2 AND message.seq <> ?3", &[&from, &to, &UNSENT])
}

/// Those that changed since a history's first round.
pub(crate) fn dirty(tx: &Connection) -> Result<Vec<Portion>, Stop> {
    let range = "message.message IN (SELECT message FROM history_dirty) AND message.seq <> ?1";
    messages(tx, range, &[&UNSENT])
}

fn messages(tx: &Connection, range: &str, parameters: &[&dyn ToSql]) -> Result<Vec<Portion>, Stop> {
    let mut portions = Portions::default();
    let columns = table::columns(tx, &MESSAGE)?;
    let sql = format!("SELECT {} FROM message WHERE {range} ORDER BY local", columns.join(", "));
    select(tx, &mut portions, &MESSAGE, &columns, &sql, parameters)?;
    for table in BOUND {
        let columns = table::columns(tx, table)?;
        let named: Vec<String> = columns.iter().map(|column| format!("{}.{column}", table.name)).collect();
        let sql = format!(
            "SELECT {} FROM message CROSS JOIN {} USING (conversation, message) WHERE {range} ORDER BY local",
            named.join(", "),
            table.name
        );
        select(tx, &mut portions, table, &columns, &sql, parameters)?;
    }
    Ok(portions.end())
}

fn select(
    tx: &Connection,
    portions: &mut Portions,
    table: &Table,
    columns: &[String],
    sql: &str,
    parameters: &[&dyn ToSql],
) -> Result<(), Stop> {
    let mut statement = tx.prepare_cached(sql)?;
    let mut found = statement.query(parameters)?;
    while let Some(row) = found.next()? {
        let cells = (0..columns.len()).map(|index| row.get(index)).collect::<Result<_, _>>()?;
        portions.add(table, columns, cells);
    }
    Ok(())
}

/// The highest block that has messages below `below`.
pub(crate) fn newest_block(tx: &Connection, below: i64) -> Result<Option<i64>, Stop> {
    let local: Option<i64> = tx
        .prepare_cached("SELECT max(local) FROM message WHERE local < ?1")?
        .query_row([below.saturating_mul(BLOCK_MESSAGES)], |row| row.get(0))?;
    Ok(local.map(|local| local / BLOCK_MESSAGES))
}

/// Messages that can be packed.
pub(crate) fn count(tx: &Connection, below_block: i64) -> Result<u64, Stop> {
    Ok(tx
        .prepare_cached("SELECT count(*) FROM message WHERE local < ?1")?
        .query_row([below_block.saturating_mul(BLOCK_MESSAGES)], |row| row.get(0))?)
}
