//! The catalogue: every table of the server, and so its schema. `docs/schema.md` draws it.
//!
//! Tables of one [`Family`] share their partitions: one commit may touch all of them in one partition (in Cassandra a
//! family is one CQL table, and a table a prefix of the row key). A table is either commit-only or merge-only.

/// One table. Numbers are stored: never change or reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Table {
    /// Entries of a log. Partition: log id, bucket (u64). Row: seq (u64). Value: [`tidings_proto::codec::StoredEntry`].
    /// Written by `log::append`; expires with the retention of the entry.
    Entry = 1,
    /// Idempotency. Partition: as `Entry`. Row: message id, device id. Value: seq (u64), time (u64). Written with its
    /// entry, expires with it, though not within [`crate::log::SENT_KEPT_MIN_MS`].
    Sent = 2,
    /// Where a log ends and begins. Partition: log id. Rows: `head`, `oldest`. Value: number of a bucket (u64). Hints:
    /// the bucket is this one or a later one.
    Bucket = 3,
    /// The head of a log as of a bucket's last entry. Partition: as `Entry`. Row: empty. Value: [`crate::log::Head`].
    /// Rewritten by each append, and never expires: it outlives the entry that it speaks of, so no seq is used twice.
    Head = 4,

    /// People. Partition: account id. Row: empty. Written at the first login and when the identity changes.
    Account = 10,
    /// Devices of an account. Partition: account id. Row: device id. Written at login, refresh and log-out.
    Device = 11,
    /// Conversations of an account. Partition: account id. Row: conversation id. Value: empty. Written before the commit
    /// that lets the account in, so a row may point to a conversation that never came to be.
    Membership = 12,
    /// Whom an account blocks. Partition: account id. Row: blocked account id. Value: time (u64), and the head of their
    /// direct conversation at that time (u64): what came later is withheld.
    Block = 13,
    /// Account of a device. Partition: device id. Row: empty. Value: account id. Written before the device's own row.
    DeviceOwner = 14,
    /// Account of a phone number. Partition: keyed hash of the number. Row: empty. Value: account id.
    Phone = 15,
    /// What an account shares of itself (`sharing`). Partition: account id. Row: empty. Absent: everything.
    Sharing = 17,
    /// How many numbers an account looked up in a day, and how many everybody did. Partition: account id, or empty. Row: empty.
    /// Rewritten by each lookup; expires.
    LookupUse = 70,

    /// Whom an account counts as its contacts, as far as it said so (`sharing`). Partition: account id. Row: empty. Value:
    /// account ids. Written while something is shared with contacts only, deleted after.
    Contacts = 71,
    /// Accounts that are being deleted. Partition: empty. Row: account id. Value: what the work needs that is gone already
    /// (`account::deletion`). Written before the first of it goes, deleted when nothing is left.
    Deletion = 19,
    /// Codes that were sent. Partition: keyed hash of the number. Row: empty. Expires with the code.
    Code = 16,
    /// The PIN that locks an account's number (`account::lock`). Partition: account id. Row: empty. Written when it is set or
    /// tried, when somebody forgot it, and once a day while a device of the account is there.
    Lock = 22,
    /// Devices that wait to be linked. Partition: link id. Row: empty. Written when a new device opens the place, when an old
    /// one leaves something there, and when it is redeemed. Expires in minutes.
    Link = 18,

    /// Key packages to be given out once. Partition: device id. Row: hash of the package (32 bytes). Deleted as claimed.
    KeyPackage = 20,
    /// The last-resort key package, the device's credential, and the hash of its last upload. Partition: device id. Rows:
    /// `last`, `credential`, `upload`.
    DeviceKey = 21,

    /// Members and rules of a conversation as of one of its entries; the log is the truth. Partition: conversation id.
    /// Row: empty. Written after the entry of a commit or leave, and rebuilt from the log when behind.
    Roster = 30,
    /// MLS GroupInfo of an epoch. Partition: conversation id. Row: message id of the commit that led to it. Written
    /// before that commit is appended; those of older commits are deleted after, in groups as their trees are.
    GroupInfo = 31,
    /// MLS ratchet trees of a group. Partition: conversation id. Rows: message id of a commit: the tree after it (TLS
    /// bytes), written before that commit is appended; `index`: which trees are here. Kept: the newest one, and those that
    /// somebody who was welcomed may still need.
    GroupTree = 32,
    /// Who asks to be let into a group. Partition: conversation id. Row: account id. Value: time (u64). Expires, or is
    /// deleted when an admin answers.
    JoinRequest = 33,

    /// Cursors. Partition: device id. Row: log id. Value: seq (u64), which is the version too.
    Cursor = 40,
    /// Delivered watermarks. Partition: conversation id. Row: account id. Value: seq (u64), time (u64); version: seq.
    Delivered = 41,
    /// Read watermarks; as `Delivered`.
    Read = 42,

    /// When somebody of an account was last looking at the app. Partition: account id. Row: empty. Value: time (u64),
    /// which is the version too. Written when they stop, and at most once a minute while they look.
    LastSeen = 43,

    /// Blobs of an account (`tidings_store::blob` has their bytes). Partition: account id. Row: blob id. Value: size, hash,
    /// times. Written after the bytes; deleted before them.
    Blob = 60,
    /// How much an account's blobs take. Partition: account id. Row: empty. Written with each change of `Blob`.
    BlobUse = 61,
    /// Blobs to be looked at: expired, or left over by a crash. Partition: day since 1970 (u64). Row: account id, blob id.
    /// Written before the bytes are written or deleted, so that none is left behind.
    BlobDue = 62,
    /// An account's backup. Partition: account id. Rows: `head` (which blob is its newest manifest), `key` (the wrapped
    /// key, and the wrong guesses). Written when a backup is complete, and when a passphrase is set or tried.
    Backup = 63,

    /// What people report. Partition: day since 1970 (u64). Row: report id. Expires; deleted when it is closed.
    Report = 64,

    /// What the server itself remembers. Partition: empty. Row: name. Holds the secrets it made at its first start.
    Server = 50,
}

