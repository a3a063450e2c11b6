//! Who is named in a text: `@` and what somebody is called in the group.

use crate::driver::Handle;
use crate::failure::Failure;
use tidings_client::content::Mention;
use tidings_client::view::Member;
use tidings_client::{Command, Peer, Reply};

/// The members of a group that the text names; nobody in other conversations.
pub async fn find(handle: &Handle, to: &Peer, text: &str) -> Result<Vec<Mention>, Failure> {
    if !text.contains('@') || !matches!(to, Peer::Conversation(_)) {
        return Ok(Vec::new());
    }
    match handle.ask(Command::GroupInfo { group: to.clone() }).await? {
        Ok(Reply::Group(group)) => Ok(named(text, &group.members)),
        // No group.
        _ => Ok(Vec::new()),
    }
}

/// At the beginning of a word; the longest name that fits, at the end of a word.
fn named(text: &str, members: &[Member]) -> Vec<Mention> {
    let ends = |rest: &str| !rest.chars().next().is_some_and(char::is_alphanumeric);
    let mut found = Vec::new();
    let mut end = 0;
    for (at, _) in text.match_indices('@') {
        let begins = text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        if at < end || !begins {
            continue;
        }
        let rest = &text[at + 1..];
        let fits =
            |member: &&Member| !member.title.is_empty() && rest.strip_prefix(member.title.as_str()).is_some_and(ends);
        if let Some(member) = members.iter().filter(fits).max_by_key(|member| member.title.len()) {
            let len = 1 + member.title.len();
            end = at + len;
            if let (Ok(start), Ok(len)) = (u32::try_from(at), u32::try_from(len)) {
                found.push(Mention { account: member.account, start, len });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_proto::id::AccountId;

    #[test]
    fn the_longest_name_is_meant_and_only_whole_words() {
        let member = |id: u8, title: &str| Member {
            account: AccountId::from_bytes([id; 16]),
            title: title.into(),
            admin: false,
            away: false,
            since_ms: 0,
        };
        let members = [member(1, "Ann"), member(2, "Ann Bo"), member(3, "+31655555555")];
        let found = |text: &str| -> Vec<(u8, u32, u32)> {
            named(text, &members).iter().map(|it| (it.account.as_bytes()[0], it.start, it.len)).collect()
        };
        assert_eq!(found("@Ann, and é @Ann Bo!"), [(1, 0, 4), (2, 13, 7)]);
        assert_eq!(found("call @+31655555555"), [(3, 5, 13)]);
        assert_eq!(found("@Anna and mail@Ann and @ and @nobody"), []);
    }
}
