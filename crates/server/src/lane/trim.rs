//! Deleting what every device has, if the server is set to (`delete_delivered`): a moment after cursors moved, the
//! messages that no device of a member waits for go, before their time.

use super::marks::Cursors;
use super::state::{Lane, State};
use crate::error::Result;
use crate::server::Server;
use std::sync::Arc;
use std::time::Duration;
use tidings_proto::id::DeviceId;
use tidings_store::{Key, Table};

/// From a move to the deletion, per log.
const DELAY_MS: u64 = 1_000;

impl State {
    /// The devices that read this log.
    fn readers_devices(&self, inbox: DeviceId) -> Vec<DeviceId> {
        match &self.roster {
            Some(roster) => roster.members.iter().flat_map(|member| member.devices.iter().copied()).collect(),
            None => self.owner.map(|_| inbox).into_iter().collect(),
        }
    }
}

/// The lowest cursor of these devices; `None` if there are none, or one is not known.
fn lowest(cursors: &Cursors, devices: &[DeviceId]) -> Option<u64> {
    devices.iter().map(|device| cursors.get(*device)).min().flatten()
}

impl Lane {
    /// Deletes what every device has, in a moment.
    pub(super) fn trim_soon(self: &Arc<Self>, server: &Arc<Server>) {
        if !server.config.delete_delivered || std::mem::replace(&mut self.lock().is_trimming, true) {
            return;
        }
        let (lane, server) = (self.clone(), server.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(DELAY_MS)).await;
            lane.lock().is_trimming = false;
            if let Err(error) = lane.trim(&server).await {
                tracing::warn!(log = %lane.log, %error, "what was delivered is not yet deleted");
            }
        });
    }

    async fn trim(&self, server: &Server) -> Result<()> {
        let (devices, unknown, trimmed) = {
            let state = self.lock();
            let devices = state.readers_devices(DeviceId::from_bytes(*self.log.as_bytes()));
            let is_unknown = |device: &&DeviceId| state.cursors.get(**device).is_none();
            let unknown: Vec<DeviceId> = devices.iter().filter(is_unknown).copied().collect();
            (devices, unknown, state.trimmed)
        };
        let key = |device: &DeviceId| Key::new(Table::Cursor, device.as_bytes(), self.log.as_bytes());
        let rows = server.store.get_many(&unknown.iter().map(key).collect::<Vec<_>>()).await?;
        let until = {
            let mut state = self.lock();
            for (device, row) in unknown.into_iter().zip(rows) {
                let seq = row.and_then(|value| value[..].try_into().ok()).map_or(0, u64::from_be_bytes);
                state.cursors.learn(device, seq);
            }
            lowest(&state.cursors, &devices).map_or(0, |seq| seq.min(state.head.seq))
        };
        if until > trimmed {
            server.log.forget(self.log, trimmed, until).await?;
            let mut state = self.lock();
            state.trimmed = state.trimmed.max(until);
        }
        Ok(())
    }
}
