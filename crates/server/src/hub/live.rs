//! What goes out to a connection. Shared parts are encoded once per format, when the first connection needs it.

use super::encode;
use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use tidings_proto::codec::{self, Format, StoredEntry};
use tidings_proto::entry::{Entry, Sender};
use tidings_proto::frame::{Page, ServerFrame, Watermark};
use tidings_proto::id::{ConversationId, LogId, MessageId};
use tidings_proto::payload::Payload;

/// An entry that was just appended, shared by all connections that get it.
#[derive(Debug)]
pub struct LiveEntry {
    pub entry: Entry,
    stored: StoredEntry,
    cbor: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl LiveEntry {
    pub fn new(entry: Entry, stored: StoredEntry) -> Arc<Self> {
        Arc::new(Self { entry, stored, cbor: OnceLock::new(), json: OnceLock::new() })
    }

    /// Size on the wire, near enough for a bound.
    pub fn size(&self) -> usize {
        self.stored.as_bytes().len()
    }

    fn encoded(&self, format: Format) -> Bytes {
        match format {
            Format::Cbor => self.cbor.get_or_init(|| codec::live_entry(&self.stored)).clone(),
            Format::Json => {
                self.json.get_or_init(|| Format::Json.encode(&ServerFrame::Entry(self.entry.clone()))).clone()
            }
        }
    }
}

/// A signal on its way to the devices that are online.
#[derive(Debug)]
pub struct LiveSignal {
    pub conversation: ConversationId,
    pub sender: Sender,
    pub payload: Payload,
}

/// Watermarks of a group on their way, shared by the devices that get them.
#[derive(Debug)]
pub struct LiveReceipts {
    conversation: ConversationId,
    watermarks: Vec<Watermark>,
    cbor: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl LiveReceipts {
    pub fn new(conversation: ConversationId, watermarks: Vec<Watermark>) -> Arc<Self> {
        Arc::new(Self { conversation, watermarks, cbor: OnceLock::new(), json: OnceLock::new() })
    }

    /// Size on the wire, near enough for a bound.
    pub fn size(&self) -> usize {
        self.watermarks.len() * size_of::<Watermark>()
    }

    fn encoded(&self, format: Format) -> Bytes {
        let cell = match format {
            Format::Cbor => &self.cbor,
            Format::Json => &self.json,
        };
        let (conversation, watermarks) = (self.conversation, &self.watermarks);
        let encode = || format.encode(&ServerFrame::Receipts { conversation, watermarks: watermarks.clone() });
        cell.get_or_init(encode).clone()
    }
}

/// One frame that waits in an outbox.
#[derive(Debug)]
pub enum Outgoing {
    Entry(Arc<LiveEntry>),
    Appended {
        conversation: ConversationId,
        message_id: MessageId,
        seq: u64,
        time_ms: u64,
    },
    Receipt {
        conversation: ConversationId,
        watermark: Watermark,
    },
    Receipts(Arc<LiveReceipts>),
    Signal(Arc<LiveSignal>),
    /// A page as it stands on the disk.
    Page(Box<StoredPage>),
    /// Everything that is rare.
    Frame(Box<ServerFrame>),
}

#[derive(Debug)]
pub struct StoredPage {
    pub log: LogId,
    pub entries: Vec<StoredEntry>,
    pub head: u64,
    pub oldest: u64,
    pub caught_up: bool,
}

impl StoredPage {
    pub fn decode(&self) -> Result<Page, codec::DecodeError> {
        let entries = self.entries.iter().map(StoredEntry::decode).collect::<Result<_, _>>()?;
        let Self { log, head, oldest, caught_up, .. } = *self;
        Ok(Page { log, entries, head, oldest, caught_up })
    }
}

impl Outgoing {
    pub fn encode(self, format: Format) -> Bytes {
        match self {
            Outgoing::Entry(live) => live.encoded(format),
            Outgoing::Appended { conversation, message_id, seq, time_ms } => match format {
                Format::Cbor => encode::appended(conversation, message_id, seq, time_ms),
                Format::Json => format.encode(&ServerFrame::Appended { conversation, message_id, seq, time_ms }),
            },
            Outgoing::Receipt { conversation, watermark } => match format {
                Format::Cbor => encode::receipt(conversation, watermark),
                Format::Json => format.encode(&ServerFrame::Receipts { conversation, watermarks: vec![watermark] }),
            },
            Outgoing::Receipts(receipts) => receipts.encoded(format),
            Outgoing::Signal(signal) => {
                let LiveSignal { conversation, sender, payload } = &*signal;
                let (conversation, sender, payload) = (*conversation, *sender, payload.clone());
                format.encode(&ServerFrame::Signal { conversation, sender, payload })
            }
            Outgoing::Page(page) => match format {
                Format::Cbor => codec::page(page.log, &page.entries, page.head, page.oldest, page.caught_up),
                Format::Json => encode_json_page(&page),
            },
            Outgoing::Frame(frame) => format.encode(&*frame),
        }
    }
}

/// JSON has to look inside. An entry that cannot be read is left out and logged: to the client it looks expired.
fn encode_json_page(page: &StoredPage) -> Bytes {
    let entries = page.entries.iter().filter_map(|stored| {
        stored.decode().inspect_err(|error| tracing::error!(log = %page.log, %error, "a stored entry is damaged")).ok()
    });
    let StoredPage { log, head, oldest, caught_up, .. } = *page;
    Format::Json.encode(&ServerFrame::Page(Page { log, entries: entries.collect(), head, oldest, caught_up }))
}
