//! How somebody is named where a group is meant too: by number, by account id, or as the group shows them.

use crate::failure::Failure;
use crate::person::Phone;
use crate::show::text;
use crate::target::folded;
use std::fmt;
use std::str::FromStr;
use tidings_client::Peer;
use tidings_client::view::{Group, Person};
use tidings_proto::id::AccountId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    Phone(Phone),
    Account(AccountId),
    /// As `group info` shows it.
    Name(String),
}

impl Whom {
    /// Whom the core should be asked about; names are those of these people.
    pub fn among(&self, people: &[Person]) -> Result<Peer, Failure> {
        let name = match self {
            Self::Phone(phone) => return Ok(phone.peer()),
            Self::Account(account) => return Ok(Peer::Account(*account)),
            Self::Name(name) => name,
        };
        let named: Vec<&Person> = people.iter().filter(|person| folded(&person.title) == folded(name)).collect();
        let shown = text::line(name);
        match named.as_slice() {
            [one] => Ok(Peer::Account(one.account)),
            [] => Err(Failure::with(
                format!("nobody here is called {shown:?}"),
                "Write the phone number, or the name or id that `tidings group info` (or `group requests`) shows.",
            )),
            several => {
                let ids: Vec<String> = several.iter().map(|person| format!("  {}", person.account)).collect();
                Err(Failure::usage(
                    format!("several people here are called {shown:?}"),
                    format!("Name the one that you mean by the phone number, or by the id:\n{}", ids.join("\n")),
                ))
            }
        }
    }
}

pub fn members(group: &Group) -> Vec<Person> {
    group.members.iter().map(|it| Person { account: it.account, title: it.title.clone() }).collect()
}

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('+') {
            return text.parse().map(Self::Phone);
        }
        match text.parse() {
            Ok(account) => Ok(Self::Account(account)),
            Err(_) if text.is_empty() => Err("the name is empty".into()),
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(phone) => phone.fmt(f),
            Self::Account(account) => account.fmt(f),
            Self::Name(name) => f.write_str(&text::line(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_named_by_number_id_or_name() {
        let person = |n, title: &str| Person { account: AccountId::from_bytes([n; 16]), title: title.into() };
        let people = [person(1, "Bram"), person(2, "Carla"), person(3, "carla")];
        let whom = |text: &str| text.parse::<Whom>().unwrap();
        assert!(matches!(whom("+31612345678").among(&people), Ok(Peer::Phone(_))));
        assert_eq!(whom(&people[1].account.to_string()).among(&[]).unwrap(), Peer::Account(people[1].account));
        assert_eq!(whom("bram").among(&people).unwrap(), Peer::Account(people[0].account));
        assert!(matches!(whom("Dora").among(&people), Err(Failure::Failed { .. })));
        let Err(Failure::Usage { way_out, .. }) = whom("Carla").among(&people) else { panic!("who is meant?") };
        assert!(way_out.contains(&people[2].account.to_string()), "{way_out}");
        assert!("+3161".parse::<Whom>().is_err());
    }
}
