//! Who sees whom. Reciprocal: one sees of others what one shares with them.

use crate::error::Result;
use crate::server::Server;
use crate::sharing;
use tidings_proto::id::AccountId;

/// Whether the two share online and last seen with each other. Neither does with somebody whom either blocks.
pub async fn may_see(server: &Server, viewer: AccountId, account: AccountId) -> Result<bool> {
    if viewer == account {
        return Ok(true);
    }
    let shared = sharing::load(&server.store, &[viewer, account]).await?;
    for (owner, sharing, other) in [(viewer, shared[0], account), (account, shared[1], viewer)] {
        if !sharing::permits(&server.store, owner, sharing.last_seen, other).await? {
            return Ok(false);
        }
    }
    let lane = server.lanes.open_direct(server, viewer, account).await?;
    let is_blocked = lane.blocks(viewer) || lane.blocks(account);
    server.lanes.forget(lane);
    Ok(!is_blocked)
}
