//! How conversations are named, on the command line and in the agent's API: a phone number, `me`, a group's name, or
//! the id of any conversation.

use crate::driver::{Handle, News};
use crate::failure::Failure;
use crate::feed;
use crate::person::Phone;
use crate::show::text;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use tidings_client::{Event, Peer, view};
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::ConversationId;
use tokio::time::{Instant, timeout_at};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Phone(Phone),
    /// Notes to oneself.
    Me,
    Id(ConversationId),
    /// A group's name, in whatever case.
    Group(String),
}

impl Target {
    pub fn phone(&self) -> Option<&Phone> {
        match self {
            Self::Phone(phone) => Some(phone),
            _ => None,
        }
    }

    /// Whom the core should be asked about. What is not here yet may be on its way: then the server is asked first.
    pub async fn peer(&self, handle: &Handle) -> Result<Peer, Failure> {
        let name = match self {
            Self::Phone(phone) => return Ok(phone.peer()),
            Self::Me => return Ok(Peer::Me),
            Self::Id(id) => return Ok(Peer::Conversation(*id)),
            Self::Group(name) => name,
        };
        let found = match find(&feed::conversations(handle).await?, name) {
            Err(Lookup::Nowhere) => find_after_catching_up(handle, name).await?,
            found => found,
        };
        found.map(Peer::Conversation).map_err(|why| why.into_failure(name))
    }
}

/// A group that this device was added to a moment ago takes a moment to join.
async fn find_after_catching_up(handle: &Handle, name: &str) -> Result<Result<ConversationId, Lookup>, Failure> {
    let mut news = handle.listen();
    crate::command::catch_up(handle).await?;
    let give_up = Instant::now() + JOINING_TIMEOUT;
    loop {
        let found = find(&feed::conversations(handle).await?, name);
        if found != Err(Lookup::Nowhere) {
            return Ok(found);
        }
        loop {
            match timeout_at(give_up, news.next()).await {
                Ok(Some(News::Event(Event::ConversationChanged { .. }) | News::Missed)) => break,
                Ok(Some(News::Event(_))) => {}
                Ok(None) | Err(_) => return Ok(found),
            }
        }
    }
}

const JOINING_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a name means no group.
#[derive(Debug, PartialEq, Eq)]
enum Lookup {
    Nowhere,
    Several(Vec<ConversationId>),
}

impl Lookup {
    fn into_failure(self, name: &str) -> Failure {
        let name = text::line(name);
        match self {
            Self::Nowhere => Failure::with(
                format!("you are in no group with the name {name:?}"),
                "`tidings group list` shows your groups; a person is named by the phone number, as in +31612345678.",
            ),
            Self::Several(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| format!("  {id}")).collect();
                Failure::usage(
                    format!("several groups have the name {name:?}"),
                    format!("Name the one that you mean by its id:\n{}", ids.join("\n")),
                )
            }
        }
    }
}

/// A group that one is in counts before those that one has left.
fn find(rows: &[view::Conversation], name: &str) -> Result<ConversationId, Lookup> {
    let wanted = folded(name);
    let named = |row: &&view::Conversation| row.kind == ConversationKind::Group && folded(&row.title) == wanted;
    let all: Vec<&view::Conversation> = rows.iter().filter(named).collect();
    let mine: Vec<&view::Conversation> = all.iter().copied().filter(|row| row.member).collect();
    match if mine.is_empty() { all } else { mine }.as_slice() {
        [] => Err(Lookup::Nowhere),
        [one] => Ok(one.conversation),
        several => Err(Lookup::Several(several.iter().map(|row| row.conversation).collect())),
    }
}

/// Names are compared without case and without white space at the ends.
pub fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("me") {
            return Ok(Self::Me);
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        // Whoever leaves the country code out means a number.
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let like_a_number = digits >= NUMBER_DIGITS_MIN && !text.chars().any(char::is_alphabetic);
        if text.starts_with('+') || like_a_number {
            return text.parse().map(Self::Phone);
        }
        match text.is_empty() {
            true => Err("the name is empty".into()),
            false => Ok(Self::Group(text.to_owned())),
        }
    }
}

/// Fewer digits are no phone number.
const NUMBER_DIGITS_MIN: usize = 7;

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(phone) => phone.fmt(f),
            Self::Me => f.write_str("me"),
            Self::Id(id) => id.fmt(f),
            Self::Group(name) => f.write_str(&text::line(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(n: u8, title: &str, member: bool) -> view::Conversation {
        let id = ConversationId::group([n; 16]);
        serde_json::from_value(serde_json::json!({
            "conversation": id, "kind": "group", "account": null, "title": title, "member": member, "phone": null,
            "unread": 0, "last": null, "blocked": false, "verified": false
        }))
        .expect("it is a row of the list")
    }

    #[test]
    fn numbers_ids_names_and_oneself_are_told_apart() {
        assert!(matches!("+31 6 1234 5678".parse(), Ok(Target::Phone(_))));
        assert_eq!("me".parse(), Ok(Target::Me));
        let id = ConversationId::group([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(Target::Id(id)));
        assert_eq!(" Film club 2026 ".parse(), Ok(Target::Group("Film club 2026".into())));
        assert!("0612345678".parse::<Target>().unwrap_err().contains("country code"));
        assert!("".parse::<Target>().is_err());
    }

    #[test]
    fn a_name_means_the_one_group_that_has_it() {
        let rows =
            [group(1, "Cinema", true), group(2, "cinema ", true), group(3, "Chess", false), group(4, "Chess", true)];
        assert_eq!(find(&rows, "CHESS"), Ok(rows[3].conversation));
        assert_eq!(find(&rows[..3], "chess"), Ok(rows[2].conversation));
        assert_eq!(find(&rows, "golf"), Err(Lookup::Nowhere));
        let Err(several) = find(&rows, "Cinema") else { panic!("it is not clear which one is meant") };
        let Failure::Usage { way_out, .. } = several.into_failure("Cinema") else { panic!("it can be put right") };
        for row in &rows[..2] {
            assert!(way_out.contains(&row.conversation.to_string()), "{way_out}");
        }
    }
}
