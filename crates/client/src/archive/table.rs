//! What goes into an archive, and how its rows merge with those that are here.
//!
//! Every column goes in but for those named here, so that what is added to a table is in the archive too. A table that
//! this program does not have is left out.

use crate::step::Stop;
use rusqlite::Connection;

pub(crate) struct Table {
    pub name: &'static str,
    pub key: &'static [&'static str],
    /// Columns that mean nothing to another device.
    pub skip: &'static [&'static str],
    pub rule: Rule,
}

/// What becomes of a row whose key is here already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The one that is here stays.
    Keep,
    /// The one with the higher values in these columns counts.
    Newest(&'static [&'static str]),
    /// The higher value of each column counts.
    Highest,
    /// What is known of a person is filled up; a key that was pinned here stays.
    Contact,
    /// Where this device stands in a log is its own affair.
    Conversation,
    /// Who has been in it how long. Who is in it the group itself says, once this device is.
    Member,
    /// A readable one replaces an unreadable one, a newer edit an older one, and a deletion everything.
    Message,
}

/// About people, chats and settings.
pub(crate) const STATE: &[Table] = &[
    Table { name: "contact", key: &["account"], skip: &[], rule: Rule::Contact },
    Table { name: "address_book", key: &["phone"], skip: &[], rule: Rule::Newest(&["stamp_ms", "stamp_device"]) },
    Table {
        name: "conversation",
        key: &["conversation"],
        skip: &["epoch", "joined", "profile_told", "applied_seq"],
        rule: Rule::Conversation,
    },
    Table { name: "member", key: &["conversation", "account"], skip: &[], rule: Rule::Member },
    Table { name: "group_profile", key: &["conversation"], skip: &[], rule: Rule::Newest(&["seq"]) },
    Table { name: "timer", key: &["conversation"], skip: &[], rule: Rule::Newest(&["seq"]) },
    Table { name: "watermark", key: &["conversation", "account"], skip: &[], rule: Rule::Highest },
    Table { name: "invite_secret", key: &["conversation", "invite"], skip: &[], rule: Rule::Keep },
    Table { name: "pin", key: &["conversation", "message"], skip: &[], rule: Rule::Newest(&["seq"]) },
    Table {
        name: "chat_state",
        key: &["conversation", "part", "message"],
        skip: &[],
        rule: Rule::Newest(&["stamp_ms", "stamp_device"]),
    },
];

pub(crate) const MESSAGE: Table = Table { name: "message", key: &["message"], skip: &["local"], rule: Rule::Message };

/// What hangs on messages, and is packed with them.
pub(crate) const BOUND: &[Table] = &[
    Table { name: "reaction", key: &["conversation", "message", "account"], skip: &[], rule: Rule::Newest(&["seq"]) },
    Table { name: "vote", key: &["conversation", "message", "account"], skip: &[], rule: Rule::Newest(&["seq"]) },
];

pub(crate) fn find(name: &str) -> Option<&'static Table> {
    STATE.iter().chain([&MESSAGE]).chain(BOUND).find(|table| table.name == name)
}

/// Those that are packed; none if there is no such table here.
pub(crate) fn columns(tx: &Connection, table: &Table) -> Result<Vec<String>, Stop> {
    let all: Vec<String> = tx
        .prepare_cached("SELECT name FROM pragma_table_info(?1)")?
        .query_map([table.name], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(all.into_iter().filter(|column| !table.skip.contains(&column.as_str())).collect())
}

/// The statement that merges a row with these columns, which all exist here.
pub(crate) fn merge_sql(table: &Table, columns: &[&str]) -> String {
    let Table { name, key, rule, .. } = table;
    let values: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
    let rest: Vec<&str> = columns.iter().copied().filter(|column| !key.contains(column)).collect();
    let take_all: Vec<String> = rest.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let take_all = take_all.join(", ");
    let place = |name: &str| columns.iter().position(|column| *column == name).map_or(0, |index| index + 1);
    let source = match rule {
        Rule::Member => format!(
            "SELECT {} WHERE NOT EXISTS (SELECT 1 FROM conversation WHERE conversation = ?{c} AND epoch IS NOT NULL)
             OR EXISTS (SELECT 1 FROM member WHERE conversation = ?{c} AND account = ?{a})",
            values.join(", "),
            c = place("conversation"),
            a = place("account"),
        ),
        _ => format!("VALUES ({})", values.join(", ")),
    };
    let insert = format!("INSERT INTO {name} ({}) {source}", columns.join(", "));
    let on_conflict = format!("ON CONFLICT ({}) DO", key.join(", "));
    let update = match rule {
        _ if rest.is_empty() => "NOTHING".to_owned(),
        Rule::Keep | Rule::Conversation => "NOTHING".to_owned(),
        Rule::Newest(by) => {
            let side = |side: &str| by.iter().map(|column| format!("{side}.{column}")).collect::<Vec<_>>().join(", ");
            format!("UPDATE SET {take_all} WHERE ({}) > ({})", side("excluded"), side(name))
        }
        Rule::Member => {
            let earlier = ["since_seq", "since_ms"].into_iter().filter(|column| columns.contains(column));
            let take: Vec<String> =
                earlier.map(|column| format!("{column} = min(member.{column}, excluded.{column})")).collect();
            if take.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", take.join(", ")) }
        }
        Rule::Highest => {
            let take: Vec<String> =
                rest.iter().map(|column| format!("{column} = max({column}, excluded.{column})")).collect();
            format!("UPDATE SET {}", take.join(", "))
        }
        Rule::Contact => {
            let take = rest.iter().map(|column| match *column {
                "verified" => "verified = CASE WHEN identity_key IS NULL THEN excluded.verified \
                     WHEN identity_key IS excluded.identity_key THEN max(verified, excluded.verified) \
                     ELSE verified END"
                    .to_owned(),
                "blocked" => "blocked = blocked".to_owned(),
                other => format!("{other} = coalesce({other}, excluded.{other})"),
            });
            format!("UPDATE SET {}", take.collect::<Vec<_>>().join(", "))
        }
        Rule::Message => format!(
            "UPDATE SET {take_all} WHERE message.conversation = excluded.conversation \
             AND ((message.kind = 2 AND excluded.kind <> 2) OR (message.kind IN (0, 6, 7, 8) AND excluded.kind = 1) \
             OR (message.kind = 0 AND excluded.kind = 0 AND excluded.edited > message.edited))"
        ),
    };
    format!("{insert} {on_conflict} {update}")
}
