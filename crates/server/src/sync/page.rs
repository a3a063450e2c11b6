//! The socket's `sync`: one page of a log that this device may read.

use crate::error::{Error, Result};
use crate::hub::StoredPage;
use crate::lane::View;
use crate::server::Server;
use tidings_proto::entry::Sender;
use tidings_proto::id::LogId;
use tidings_proto::limit::{PAGE_MAX_BYTES, PAGE_MAX_ENTRIES};
use tidings_store::log::Head;

/// What a device may read of a log: the head as it sees it, and the first seq.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub head: Head,
    pub since_seq: u64,
}

/// The entries after `after`. The device's own inbox, or a conversation of its account.
pub async fn page(server: &Server, sender: Sender, log: LogId, after: u64, limit: u32) -> Result<StoredPage> {
    page_within(server, sender, log, after, limit, PAGE_MAX_BYTES).await
}

/// As [`page()`], with a bound on the bytes.
pub async fn page_within(
    server: &Server,
    sender: Sender,
    log: LogId,
    after: u64,
    limit: u32,
    max_bytes: usize,
) -> Result<StoredPage> {
    let Range { head, since_seq } = range(server, sender, log).await?;
    let after = after.max(since_seq - 1);
    let page = server.log.page(log, &head, after, limit.clamp(1, PAGE_MAX_ENTRIES), max_bytes).await?;
    Ok(StoredPage {
        log,
        entries: page.entries,
        head: page.head,
        oldest: page.oldest.max(since_seq),
        caught_up: page.caught_up,
    })
}

/// Not found if the log is neither this device's inbox nor a conversation of its account.
pub async fn range(server: &Server, sender: Sender, log: LogId) -> Result<Range> {
    if log == sender.device.into() {
        // Most inboxes are empty most of the time: not worth a lane of their own.
        let head = match server.lanes.loaded(log) {
            Some(lane) => lane.head(),
            None => server.log.head(log).await?,
        };
        return Ok(Range { head, since_seq: 1 });
    }
    let lane = server.lanes.open(server, log).await?;
    let view = lane.reader(sender.account);
    server.lanes.forget(lane);
    let View { head, since_seq, .. } = view.map_err(|_| Error::not_found("log"))?;
    Ok(Range { head, since_seq })
}
