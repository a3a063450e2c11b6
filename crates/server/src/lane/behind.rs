//! Writes cursors and watermarks to the store, a moment after they moved: many moves of one row become one write. What a
//! crash takes with it the devices confirm again.

use super::lock;
use super::state::Lane;
use crate::error::Result;
use crate::server::Server;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidings_store::{MergeRow, StoreError};
use tokio::sync::RwLock;

/// From the first move to the write.
const DELAY_MS: u64 = 500;
/// Rows of one merge.
const ROWS_PER_MERGE: usize = 512;
/// Rows that a store which was overloaded left behind; further ones wait for the device's next word.
const LEFT_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Behind {
    /// Lanes in which something moved.
    lanes: Mutex<Vec<Arc<Lane>>>,
    left: Mutex<Vec<MergeRow>>,
    /// Read while rows are on their way to the store.
    writing: RwLock<()>,
}

impl Behind {
    /// Puts a lane on the list; the first one starts the task that empties it.
    pub fn list(&self, server: &Arc<Server>, lane: Arc<Lane>) {
        let mut lanes = lock(&self.lanes);
        lanes.push(lane);
        let first = lanes.len() == 1;
        drop(lanes);
        if first {
            let server = server.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(DELAY_MS)).await;
                if let Err(error) = server.lanes.flush(&server).await {
                    tracing::warn!(%error, "cursors were not written; they wait for the next time");
                }
            });
        }
    }

    /// Returns when everything that moved before is in the store, also what another flush has taken.
    pub async fn flush(&self, server: &Server) -> Result<()> {
        let written = {
            let _writing = self.writing.read().await;
            self.write(server).await
        };
        drop(self.writing.write().await);
        written
    }

    async fn write(&self, server: &Server) -> Result<()> {
        let lanes = std::mem::take(&mut *lock(&self.lanes));
        let mut rows = std::mem::take(&mut *lock(&self.left));
        for lane in lanes {
            let mut state = lane.lock();
            state.listed = false;
            state.cursors.take_dirty(lane.log, &mut rows);
            state.marks.take_dirty(lane.log, &mut rows);
        }
        while !rows.is_empty() {
            let chunk = rows.split_off(rows.len().saturating_sub(ROWS_PER_MERGE));
            if let Err(error) = server.store.merge(chunk.clone()).await {
                if error == StoreError::Overloaded {
                    let mut left = lock(&self.left);
                    left.extend(chunk.into_iter().chain(rows));
                    left.truncate(LEFT_MAX);
                }
                return Err(error.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use tidings_proto::id::LogId;
    use tidings_store::{Clock, MemoryDisk};

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn a_flush_waits_for_what_another_one_is_writing() {
        let disk = MemoryDisk::new(Clock::system());
        let server = Server::open(Config::default(), disk.open(), Clock::system()).await.unwrap();
        let server = Arc::new(server);
        let lane = server.lanes.lane(LogId::from_bytes([7; 16]));
        lock(&server.lanes.behind.lanes).push(lane.clone());
        let flush = || {
            let server = server.clone();
            tokio::spawn(async move { server.lanes.flush(&server).await })
        };
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (holds, held) = std::sync::mpsc::channel();
        let holder = std::thread::spawn(move || {
            let _state = lane.lock();
            holds.send(()).unwrap();
            released.recv().unwrap();
        });
        held.recv().unwrap();
        let first = flush();
        while !lock(&server.lanes.behind.lanes).is_empty() {
            tokio::task::yield_now().await;
        }
        // The first one has taken the lane, and comes no further.
        let mut second = flush();
        let waited = tokio::time::timeout(Duration::from_millis(50), &mut second).await;
        assert!(waited.is_err(), "the lane's rows are not written yet");
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
        holder.join().unwrap();
    }
}
