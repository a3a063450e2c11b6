//! The socket's `signal`: for the devices that are online now, never stored.

use crate::error::{Error, Result};
use crate::hub::LiveSignal;
use crate::server::Server;
use std::sync::Arc;
use tidings_proto::entry::Sender;
use tidings_proto::id::ConversationId;
use tidings_proto::limit::SIGNAL_MAX_BYTES;
use tidings_proto::payload::Payload;
use tidings_proto::problem::Code;

pub async fn signal(
    server: &Arc<Server>,
    sender: Sender,
    conversation: ConversationId,
    payload: Payload,
) -> Result<()> {
    if payload.len() > SIGNAL_MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("A signal has at most {SIGNAL_MAX_BYTES} bytes.")));
    }
    let lane = server.lanes.open(server, conversation.into()).await?;
    let listeners = lane.listeners(sender.account);
    server.lanes.forget(lane);
    let signal = Arc::new(LiveSignal { conversation, sender, payload });
    for account in listeners? {
        server.hub.signal(account, &signal, sender.device);
    }
    Ok(())
}
