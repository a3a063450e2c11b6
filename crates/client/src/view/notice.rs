//! [`Notice`]: stored in JSON without titles; people are called by what is known of them when it is shown.

use super::conversation::title;
use super::{Notice, Person};
use crate::step::Stop;
use rusqlite::Connection;
use tidings_proto::id::AccountId;

impl Person {
    /// Without a title: for what is stored.
    pub(crate) fn nameless(account: AccountId) -> Self {
        Self { account, title: String::new() }
    }
}

pub(crate) fn person(tx: &Connection, account: AccountId) -> Result<Person, Stop> {
    Ok(Person { account, title: title(tx, account)? })
}

/// `None`: written by a newer version.
pub(super) fn read(tx: &Connection, text: &str) -> Result<Option<Notice>, Stop> {
    let Ok(mut notice) = serde_json::from_str(text) else { return Ok(None) };
    for person in people(&mut notice) {
        person.title = title(tx, person.account)?;
    }
    Ok(Some(notice))
}

fn people(notice: &mut Notice) -> Vec<&mut Person> {
    match notice {
        Notice::HistoryMissing | Notice::Distrusted => vec![],
        Notice::GroupCreated { by: who }
        | Notice::Left { who }
        | Notice::AccountDeleted { who }
        | Notice::JoinedByLink { who }
        | Notice::SafetyNumberChanged { who }
        | Notice::Renamed { by: who, .. }
        | Notice::Described { by: who, .. }
        | Notice::Pictured { by: who }
        | Notice::TimerSet { by: who, .. }
        | Notice::RulesChanged { by: who, .. } => vec![who],
        Notice::Added { by, who } | Notice::Removed { by, who } => who.iter_mut().chain([by]).collect(),
        Notice::AdminsChanged { by, named, dismissed } => named.iter_mut().chain(dismissed).chain([by]).collect(),
    }
}
