//! Typing: told to whoever is online, never stored, lost without a sound.

use crate::content;
use crate::conversation;
use crate::event::Event;
use crate::step::{Done, Step};
use serde::{Deserialize, Serialize};
use tidings_proto::codec;
use tidings_proto::entry::Sender;
use tidings_proto::frame::ClientFrame;
use tidings_proto::id::ConversationId;

/// What a signal says; docs/content.md. One version byte as in messages, then this map.
#[derive(Serialize, Deserialize)]
struct Signal {
    /// Typing.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    typing: Option<bool>,
}

pub(crate) fn type_on(step: &mut Step<'_>, conversation: ConversationId, on: bool) -> Done {
    let member = conversation::find(step.tx, conversation)?.is_some_and(|row| row.epoch.is_some());
    if !step.mem.session.is_up() || !member {
        return Ok(());
    }
    let plaintext = encode(on);
    match step.mls()?.seal_signal(step.tx, conversation, &plaintext) {
        Ok(payload) => step.send(ClientFrame::Signal { conversation, payload: payload.into() }, false),
        Err(error) => tracing::debug!(%conversation, %error, "no signal"),
    }
    Ok(())
}

pub(crate) fn received(step: &mut Step<'_>, conversation: ConversationId, sender: Sender, payload: &[u8]) -> Done {
    let me = step.me()?;
    if sender.account == me.sender.account {
        return Ok(());
    }
    // Of another epoch, or forged: a signal may be lost at any time.
    let Ok(plaintext) = me.mls.open_signal(step.tx, conversation, sender, payload) else { return Ok(()) };
    if let Some(on) = decode(&plaintext) {
        step.event(Event::Typing { conversation, account: sender.account, on });
    }
    Ok(())
}

fn encode(on: bool) -> Vec<u8> {
    [&[content::VERSION][..], &codec::to_cbor(&Signal { typing: Some(on) })].concat()
}

fn decode(plaintext: &[u8]) -> Option<bool> {
    let map = plaintext.strip_prefix(&[content::VERSION])?;
    codec::from_cbor::<Signal>(map).ok()?.typing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_typing_do_not_change() {
        assert_eq!(encode(true), [1, 0xa1, 0x61, b't', 0xf5]);
        assert_eq!(decode(&encode(false)), Some(false));
        assert_eq!(decode(b"\x02..."), None);
    }
}
