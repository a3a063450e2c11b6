//! Small values that stand alone in the database.

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, ToSql};

/// The names are stored: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// One's own number, E.164.
    Phone,
    AccessToken,
    AccessFreshUntilMs,
    RefreshToken,
    /// The server's clock at the last plan that was finished.
    SinceMs,
    InboxCursor,
    /// When the server's stock of key packages was counted, and when it was renewed.
    KeysCheckedMs,
    KeysRenewedMs,
    /// address_book/share.rs: whether the server has to know one's contacts, and a hash of what it was told.
    ContactsShared,
    ContactsUploaded,
    /// rollback.rs: how often this device said hello.
    Hellos,
    /// own/lock.rs: when the lock opens for somebody without the PIN.
    LockResetMs,
    /// Another device of the account let this one in, and told or tells it what was said before.
    Linked,
    /// backup/restore.rs: a login that has no keys yet.
    SignedIn,
}

impl Setting {
    fn key(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::AccessToken => "access_token",
            Self::AccessFreshUntilMs => "access_fresh_until_ms",
            Self::RefreshToken => "refresh_token",
            Self::SinceMs => "since_ms",
            Self::InboxCursor => "inbox_cursor",
            Self::KeysCheckedMs => "keys_checked_ms",
            Self::KeysRenewedMs => "keys_renewed_ms",
            Self::ContactsShared => "contacts_shared",
            Self::ContactsUploaded => "contacts_uploaded",
            Self::Hellos => "hellos",
            Self::LockResetMs => "lock_reset_ms",
            Self::Linked => "linked",
            Self::SignedIn => "signed_in",
        }
    }
}

pub(crate) fn get<T: FromSql>(tx: &Connection, setting: Setting) -> rusqlite::Result<Option<T>> {
    tx.prepare_cached("SELECT value FROM setting WHERE key = ?1")?
        .query_row([setting.key()], |row| row.get(0))
        .optional()
}

pub(crate) fn put(tx: &Connection, setting: Setting, value: impl ToSql) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO setting (key, value) VALUES (?1, ?2)")?
        .execute(rusqlite::params![setting.key(), value])?;
    Ok(())
}

pub(crate) fn forget(tx: &Connection, setting: Setting) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM setting WHERE key = ?1")?.execute([setting.key()])?;
    Ok(())
}
