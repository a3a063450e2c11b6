//! Recent rows, in memory, until they are moved into the trees.
//!
//! A row goes down through layers: `waiting` (merged, and not durable yet), `flushing` (the same, in the transaction under
//! way), `active` (durable in the journal), `frozen` (on its way into the trees). Readers look here first and in the file
//! after, so a row that moves between the two is never missed. Of several cells of one row the highest version counts;
//! rows that are committed all have version 0, and of those the uppermost counts.

use crate::batch::MergeRow;
use crate::engine::Budget;
use crate::error::StoreError;
use crate::key::{Key, Partition, RowKey, Scan};
use crate::table::Table;
use bytes::Bytes;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Merged rows that wait for the disk, at most.
const WAITING_MAX_ROWS: usize = 100_000;
/// Merged rows that one transaction takes along.
const MERGE_MAX_ROWS: usize = 2_000;

/// Where a row stands among all rows; ordered as the trees are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    tree: u8,
    /// The first bytes of the partition: most comparisons end here, without a look at bytes that lie elsewhere.
    prefix: u64,
    partition: Partition,
    table: u8,
    row: RowKey,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// `None`: the row is deleted, whatever the file says.
    pub value: Option<Bytes>,
    pub expires_ms: Option<u64>,
    /// Where the heap has the value, if it has it.
    pub place: Option<i64>,
    pub version: u64,
}

pub type Cells = BTreeMap<Position, Cell>;

/// The recent rows of a scan, in its direction, and at which count of freezes they were read.
pub struct Recent {
    pub rows: Vec<(RowKey, Cell)>,
    pub freezes: u64,
}

#[derive(Debug, Default)]
pub struct Memtable(RwLock<Layers>);

#[derive(Debug, Default)]
struct Layers {
    waiting: Cells,
    flushing: Cells,
    active: Cells,
    frozen: Arc<Cells>,
    freezes: u64,
}

impl Position {
    pub fn new(table: Table, partition: &Partition, row: &RowKey) -> Self {
        let mut prefix = [0; 8];
        let len = partition.len().min(prefix.len());
        prefix[..len].copy_from_slice(&partition[..len]);
        Self {
            tree: table.family() as u8,
            prefix: u64::from_be_bytes(prefix),
            partition: partition.clone(),
            table: table as u8,
            row: row.clone(),
        }
    }

    pub fn of(key: &Key) -> Self {
        Self::new(key.table, &key.partition, &key.row)
    }

    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    pub fn row(&self) -> &RowKey {
        &self.row
    }

    pub fn table(&self) -> Table {
        Table::from_number(self.table).expect("it was made from a table")
    }
}

impl Cell {
    /// The value, unless the row is deleted or has expired.
    pub fn read(&self, now_ms: u64) -> Option<&Bytes> {
        self.value.as_ref().filter(|_| self.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms))
    }
}

/// Puts a cell over the one that is there, unless that is newer. Returns what was replaced.
pub fn lay(cells: &mut Cells, position: Position, cell: Cell) -> Option<Cell> {
    match cells.entry(position) {
        Entry::Vacant(free) => {
            free.insert(cell);
            None
        }
        Entry::Occupied(present) if present.get().version > cell.version => None,
        Entry::Occupied(mut present) => Some(present.insert(cell)),
    }
}

impl Memtable {
    /// Returns whether no merged row waited before.
    pub fn merge(&self, rows: Vec<MergeRow>) -> Result<bool, StoreError> {
        let mut layers = self.write();
        if layers.waiting.len() + rows.len() > WAITING_MAX_ROWS {
            return Err(StoreError::Overloaded);
        }
        let was_empty = layers.waiting.is_empty();
        for MergeRow { table, partition, row, version, value } in rows {
            let cell = Cell { value: Some(value), expires_ms: None, place: None, version };
            lay(&mut layers.waiting, Position::new(table, &partition, &row), cell);
        }
        Ok(was_empty)
    }

    /// The merged rows that the next transaction takes along.
    pub fn begin_merge(&self) -> Cells {
        let mut layers = self.write();
        assert!(layers.flushing.is_empty(), "one transaction at a time");
        layers.flushing = match layers.waiting.keys().nth(MERGE_MAX_ROWS).cloned() {
            Some(position) => {
                let rest = layers.waiting.split_off(&position);
                std::mem::replace(&mut layers.waiting, rest)
            }
            None => std::mem::take(&mut layers.waiting),
        };
        layers.flushing.clone()
    }

    /// The transaction failed: its merged rows wait again.
    pub fn abort_merge(&self) {
        let mut layers = self.write();
        for (position, cell) in std::mem::take(&mut layers.flushing) {
            lay(&mut layers.waiting, position, cell);
        }
    }

    pub fn has_waiting(&self) -> bool {
        !self.read().waiting.is_empty()
    }

    /// Shows the rows of a transaction that is durable now, all at once. Values of theirs that nothing points to any more
    /// are added to `garbage`.
    pub fn publish(&self, cells: Cells, garbage: &mut Vec<i64>) {
        let mut layers = self.write();
        for (position, cell) in cells {
            garbage.extend(lay(&mut layers.active, position, cell).and_then(|replaced| replaced.place));
        }
        layers.flushing.clear();
    }

