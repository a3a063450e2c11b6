//! Who sees whom. Reciprocal: one sees of others what one shares with them.

use crate::error::Result;
use crate::server::Server;
use crate::sharing;
use tidings_proto::http::Audience;
use tidings_proto::id::AccountId;

/// Whether the two share online and last seen with each other. Neither does with somebody whom either blocks.
pub async fn may_see(server: &Server, viewer: AccountId, account: AccountId) -> Result<bool> {
    if viewer == account {
        return Ok(true);
    }
    let audiences: Vec<Audience> =
        sharing::load(&server.store, &[viewer, account]).await?.into_iter().map(|it| it.last_seen).collect();
    if audiences.contains(&Audience::Nobody) {
        return Ok(false);
    }
    let lane = server.lanes.open_direct(server, viewer, account).await?;
    let is_contact = lane.head().seq > 0;
    let is_blocked = lane.blocks(viewer) || lane.blocks(account);
    server.lanes.forget(lane);
    Ok(!is_blocked && (is_contact || !audiences.contains(&Audience::Contacts)))
}
