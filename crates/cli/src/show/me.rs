//! Whose account this process shows: it has one, and what that person did reads as "You".

use std::sync::OnceLock;
use tidings_client::view::Person;
use tidings_proto::id::AccountId;

static ME: OnceLock<AccountId> = OnceLock::new();

/// Said once, when the account is opened.
pub fn is(account: AccountId) {
    let _ = ME.set(account);
}

pub fn am(account: AccountId) -> bool {
    ME.get() == Some(&account)
}

/// What to call somebody, harmless; `You` at the beginning of a sentence.
pub fn name(person: &Person) -> String {
    if am(person.account) { "You".into() } else { super::text::line(&person.title) }
}

/// The same inside a sentence.
pub fn name_inside(person: &Person) -> String {
    if am(person.account) { "you".into() } else { super::text::line(&person.title) }
}

/// As in `Bram, Carla and you`.
pub fn names(people: &[Person]) -> String {
    let names: Vec<String> = people.iter().map(name_inside).collect();
    match names.as_slice() {
        [] => "nobody".into(),
        [one] => one.clone(),
        [first @ .., last] => {
            let shown = first.len().min(NAMES_MAX);
            match first.len() - shown {
                0 => format!("{} and {last}", first.join(", ")),
                more => format!("{} and {} others", first[..shown].join(", "), more + 1),
            }
        }
    }
}

/// People that one sentence names.
const NAMES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_name_a_few_and_count_the_rest() {
        let people = |count: usize| -> Vec<Person> {
            let person = |n| Person { account: AccountId::from_bytes([n; 16]), title: format!("P{n}") };
            (1..=count as u8).map(person).collect()
        };
        assert_eq!(names(&people(1)), "P1");
        assert_eq!(names(&people(3)), "P1, P2 and P3");
        assert_eq!(names(&people(200)), "P1, P2, P3, P4, P5, P6, P7, P8 and 192 others");
    }
}