/// Tables that share partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    Log,
    Bucket,
    Account,
    DeviceOwner,
    Phone,
    Deletion,
    Link,
    Keys,
    Conversation,
    Cursor,
    Watermark,
    LastSeen,
    LookupUse,
    Blob,
    BlobDue,
    Report,
    Server,
}

/// How rows of a table are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Commit,
    Merge,
}

/// How rows of a table are read; an engine may lay out `Lookup` tables as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Scan,
    Lookup,
}

impl Table {
    pub const ALL: [Table; 33] = [
        Table::Entry,
        Table::Sent,
        Table::Bucket,
        Table::Head,
        Table::Account,
        Table::Device,
        Table::Membership,
        Table::Block,
        Table::Sharing,
        Table::Contacts,
        Table::Lock,
        Table::DeviceOwner,
        Table::Phone,
        Table::Deletion,
        Table::Code,
        Table::Link,
        Table::KeyPackage,
        Table::DeviceKey,
        Table::Roster,
        Table::GroupInfo,
        Table::GroupTree,
        Table::JoinRequest,
        Table::Cursor,
        Table::Delivered,
        Table::Read,
        Table::LastSeen,
        Table::Blob,
        Table::BlobUse,
        Table::BlobDue,
        Table::Backup,
        Table::LookupUse,
        Table::Report,
        Table::Server,
    ];

    pub const fn family(self) -> Family {
        match self {
            Table::Entry | Table::Sent | Table::Head => Family::Log,
            Table::Bucket => Family::Bucket,
            Table::Account
            | Table::Device
            | Table::Membership
            | Table::Block
            | Table::Sharing
            | Table::Contacts
            | Table::Lock => Family::Account,
            Table::DeviceOwner => Family::DeviceOwner,
            Table::Phone | Table::Code => Family::Phone,
            Table::Deletion => Family::Deletion,
            Table::Link => Family::Link,
            Table::KeyPackage | Table::DeviceKey => Family::Keys,
            Table::Roster | Table::GroupInfo | Table::GroupTree | Table::JoinRequest => Family::Conversation,
            Table::Cursor => Family::Cursor,
            Table::Delivered | Table::Read => Family::Watermark,
            Table::LastSeen => Family::LastSeen,
            Table::LookupUse => Family::LookupUse,
            Table::Blob | Table::BlobUse | Table::Backup => Family::Blob,
            Table::BlobDue => Family::BlobDue,
            Table::Report => Family::Report,
            Table::Server => Family::Server,
        }
    }

    pub const fn mode(self) -> Mode {
        match self {
            Table::Bucket | Table::Cursor | Table::Delivered | Table::Read | Table::LastSeen => Mode::Merge,
            _ => Mode::Commit,
        }
    }

    pub const fn access(self) -> Access {
        match self {
            Table::Sent | Table::Head => Access::Lookup,
            _ => Access::Scan,
        }
    }

    /// Name in SQL, metrics and docs.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Entry => "entry",
            Table::Sent => "sent",
            Table::Bucket => "bucket",
            Table::Head => "head",
            Table::Account => "account",
            Table::Device => "device",
            Table::Membership => "membership",
            Table::Block => "block",
            Table::Sharing => "sharing",
            Table::Contacts => "contacts",
            Table::Lock => "lock",
            Table::DeviceOwner => "device_owner",
            Table::Phone => "phone",
            Table::Deletion => "deletion",
            Table::Code => "code",
            Table::Link => "link",
            Table::KeyPackage => "key_package",
            Table::DeviceKey => "device_key",
            Table::Roster => "roster",
            Table::GroupInfo => "group_info",
            Table::GroupTree => "group_tree",
            Table::JoinRequest => "join_request",
            Table::Cursor => "cursor",
            Table::Delivered => "delivered",
            Table::Read => "read",
            Table::LastSeen => "last_seen",
            Table::LookupUse => "lookup_use",
            Table::Blob => "blob",
            Table::BlobUse => "blob_use",
            Table::BlobDue => "blob_due",
            Table::Backup => "backup",
            Table::Report => "report",
            Table::Server => "server",
        }
    }
}
