//! The embedded engine against the one in memory: whatever is asked of both, they answer the same. The memtable is small,
//! so that rows are everywhere on their way: waiting, active, frozen, in the trees, under newer rows and deletions.

use proptest::prelude::*;
use tempfile::TempDir;
use tidings_store::batch::Assert;
use tidings_store::{Batch, EmbeddedOptions, Key, ManualClock, MergeRow, Scan, Store, Table};

const PARTITION: &str = "p";
/// Of one family: heaped, in the tree, written at once; and one of another family.
const COMMITTED: [Table; 4] = [Table::Entry, Table::Head, Table::Sent, Table::Device];
const MERGED: [Table; 2] = [Table::Delivered, Table::Read];

/// Table, row, and what is put there: a value that is repeated as often as it says, and perhaps for how long.
type Change = (usize, u8, Option<(u8, Option<u64>)>);

#[derive(Clone, Debug)]
enum Step {
    Commit { log: bool, asserts: Vec<(usize, u8, Assert)>, changes: Vec<Change> },
    Merge(Vec<(usize, u8, u64)>),
    Get(usize, u8),
    Scan { table: usize, start: u8, end: Option<u8>, reverse: bool, limit: u32, max_bytes: usize },
    Advance(u64),
    Sweep,
    Reopen,
}

fn table(log: bool, index: usize) -> Table {
    if log { COMMITTED[index % 3] } else { COMMITTED[3] }
}

fn asserts() -> impl Strategy<Value = Assert> {
    prop_oneof![
        Just(Assert::Absent),
        Just(Assert::Present),
        (0..3u8).prop_map(|value| Assert::Equals(vec![value; usize::from(value)].into())),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let expiry = || prop::option::of(prop_oneof![0..40u64, 70_000..90_000u64]);
    let change = (0..3usize, 0..6u8, prop::option::weighted(0.7, (0..3u8, expiry())));
    let assert = (0..3usize, 0..6u8, asserts());
    prop_oneof![
        8 => (any::<bool>(), prop::collection::vec(assert, 0..3), prop::collection::vec(change, 1..5))
            .prop_map(|(log, asserts, changes)| Step::Commit { log, asserts, changes }),
        3 => prop::collection::vec((0..2usize, 0..4u8, 0..9u64), 1..4).prop_map(Step::Merge),
        4 => (0..6usize, 0..6u8).prop_map(|(table, row)| Step::Get(table, row)),
        6 => (0..4usize, 0..6u8, prop::option::of(0..7u8), any::<bool>(), 0..7u32, prop_oneof![Just(usize::MAX), 0..6usize])
            .prop_map(|(table, start, end, reverse, limit, max_bytes)| Step::Scan { table, start, end, reverse, limit, max_bytes }),
        2 => prop_oneof![0..50u64, Just(100_000)].prop_map(Step::Advance),
        1 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

struct World {
    clock: ManualClock,
    folder: TempDir,
    options: EmbeddedOptions,
    embedded: Store,
    memory: Store,
}

impl World {
    fn open(memtable_rows: usize) -> Self {
        let clock = ManualClock::new(1_700_000_000_000);
        let folder = TempDir::new().unwrap();
        let options = EmbeddedOptions { memtable_rows };
        let embedded = Store::embedded_with(folder.path(), clock.clock(), options).unwrap();
        Self { memory: Store::memory(clock.clock()), clock, folder, options, embedded }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Commit { log, asserts, changes } => {
                let batch = self.batch(*log, asserts, changes);
                assert_eq!(self.embedded.commit(batch.clone()).await, self.memory.commit(batch).await);
            }
            Step::Merge(rows) => {
                // Of two with the same version either stands, so the value is the version.
                let row = |(table, row, version): &(usize, u8, u64)| {
                    MergeRow::new(MERGED[*table], PARTITION, [*row], *version, vec![*version as u8])
                };
                let rows: Vec<MergeRow> = rows.iter().map(row).collect();
                self.embedded.merge(rows.clone()).await.unwrap();
                self.memory.merge(rows).await.unwrap();
            }
            Step::Get(table, row) => {
                let key = Key::new([&COMMITTED[..], &MERGED].concat()[*table], PARTITION, [*row]);
                assert_eq!(self.embedded.get(&key).await, self.memory.get(&key).await);
            }
            Step::Scan { table, start, end, reverse, limit, max_bytes } => {
                let table = [Table::Entry, Table::Device, Table::Delivered, Table::Read][*table];
                let scan = Scan::all(table, PARTITION, *limit).from([*start]).max_bytes(*max_bytes);
                let scan = end.map_or(scan.clone(), |end| scan.until([end]));
                let scan = if *reverse { scan.reverse() } else { scan };
                assert_eq!(self.embedded.scan(&scan).await, self.memory.scan(&scan).await);
            }
            Step::Advance(ms) => self.clock.advance(*ms),
            Step::Sweep => {
                self.embedded.sweep().await.unwrap();
                self.memory.sweep().await.unwrap();
            }
            Step::Reopen => {
                self.embedded.close().await.unwrap();
                self.embedded = Store::embedded_with(self.folder.path(), self.clock.clock(), self.options).unwrap();
            }
        }
    }

    fn batch(&self, log: bool, asserts: &[(usize, u8, Assert)], changes: &[Change]) -> Batch {
        let mut batch = Batch::new(table(log, 0).family(), PARTITION);
        for (index, row, assert) in asserts {
            batch = batch.assert(table(log, *index), [*row], assert.clone());
        }
        let mut changed = Vec::new();
        for (index, row, change) in changes {
            let table = table(log, *index);
            if changed.contains(&(table, row)) {
                continue;
            }
            changed.push((table, row));
            batch = match change {
                Some((value, expiry)) => {
                    let value = vec![*value; usize::from(*value)];
                    match expiry {
                        Some(ms) => batch.put_until(table, [*row], value, self.clock.now_ms() + ms),
                        None => batch.put(table, [*row], value),
                    }
                }
                None => batch.delete(table, [*row]),
            };
        }
        batch
    }

    /// Nothing in the file is without an owner, once the journal is in the trees.
    async fn check_file(self) {
        self.embedded.close().await.unwrap();
        let connection = rusqlite::Connection::open(self.folder.path().join("tidings.db")).unwrap();
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM journal"), 0);
        let pointers = "SELECT place FROM tree_log WHERE place IS NOT NULL";
        assert_eq!(count(&format!("SELECT count(*) FROM heap WHERE id NOT IN ({pointers})")), 0, "garbage in the heap");
        assert_eq!(
            count(&format!("SELECT count(*) FROM ({pointers} EXCEPT SELECT id FROM heap)")),
            0,
            "a value is missing"
        );
        let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn both_engines_answer_the_same(steps in prop::collection::vec(steps(), 1..80), memtable_rows in prop_oneof![1..8usize, Just(100_000)]) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::open(memtable_rows);
            for step in &steps {
                world.step(step).await;
            }
            world.check_file().await;
        });
    }
}
