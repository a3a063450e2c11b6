//! Every bound on what crosses the wire or reaches the disk. Server settings may be tighter, never wider.
//! Units stand at the end of the names.

/// A message's MLS payload.
pub const PAYLOAD_MAX_BYTES: usize = 64 * 1024;
/// A commit with its welcomes and group info.
pub const COMMIT_MAX_BYTES: usize = 8 * 1024 * 1024;
/// Welcomes of one commit.
pub const WELCOMES_MAX: usize = 2_048;
/// A WebSocket message from a client.
pub const FRAME_MAX_BYTES: usize = COMMIT_MAX_BYTES + 64 * 1024;
/// The body of any HTTP request.
pub const BODY_MAX_BYTES: usize = FRAME_MAX_BYTES;
/// Entries in one page, and a page's size (one entry may exceed it).
pub const PAGE_MAX_ENTRIES: u32 = 256;
pub const PAGE_MAX_BYTES: usize = 512 * 1024;
/// Logs in one part of a plan.
pub const PLAN_PART_MAX_LOGS: usize = 256;
/// Appends of one connection that wait for the disk; the next frame is not read before one is answered.
pub const APPENDS_IN_FLIGHT_MAX: usize = 64;
/// A signal's payload.
pub const SIGNAL_MAX_BYTES: usize = 4 * 1024;
/// Live frames that wait for a slow reader, per connection.
pub const SESSION_QUEUE_MAX_FRAMES: usize = 512;
/// From the opening of a connection to its `hello`.
pub const HELLO_TIMEOUT_MS: u64 = 10_000;
/// The server pings a silent connection after this, and closes it after twice this.
pub const PING_INTERVAL_MS: u64 = 30_000;
/// The longest long poll.
pub const POLL_WAIT_MAX_S: u64 = 60;
/// Phone numbers in one lookup.
pub const LOOKUP_PHONES_MAX: usize = 100;
/// Numbers that one account may look up at once, refilled evenly over an hour,
pub const LOOKUPS_PER_ACCOUNT_PER_HOUR_MAX: u32 = 2_000;
/// and in a day of UTC: an address book, with room for its changes.
pub const LOOKUPS_PER_ACCOUNT_PER_DAY_MAX: u32 = 5_000;
/// Key packages of a device on the server, and in one upload.
pub const KEY_PACKAGES_MAX: usize = 100;
pub const KEY_PACKAGE_MAX_BYTES: usize = 16 * 1024;
pub const CREDENTIAL_MAX_BYTES: usize = 1_024;
pub const DEVICE_NAME_MAX_BYTES: usize = 64;
/// Devices of one account.
pub const DEVICES_MAX: usize = 10;
/// A device that nobody used this long after its login makes room for a new one when its account has `DEVICES_MAX`.
pub const UNUSED_DEVICE_AFTER_S: u64 = 60;
/// How long a new device waits to be linked.
pub const LINK_LIFETIME_S: u64 = 600;
/// What an old device seals for a new one.
pub const LINK_BLOB_MAX_BYTES: usize = 128 * 1024;
/// Conversations in one page of the list.
pub const CONVERSATIONS_PAGE_MAX: u32 = 200;
/// Accounts in a group; a server may allow fewer.
pub const PARTICIPANTS_MAX: usize = 1_024;
/// Leaves of a group's MLS tree: a full one of X-Wing leaves has 2.7 KB for each, and has to fit a row of the store.
pub const GROUP_DEVICES_MAX: usize = 3_000;
/// A group's rules, encoded: a thousand admins, bans and members without a device take 17 bytes each.
pub const RULES_MAX_BYTES: usize = 256 * 1024;
/// People banned from a group, and its invite links.
pub const BANS_MAX: usize = 1_024;
pub const INVITES_MAX: usize = 16;
/// People who wait to be let into a group.
pub const JOIN_REQUESTS_MAX: u32 = 256;
/// How long somebody waits for an admin.
pub const JOIN_REQUEST_LIFETIME_S: u64 = 14 * 24 * 60 * 60;
/// People whose presence one connection watches.
pub const WATCHES_MAX: usize = 64;
/// A message's own life, in seconds: what a disappearing timer may say.
pub const TIMER_MIN_S: u64 = 30;
pub const TIMER_MAX_S: u64 = 90 * 24 * 60 * 60;
/// Numbers in a person's address book.
pub const CONTACTS_MAX: usize = 10_000;
/// People that one account blocks.
pub const BLOCKS_MAX: usize = 1_000;
/// The code that proves a phone number.
pub const CODE_DIGITS: usize = 6;
pub const CODE_ATTEMPTS_MAX: u32 = 5;
pub const CODE_LIFETIME_S: u64 = 600;

/// Groups of a deleted account that are told why it left.
pub const DELETION_GROUPS_MAX: usize = 1_024;
/// The PIN that locks a number, and wrong ones before each further one has to wait, longer each time.
pub const PIN_DIGITS_MIN: usize = 4;
pub const PIN_DIGITS_MAX: usize = 20;
pub const PIN_GUESSES_FREE: u32 = 3;

/// What is attached to a report.
pub const REPORT_REASON_MAX_BYTES: usize = 1_024;
pub const REPORT_MESSAGES_MAX: usize = 20;
pub const REPORT_TEXT_MAX_BYTES: usize = 2 * 1_024;

/// A blob, and how long one may live that is made to expire.
pub const BLOB_MAX_BYTES: usize = 1024 * 1024 + 4 * 1024;
pub const BLOB_LIFETIME_MAX_S: u64 = 30 * 24 * 60 * 60;
/// Blobs in one page of the list.
pub const BLOBS_PAGE_MAX: u32 = 1_000;
/// A backup key as it is kept at the server.
pub const WRAPPED_KEY_MAX_BYTES: usize = 256;
/// Wrong guesses of a backup's secret before each further one has to wait, longer each time.
pub const BACKUP_GUESSES_FREE: u32 = 5;

/// One row of the store.
pub const VALUE_MAX_BYTES: usize = COMMIT_MAX_BYTES + 64 * 1024;
pub const ROW_KEY_MAX_BYTES: usize = 64;
pub const BATCH_MAX_ROWS: usize = 256;
pub const BATCH_MAX_BYTES: usize = 2 * VALUE_MAX_BYTES;
/// Seqs of a log that share a partition.
pub const BUCKET_SEQS: u64 = 4_096;
