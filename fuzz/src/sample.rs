//! Well-formed values of every kind, for the fuzzer to begin from.

use tidings_proto::codec::{Format, StoredEntry};
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Body, Change, ConversationKind, Entry, Sender};
use tidings_proto::frame::{
    Append, ClientFrame, Commit, Page, Plan, PlanLog, Refused, ServerFrame, Watermark, Welcome,
};
use tidings_proto::http;
use tidings_proto::id::{AccountId, ConversationId, DeviceId, LogId, MessageId};
use tidings_proto::problem::{Code, Problem};

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const DEVICE: DeviceId = DeviceId::from_bytes([2; 16]);
const CONVERSATION: ConversationId = ConversationId::from_bytes([3; 16]);
const LOG: LogId = LogId::from_bytes([3; 16]);
const SENDER: Sender = Sender { account: ACCOUNT, device: DEVICE };
const WATERMARK: Watermark = Watermark { account: ACCOUNT, delivered: 9, read: 8, time_ms: 7 };
const NOW_MS: u64 = 1_700_000_000_000;

fn message_id() -> MessageId {
    MessageId::new(NOW_MS, [5; 10])
}

fn change() -> Change {
    Change { create: Some(ConversationKind::Direct), added: vec![SENDER], removed: vec![SENDER], external: true, ..Change::default() }
}

fn commit() -> Commit {
    Commit {
        conversation: CONVERSATION,
        message_id: message_id(),
        epoch: 0,
        payload: vec![1; 8].into(),
        change: change(),
        welcomes: vec![Welcome { account: ACCOUNT, device: DEVICE, payload: vec![2; 8].into() }],
        group_info: vec![3; 8].into(),
        origin: Some(vec![4; 8].into()),
    }
}

pub fn entries() -> Vec<Entry> {
    let bodies = [
        Body::Message { payload: vec![4; 20].into(), silent: true },
        Body::Commit { payload: vec![5; 8].into(), change: Box::new(change()) },
        Body::Welcome { conversation: CONVERSATION, commit: message_id(), payload: vec![6; 8].into() },
    ];
    let entry = |body| Entry {
        log: LOG,
        seq: 300,
        time_ms: NOW_MS,
        epoch: 1,
        message_id: message_id(),
        sender: SENDER,
        commit_seq: 1,
        ordinal: 299,
        expires_ms: NOW_MS + 1_000,
        body,
    };
    bodies.into_iter().map(entry).collect()
}

pub fn client_frames() -> Vec<ClientFrame> {
    vec![
        ClientFrame::Hello { token: "token".into(), since_ms: 0, count: 3 },
        ClientFrame::Append(Append {
            conversation: CONVERSATION,
            message_id: message_id(),
            epoch: 1,
            payload: vec![7; 20].into(),
            silent: true,
            expires_in_s: Some(60),
        }),
        ClientFrame::Commit(Box::new(commit())),
        ClientFrame::Sync { log: LOG, after: 1, limit: 256 },
        ClientFrame::Cursor { log: LOG, seq: 70_000 },
        ClientFrame::Read { conversation: CONVERSATION, seq: 9 },
        ClientFrame::Signal { conversation: CONVERSATION, payload: vec![8; 4].into() },
        ClientFrame::Ping { nonce: u64::MAX },
    ]
}

fn plan_log() -> PlanLog {
    PlanLog { log: LOG, head: 9, oldest: 1, cursor: 3, unread: 6, watermarks: vec![WATERMARK], floor: None }
}

fn page() -> Page {
    Page { log: LOG, entries: entries(), head: 9, oldest: 1, caught_up: true }
}

pub fn server_frames() -> Vec<ServerFrame> {
    let mut frames: Vec<ServerFrame> = entries().into_iter().map(ServerFrame::Entry).collect();
    frames.extend([
        ServerFrame::Plan(Plan { now_ms: NOW_MS, logs: vec![plan_log()], done: true, rolled_back: Some(4) }),
        ServerFrame::Page(page()),
        ServerFrame::Appended { conversation: CONVERSATION, message_id: message_id(), seq: 3, time_ms: NOW_MS },
        ServerFrame::Refused(Refused {
            conversation: CONVERSATION,
            message_id: message_id(),
            code: Code::StaleEpoch,
            detail: "read the log".into(),
            retry_after_ms: Some(10),
            epoch: Some(2),
            head: Some(9),
            accounts: vec![ACCOUNT],
        }),
        ServerFrame::Receipts { conversation: CONVERSATION, watermarks: vec![WATERMARK] },
        ServerFrame::Signal { conversation: CONVERSATION, sender: SENDER, payload: vec![9; 4].into() },
        ServerFrame::Moved { log: LOG, head: 9 },
        ServerFrame::Pong { nonce: 1 },
        ServerFrame::Goodbye { code: Code::ShuttingDown, detail: "come back".into(), retry_after_ms: Some(100) },
    ]);
    frames
}

