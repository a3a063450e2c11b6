//! How far a message got with each member, for programs and for people.

use super::plain::Person;
use super::{text, time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tidings_client::view;
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageInfo {
    pub id: String,
    /// Everybody else who was in the conversation when it was sent, and still is.
    pub members: Vec<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seen {
    pub who: Person,
    /// A device of theirs has it.
    pub delivered: bool,
    /// RFC 3339, by the server's clock; `null` where this device could not learn when.
    pub delivered_at: Option<String>,
    pub read: bool,
    pub read_at: Option<String>,
}

impl From<&view::MessageInfo> for MessageInfo {
    fn from(info: &view::MessageInfo) -> Self {
        Self { id: info.message.to_string(), members: info.members.iter().map(Seen::from).collect() }
    }
}

impl From<&view::Seen> for Seen {
    fn from(seen: &view::Seen) -> Self {
        Self {
            who: Person { account: seen.who.account.to_string(), title: seen.who.title.clone() },
            delivered: seen.delivered,
            delivered_at: seen.delivered_ms.map(time::rfc3339),
            read: seen.read,
            read_at: seen.read_ms.map(time::rfc3339),
        }
    }
}

/// What it is called, who is there, and since when.
type Stage = (&'static str, fn(&view::Seen) -> bool, fn(&view::Seen) -> Option<u64>);

/// Lines for people: who read it, who has it, who does not.
pub fn human(info: &view::MessageInfo, zone: &TimeZone) -> Vec<String> {
    let stages: [Stage; 3] = [
        ("Read by", |seen| seen.read, |seen| seen.read_ms),
        ("Delivered to", |seen| seen.delivered && !seen.read, |seen| seen.delivered_ms),
        ("Not delivered yet to", |seen| !seen.delivered && !seen.read, |_| None),
    ];
    let mut lines = Vec::new();
    for (title, belongs, when) in stages {
        let people: Vec<&view::Seen> = info.members.iter().filter(|seen| belongs(seen)).collect();
        if people.is_empty() {
            continue;
        }
        lines.push(format!("{title}:"));
        for seen in people {
            let when = when(seen).map(|ms| format!("{}  ", time::date_and_clock(ms, zone))).unwrap_or_default();
            lines.push(format!("  {when}{}", text::line(&seen.who.title)));
        }
    }
    if lines.is_empty() {
        lines.push("Nobody else was in the conversation.".into());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_proto::id::{AccountId, MessageId};

    #[test]
    fn people_stand_under_how_far_it_got() {
        let seen = |title: &str, delivered_ms: Option<u64>, read_ms: Option<u64>| view::Seen {
            who: view::Person { account: AccountId::from_bytes([1; 16]), title: title.into() },
            delivered: delivered_ms.is_some(),
            delivered_ms,
            read: read_ms.is_some(),
            read_ms,
        };
        let noon = 1_795_262_400_000;
        let info = view::MessageInfo {
            message: MessageId::new(1, [7; 10]),
            members: vec![
                seen("Bram", Some(noon), None),
                seen("Carla", None, None),
                seen("Dora", Some(noon), Some(noon + 60_000)),
            ],
        };
        assert_eq!(
            human(&info, &TimeZone::UTC),
            [
                "Read by:",
                "  2026-11-21 12:01  Dora",
                "Delivered to:",
                "  2026-11-21 12:00  Bram",
                "Not delivered yet to:",
                "  Carla"
            ]
        );
    }
}
