//! What one keeps about chats, told to one's other devices: silent messages in the self chat, of a kind that only these
//! devices understand (docs/content.md). No unread count, no notice, no row.
//!
//! A setting travels with the stamp that it got where it was made; whoever hears it hands it to [`super::apply`], so all
//! devices end with the same, whatever the order. Drafts stay where they are: each would be a message for every pause in
//! typing. The list of blocks is at the server; its change is only announced.

use super::{Setting, Stamp, apply};
use crate::address_book;
use crate::block;
use crate::content;
use crate::device;
use crate::outbox;
use crate::step::{Done, Step, Stop};
use serde::{Deserialize, Serialize};
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::entry::Entry;
use tidings_proto::id::{ConversationId, MessageId};

/// Of a content, beside those in content/mod.rs.
const KIND: u64 = 40;

/// What one device tells the others. The names are for ever; those of newer versions are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    Setting {
        conversation: ConversationId,
        setting: Setting,
        stamp: Stamp,
    },
    /// Look at the server's list.
    Blocks,
    /// Look at the server's privacy settings.
    Privacy,
    /// Names in the address book.
    Contacts {
        contacts: Vec<address_book::Entry>,
    },
}

#[derive(Serialize, Deserialize)]
struct Wire<T> {
    #[serde(rename = "k")]
    kind: u64,
    #[serde(rename = "i")]
    id: MessageId,
    #[serde(rename = "s")]
    said: T,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "k")]
    kind: u64,
}

fn encode(id: MessageId, said: &Said) -> Vec<u8> {
    let mut bytes = vec![content::VERSION];
    bytes.extend_from_slice(&to_cbor(&Wire { kind: KIND, id, said }));
    bytes
}

/// Whether a content is of this kind, and what it says if this version knows it.
fn decode(bytes: &[u8], id: MessageId) -> (bool, Option<Said>) {
    let map = match bytes.split_first() {
        Some((&content::VERSION, map)) => map,
        _ => return (false, None),
    };
    if from_cbor::<Head>(map).is_ok_and(|head| head.kind == KIND) {
        (true, from_cbor::<Wire<Said>>(map).ok().filter(|wire| wire.id == id).map(|wire| wire.said))
    } else {
        (false, None)
    }
}

/// Tells one's other devices, if there are any.
pub(crate) fn tell(step: &mut Step<'_>, said: &Said) -> Done {
    if matches!(said, Said::Setting { setting: Setting::Draft { .. }, .. }) || device::of_self_chat(step)?.len() < 2 {
        return Ok(());
    }
    let own = step.me()?.sender.account;
    let message = step.fresh_id();
    outbox::queue_silent(step, ConversationId::self_chat(own), message, &encode(message, said))
}

/// A content that came. `false`: it is not of this kind.
pub(crate) fn heard(
    step: &mut Step<'_>,
    conversation: ConversationId,
    entry: &Entry,
    plaintext: &[u8],
) -> Result<bool, Stop> {
    let (is_ours, said) = decode(plaintext, entry.message_id);
    let own = step.me()?.sender.account;
    // From anybody else, or anywhere else, it means nothing.
    if entry.sender.account == own && conversation == ConversationId::self_chat(own) {
        match said {
            Some(Said::Setting { conversation, setting, stamp }) => {
                apply(step, conversation, &setting, stamp)?;
            }
            Some(Said::Blocks) => block::want_list(step)?,
            Some(Said::Privacy) => address_book::share::want(step)?,
            Some(Said::Contacts { contacts }) => address_book::heard(step, &contacts)?,
            None => {}
        }
    }
    Ok(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_proto::id::DeviceId;

    #[test]
    fn the_form_does_not_change() {
        let id = MessageId::new(1_700_000_000_000, [1; 10]);
        let said = [
            Said::Setting {
                conversation: ConversationId::group([2; 16]),
                setting: Setting::Mute { until_ms: Some(9) },
                stamp: Stamp { ms: 7, device: DeviceId::from_bytes([3; 16]) },
            },
            Said::Blocks,
            Said::Privacy,
            Said::Contacts {
                contacts: vec![address_book::Entry {
                    phone: "+31612345678".into(),
                    name: Some("Ann".into()),
                    stamp: Stamp { ms: 7, device: DeviceId::from_bytes([3; 16]) },
                }],
            },
        ];
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let lines: Vec<String> = said.iter().map(|said| hex(&encode(id, said))).collect();
        insta::assert_snapshot!(lines.join("\n"));
        for said in said {
            let bytes = encode(id, &said);
            assert_eq!(decode(&bytes, id), (true, Some(said)));
            assert_eq!(decode(&bytes, MessageId::new(5, [9; 10])), (true, None), "a server gave it another name");
            // To what knows nothing of it, it is a kind of a newer version.
            assert_eq!(content::Content::decode(&bytes, id), Ok(content::Content::Unknown));
        }
        let newer = Wire { kind: KIND, id, said: "of tomorrow" };
        let bytes = [&[content::VERSION], to_cbor(&newer).as_ref()].concat();
        assert_eq!(decode(&bytes, id), (true, None));
    }
}
