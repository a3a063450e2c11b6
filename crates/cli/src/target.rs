//! How conversations are named, on the command line and in the agent's API: a phone number, `me`, a group's name, or
//! the id of any conversation.

use crate::command::contacts;
use crate::driver::{Handle, News};
use crate::failure::Failure;
use crate::feed;
use crate::person::Phone;
use crate::show::text;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use tidings_client::view::{self, Found};
use tidings_client::{Event, Peer};
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::ConversationId;
use tokio::time::{Instant, timeout_at};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Phone(Phone),
    /// Notes to oneself.
    Me,
    Id(ConversationId),
    /// A group's name, or one from the address book, in whatever case.
    Name(String),
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
            Self::Name(name) => name,
        };
        let people = contacts::all(handle).await?;
        let found = match find(&feed::conversations(handle).await?, &people, name) {
            Err(Lookup::Nowhere) => find_after_catching_up(handle, name).await?,
            found => found,
        };
        found.map_err(|why| why.into_failure(name))
    }

    /// As [`Self::peer`], where one person is meant: by number, or by a name of the address book.
    pub async fn person(&self, handle: &Handle) -> Result<Peer, Failure> {
        match self {
            Self::Phone(phone) => Ok(phone.peer()),
            Self::Name(name) => match find(&[], &contacts::all(handle).await?, name) {
                Err(Lookup::Nowhere) => Err(Failure::with(
                    format!("nobody in your address book has the name {:?}", text::line(name)),
                    "`tidings contacts list` shows who is in it; or write a phone number, as in +31612345678.",
                )),
                found => found.map_err(|why| why.into_failure(name)),
            },
            Self::Me | Self::Id(_) => Err(Failure::usage(
                format!("{self} is not another person"),
                "Write a phone number, as in +31612345678, or a name of your address book.",
            )),
        }
    }

    /// Whether it is this name.
    pub fn is_called(&self, name: &str) -> bool {
        matches!(self, Self::Name(wanted) if folded(wanted) == folded(name))
    }
}

/// A group that this device was added to a moment ago takes a moment to join.
async fn find_after_catching_up(handle: &Handle, name: &str) -> Result<Result<Peer, Lookup>, Failure> {
    let mut news = handle.listen();
    crate::command::catch_up(handle).await?;
    let give_up = Instant::now() + JOINING_TIMEOUT;
    loop {
        let found = find(&feed::conversations(handle).await?, &contacts::all(handle).await?, name);
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

/// Why a name means nobody.
#[derive(Debug, PartialEq, Eq)]
enum Lookup {
    Nowhere,
    /// Their ids or numbers.
    Several(Vec<String>),
}

impl Lookup {
    fn into_failure(self, name: &str) -> Failure {
        let name = text::line(name);
        match self {
            Self::Nowhere => Failure::with(
                format!("you are in no group with the name {name:?}, and nobody in your address book has it"),
                "`tidings group list` and `tidings contacts list` show them; or write a phone number, as in +31612345678.",
            ),
            Self::Several(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| format!("  {id}")).collect();
                Failure::usage(
                    format!("several have the name {name:?}"),
                    format!("Name the one that you mean by its id or number:\n{}", ids.join("\n")),
                )
            }
        }
    }
}

/// A group that one is in counts before those that one has left. Of somebody's numbers those that are here count.
fn find(rows: &[view::Conversation], people: &[view::Contact], name: &str) -> Result<Peer, Lookup> {
    let wanted = folded(name);
    let named = |row: &&view::Conversation| row.kind == ConversationKind::Group && folded(&row.title) == wanted;
    let all: Vec<&view::Conversation> = rows.iter().filter(named).collect();
    let mine: Vec<&view::Conversation> = all.iter().copied().filter(|row| row.member).collect();
    let groups = if mine.is_empty() { all } else { mine };
    let named: Vec<&view::Contact> = people.iter().filter(|person| folded(&person.name) == wanted).collect();
    let here: Vec<&view::Contact> = named.iter().copied().filter(|person| person.found == Found::Here).collect();
    let people = if here.is_empty() { named } else { here };
    match (groups.as_slice(), people.as_slice()) {
        ([], []) => Err(Lookup::Nowhere),
        ([group], []) => Ok(Peer::Conversation(group.conversation)),
        ([], [person]) => Ok(Peer::Phone(person.phone.clone())),
        (groups, people) => Err(Lookup::Several(
            groups
                .iter()
                .map(|row| row.conversation.to_string())
                .chain(people.iter().map(|person| person.phone.clone()))
                .collect(),
        )),
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
            false => Ok(Self::Name(text.to_owned())),
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
            Self::Name(name) => f.write_str(&text::line(name)),
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
        assert_eq!(" Film club 2026 ".parse(), Ok(Target::Name("Film club 2026".into())));
        assert!("0612345678".parse::<Target>().unwrap_err().contains("country code"));
        assert!("".parse::<Target>().is_err());
    }

    #[test]
    fn a_name_means_the_one_person_who_is_here() {
        let person = |phone: &str, name: &str, found: Found| view::Contact {
            phone: phone.into(),
            name: name.into(),
            found,
            account: None,
            conversation: None,
            profile_name: None,
            about: None,
            picture: None,
            blocked: false,
        };
        let people = [
            person("+31612345678", "Bram", Found::Unknown),
            person("+31612345679", "bram ", Found::Here),
            person("+31612345670", "Carla", Found::Nobody),
        ];
        assert_eq!(find(&[], &people, "Bram"), Ok(Peer::Phone("+31612345679".into())));
        assert_eq!(find(&[], &people[..1], "Bram"), Ok(Peer::Phone("+31612345678".into())));
        assert_eq!(find(&[], &people, "Dirk"), Err(Lookup::Nowhere));
        let both = find(&[group(1, "Carla", true)], &people, "carla");
        assert!(matches!(both, Err(Lookup::Several(ids)) if ids.contains(&"+31612345670".to_owned())));
    }

    #[test]
    fn a_name_means_the_one_group_that_has_it() {
        let rows =
            [group(1, "Cinema", true), group(2, "cinema ", true), group(3, "Chess", false), group(4, "Chess", true)];
        assert_eq!(find(&rows, &[], "CHESS"), Ok(Peer::Conversation(rows[3].conversation)));
        assert_eq!(find(&rows[..3], &[], "chess"), Ok(Peer::Conversation(rows[2].conversation)));
        assert_eq!(find(&rows, &[], "golf"), Err(Lookup::Nowhere));
        let Err(several) = find(&rows, &[], "Cinema") else { panic!("it is not clear which one is meant") };
        let Failure::Usage { way_out, .. } = several.into_failure("Cinema") else { panic!("it can be put right") };
        for row in &rows[..2] {
            assert!(way_out.contains(&row.conversation.to_string()), "{way_out}");
        }
    }
}