pub fn stored_entries() -> Vec<Vec<u8>> {
    entries().iter().map(|entry| StoredEntry::encode(entry).as_bytes().to_vec()).collect()
}

/// JSON of some bodies, each after the number of its type in [`crate::bodies`].
pub fn bodies() -> Vec<Vec<u8>> {
    let json = |which: u8, json: &[u8]| [&[which], json].concat();
    let post = http::Post {
        message_id: message_id(),
        epoch: 1,
        payload: vec![1; 9].into(),
        silent: false,
        expires_in_s: Some(60),
    };
    let synced = http::Synced { pages: vec![page()], plan: vec![plan_log()], caught_up: true, now_ms: NOW_MS };
    vec![
        json(0, &Format::Json.encode(&http::Register { phone: "+31612345678".into() })),
        json(15, &Format::Json.encode(&http::Create { commit: commit() })),
        json(20, &Format::Json.encode(&post)),
        json(23, &Format::Json.encode(&http::PutReceipts { delivered: Some(1), read: None })),
        json(25, &Format::Json.encode(&synced)),
        json(27, &Format::Json.encode(&Problem::new(Code::NotFound, "nothing"))),
    ]
}

/// One that verifies, and one that almost does.
pub fn credentials() -> Vec<Vec<u8>> {
    let identity = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let good = Credential::issue(&identity, ACCOUNT, DEVICE, [3; 32], NOW_MS / 1_000).as_bytes().to_vec();
    let mut bad = good.clone();
    bad[40] ^= 1;
    vec![good, bad]
}

/// One of each kind, each after the id of its message.
#[cfg(feature = "client")]
pub fn contents() -> Vec<Vec<u8>> {
    use tidings_client::content::{Content, Target};
    let target = Target { message: message_id(), digest: [9; 16] };
    let contents = [
        Content::Text {
            text: "hello".into(),
            reply_to: Some(target),
            forwarded: true,
            mentions: Vec::new(),
            preview: None,
        },
        Content::Reaction { to: target, emoji: Some("\u{1f44d}".into()) },
        Content::Edit { of: target, text: "hello, world".into() },
        Content::Delete { of: target },
        Content::Pin { of: target, on: true },
        Content::Profile {
            phone: Some("+31612345678".into()),
            name: Some("Ada".into()),
            about: Some("here".into()),
            picture: Some(vec![6; 20].into()),
        },
        Content::ProfileRequest,
        Content::Timer { seconds: Some(60) },
        Content::Vote { poll: target, choices: vec![0, 2] },
    ];
    let id = message_id();
    contents.iter().map(|content| [id.as_bytes().as_slice(), &content.encode(id)].concat()).collect()
}

/// Each after the number that chooses its decoder.
#[cfg(feature = "client")]
pub fn archives() -> Vec<Vec<u8>> {
    let samples = tidings_client::fuzz::archive_samples();
    samples.into_iter().zip(0..).map(|(bytes, which)| [&[which], &bytes[..]].concat()).collect()
}

#[cfg(feature = "client")]
pub fn pasted() -> Vec<Vec<u8>> {
    tidings_client::fuzz::pasted_samples().map(|text| [&[1], text.as_bytes()].concat()).into()
}

/// Folded, encoded, grouped, and of both versions.
#[cfg(feature = "client")]
pub const VCARDS: [&str; 2] = [
    "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lovelace;Ada;;;\r\nFN:Ada Love\r\n lace\r\nitem1.TEL;TYPE=CELL:+31 6 12345678\r\nEND:VCARD\r\n",
    "BEGIN:VCARD\nVERSION:4.0\nFN:Charles\\, B.\nTEL;VALUE=uri;PREF=1:tel:+31-6-1234-5679\nEND:VCARD\n",
];
