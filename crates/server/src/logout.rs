//! The end of a device. Its row goes first, and with it every token at once; the rest is cleaning, which may be cut
//! short: rows of a device that does not exist mean nothing to anybody.

use crate::error::Result;
use crate::hub::Goodbye;
use crate::server::Server;
use tidings_proto::entry::Sender;
use tidings_proto::limit::KEY_PACKAGES_MAX;
use tidings_proto::problem::Code;
use tidings_store::table::Family;
use tidings_store::{Batch, Scan, Store, Table};

/// The most that one scan for packages reads; there are never more rows than fit one batch.
const PACKAGES_SCAN: u32 = 2 * KEY_PACKAGES_MAX as u32;

/// Logs a device out: nothing of it works after this returns.
pub async fn log_out(server: &Server, device: Sender) -> Result<()> {
    let batch = Batch::new(Family::Account, device.account.as_bytes()).delete(Table::Device, device.device.as_bytes());
    server.store.commit(batch).await?;
    clean(server, device).await
}

/// What follows once the device's row is gone: its connection, its keys, its other rows.
pub async fn clean(server: &Server, device: Sender) -> Result<()> {
    server.hub.disconnect(device, Goodbye::new(Code::LoggedOut, "This device was logged out."));
    delete_packages(&server.store, device).await?;
    let keys = Batch::new(Family::Keys, device.device.as_bytes()).delete(Table::DeviceKey, b"credential");
    server.store.commit(keys).await?;
    let owner = Batch::new(Family::DeviceOwner, device.device.as_bytes()).delete(Table::DeviceOwner, []);
    server.store.commit(owner).await?;
    Ok(())
}

/// Deletes all key packages of a device, the last-resort one too.
pub async fn delete_packages(store: &Store, device: Sender) -> Result<()> {
    let rows = store.scan(&Scan::all(Table::KeyPackage, device.device.as_bytes(), PACKAGES_SCAN)).await?;
    let batch = Batch::new(Family::Keys, device.device.as_bytes()).delete(Table::DeviceKey, b"last");
    let batch = rows.iter().fold(batch, |batch, row| batch.delete(Table::KeyPackage, &row.row));
    Ok(store.commit(batch).await?)
}
