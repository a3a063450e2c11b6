//! Receipts: watermarks survive a crash but for their last second, and never run backwards.

use crate::people::{Pair, People};
use reqwest::{Method, StatusCode};
use std::time::{Duration, Instant};
use tidings_proto::http::PutReceipts;
use tidings_proto::id::AccountId;

/// Merged rows are on the disk after a second; the rest is for a busy machine.
const LOST_AT_MOST: Duration = Duration::from_millis(1_500);

/// Watermarks that the server took, and when it said so.
pub type Acknowledged = Vec<(u64, Instant)>;

/// Moves the watermarks of the second one of this pair as far as the log goes, until the server is gone.
pub async fn send(people: People, pair: Pair) -> Acknowledged {
    let mut acknowledged = Vec::new();
    let path = format!("conversations/{}/receipts", pair.conversation);
    let mut seq = 0;
    loop {
        let conversation = format!("conversations/{}", pair.conversation);
        let token = Some(pair.other.token.as_str());
        let head = people.call::<tidings_proto::http::Conversation>(Method::GET, &conversation, token, None::<&()>);
        let Some((_, Some(conversation))) = head.await else { return acknowledged };
        if conversation.head == seq {
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        }
        seq = conversation.head;
        let body = PutReceipts { delivered: Some(seq), read: Some(seq) };
        match people.call::<serde_json::Value>(Method::PUT, &path, token, Some(&body)).await {
            Some((StatusCode::NO_CONTENT, _)) => acknowledged.push((seq, Instant::now())),
            Some((status, _)) => panic!("receipts: {status}"),
            None => return acknowledged,
        }
    }
}

pub async fn compare(people: &People, pair: &Pair, acknowledged: &Acknowledged, killed_at: Instant) {
    let Some(durable_until) = killed_at.checked_sub(LOST_AT_MOST) else { return };
    let durable = acknowledged.iter().filter(|(_, at)| *at <= durable_until).map(|(seq, _)| *seq).max().unwrap_or(0);
    let conversation = people.watermarks(&pair.one, pair.conversation).await;
    let of = |account: AccountId| conversation.watermarks.iter().find(|watermark| watermark.account == account);
    let (delivered, read) = of(pair.other.account).map_or((0, 0), |watermark| (watermark.delivered, watermark.read));
    assert!(delivered >= durable && read >= durable, "watermarks fell to {delivered} and {read} below {durable}");
    assert!(delivered <= conversation.head && read <= conversation.head, "watermarks stand above the head");
}