    /// Hands the active rows over to be moved into the trees. The last ones must have been.
    pub fn freeze(&self) -> Arc<Cells> {
        let mut layers = self.write();
        layers.frozen = Arc::new(std::mem::take(&mut layers.active));
        layers.freezes += 1;
        layers.frozen.clone()
    }

    /// The frozen rows are in the trees.
    pub fn drop_frozen(&self) {
        let frozen = std::mem::take(&mut self.write().frozen);
        // Without the lock, since it takes a while.
        drop(frozen);
    }

    pub fn freezes(&self) -> u64 {
        self.read().freezes
    }

    pub fn get(&self, position: &Position) -> Option<Cell> {
        let layers = self.read();
        layers.all().into_iter().filter_map(|cells| cells.get(position)).reduce(newer).cloned()
    }

    /// The recent rows of a scan, with those that hide a row of the file, as far as the scan can reach.
    pub fn scan(&self, scan: &Scan, now_ms: u64) -> Recent {
        let layers = self.read();
        let mut rows = Vec::new();
        let start = Position::new(scan.table, &scan.partition, &scan.start);
        let end = match &scan.end {
            Some(row) => Position { row: row.clone(), ..start.clone() },
            None => Position { row: Bytes::new(), table: start.table + 1, ..start.clone() },
        };
        if start < end {
            let range = (Bound::Included(&start), Bound::Excluded(&end));
            let mut budget = Budget::of(scan);
            let mut sources = Vec::new();
            for cells in layers.all().into_iter().filter(|cells| !cells.is_empty()) {
                let cells = cells.range::<Position, _>(range);
                let cells: Box<dyn Iterator<Item = _>> =
                    if scan.reverse { Box::new(cells.rev()) } else { Box::new(cells) };
                sources.push(cells.peekable());
            }
            while let Some((position, cell)) = next(&mut sources, scan.reverse) {
                rows.push((position.row.clone(), cell.clone()));
                if cell.read(now_ms).is_some_and(|value| !budget.admits(value.len())) {
                    break;
                }
            }
        }
        Recent { rows, freezes: layers.freezes }
    }

    fn read(&self) -> RwLockReadGuard<'_, Layers> {
        self.0.read().expect("nothing panics while it holds the memtable")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Layers> {
        self.0.write().expect("nothing panics while it holds the memtable")
    }
}

impl Layers {
    /// From the uppermost.
    fn all(&self) -> [&Cells; 4] {
        [&self.waiting, &self.flushing, &self.active, &self.frozen]
    }
}

fn newer<'c>(upper: &'c Cell, lower: &'c Cell) -> &'c Cell {
    if lower.version > upper.version { lower } else { upper }
}

type Source<'c> = std::iter::Peekable<Box<dyn Iterator<Item = (&'c Position, &'c Cell)> + 'c>>;

/// The next row of all layers.
fn next<'c>(sources: &mut [Source<'c>], reverse: bool) -> Option<(&'c Position, &'c Cell)> {
    let first = if reverse { Ordering::Greater } else { Ordering::Less };
    let heads = sources.iter_mut().filter_map(|source| source.peek().map(|(position, _)| *position));
    let position = heads.reduce(|best, other| if other.cmp(best) == first { other } else { best })?;
    let cells = sources.iter_mut().filter_map(|source| source.next_if(|(other, _)| *other == position));
    let cell = cells.map(|(_, cell)| cell).reduce(newer)?;
    Some((position, cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(memtable: &Memtable, version: u64) -> Result<bool, StoreError> {
        memtable.merge(vec![MergeRow::new(Table::Cursor, b"p", b"row", version, version.to_string())])
    }

    fn get(memtable: &Memtable) -> Option<u64> {
        memtable.get(&Position::of(&Key::new(Table::Cursor, b"p", b"row"))).map(|cell| cell.version)
    }

    #[test]
    fn a_merged_row_is_seen_on_every_layer_and_the_highest_version_counts() {
        let memtable = Memtable::default();
        assert_eq!(merge(&memtable, 5), Ok(true));
        assert_eq!(merge(&memtable, 3), Ok(false));
        assert_eq!(get(&memtable), Some(5));
        let cells = memtable.begin_merge();
        assert_eq!((get(&memtable), merge(&memtable, 4)), (Some(5), Ok(true)));
        memtable.abort_merge();
        assert_eq!(memtable.begin_merge(), cells);
        let mut garbage = Vec::new();
        memtable.publish(cells, &mut garbage);
        assert_eq!((get(&memtable), merge(&memtable, 2)), (Some(5), Ok(true)));
        assert_eq!(memtable.freeze().len(), 1);
        assert_eq!((get(&memtable), memtable.freezes()), (Some(5), 1));
        memtable.drop_frozen();
        assert_eq!(get(&memtable), Some(2));
        assert!(garbage.is_empty() && memtable.has_waiting());
    }

    #[test]
    fn too_many_merged_rows_are_refused() {
        let memtable = Memtable::default();
        let row = |row: usize| MergeRow::new(Table::Cursor, b"p", row.to_be_bytes(), 1, "");
        memtable.merge((0..WAITING_MAX_ROWS).map(row).collect()).unwrap();
        assert_eq!(memtable.merge(vec![row(0)]), Err(StoreError::Overloaded));
        assert_eq!(memtable.begin_merge().len(), MERGE_MAX_ROWS);
        assert_eq!(memtable.merge(vec![row(0)]), Ok(false));
    }
}
