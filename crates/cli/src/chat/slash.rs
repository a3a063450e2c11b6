//! What a typed line means: a message, or a command that begins with `/`.

use crate::command::group::Whom;
use crate::person::Phone;
use crate::span::Span;

#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    Text(String),
    Reply {
        number: u64,
        text: String,
    },
    /// `None` takes the reaction back.
    React {
        number: u64,
        emoji: Option<String>,
    },
    Edit {
        number: u64,
        text: String,
    },
    Delete {
        number: u64,
    },
    /// For oneself.
    Hide {
        number: u64,
    },
    Poll {
        question: String,
        options: Vec<String>,
    },
    /// Counted from 0; none take the vote back.
    Vote {
        number: u64,
        choices: Vec<u32>,
    },
    Verify {
        confirm: bool,
    },
    Block,
    Unblock,
    Info {
        number: u64,
    },
    Star {
        number: u64,
        on: bool,
    },
    Pin {
        number: u64,
        on: bool,
    },
    Pins,
    Search {
        words: String,
    },
    /// For ever without a span.
    Mute {
        span: Option<Span>,
    },
    Unmute,
    /// Without a span messages stay.
    Timer {
        span: Option<Span>,
    },
    Archive,
    Unread,
    Group,
    Invite,
    Add {
        who: Phone,
    },
    Remove {
        who: Whom,
    },
    Leave,
    Help,
    Quit,
}

pub const HELP: &str = "\
/reply 12 text     answer message 12 (the number at its left)
/react 12 👍       react to it; /react 12 - takes it back
/edit 12 text      change a message of yours
/delete 12         delete a message of yours for everyone; as an admin of a group any
/hide 12           delete a message on this device only
/poll Which? A / B ask something; /vote 12 1 chooses the first answer, /vote 12 takes it back
@name              names a member of the group
/info 12           who has a message of yours, and who has read it
/star 12           to find it again; /unstar 12
/pin 12            pin it for everybody here; /unpin 12; /pins shows them
/search words      find messages in this chat
/mute              let nothing ring; /mute 8h for a while; /unmute
/timer 1d          let messages disappear after a day; /timer off
/archive           out of sight until a new message comes; /unread to come back
/verify            show the safety number; /verify confirm once you compared it
/block, /unblock   receive nothing more from this person, or again
/group             in a group: members, rules, links
/add +31…          add somebody to the group; /remove NAME
/invite            a link by which people come in
/leave             leave the group
/quit              end the chat (so does Ctrl-C)
//text             a message that begins with /

Page Up, Page Down and the arrows scroll; older messages load at the top.
Alt-Enter begins a new line in the message.

◷ stored here   ✓ on the server's disk   ✓✓ with everybody else   blue ✓✓ seen";

/// The error says how it is written.
pub fn parse(line: &str) -> Result<Typed, String> {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else { return Ok(Typed::Text(line.to_owned())) };
    if command.starts_with('/') {
        return Ok(Typed::Text(command.to_owned()));
    }
    let (verb, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    match verb {
        "reply" | "r" => number_and_text(rest, "/reply 12 text").map(|(number, text)| Typed::Reply { number, text }),
        "edit" | "e" => number_and_text(rest, "/edit 12 text").map(|(number, text)| Typed::Edit { number, text }),
        "react" => number_and_text(rest, "/react 12 👍, or /react 12 - to take it back")
            .map(|(number, emoji)| Typed::React { number, emoji: (emoji != "-").then_some(emoji) }),
        "delete" | "del" => {
            number(rest).map(|number| Typed::Delete { number }).ok_or_else(|| "Write: /delete 12".into())
        }
        "hide" => number(rest).map(|number| Typed::Hide { number }).ok_or_else(|| "Write: /hide 12".into()),
        "poll" => poll(rest).ok_or_else(|| "Write: /poll Which day? Friday / Sunday".into()),
        "vote" => vote(rest).ok_or_else(|| "Write: /vote 12 1, or /vote 12 to take it back".into()),
        "info" | "i" => number(rest).map(|number| Typed::Info { number }).ok_or_else(|| "Write: /info 12".into()),
        "star" | "unstar" => number(rest)
            .map(|number| Typed::Star { number, on: verb == "star" })
            .ok_or_else(|| format!("Write: /{verb} 12")),
        "pin" | "unpin" => number(rest)
            .map(|number| Typed::Pin { number, on: verb == "pin" })
            .ok_or_else(|| format!("Write: /{verb} 12")),
        "search" | "find" if !rest.is_empty() => Ok(Typed::Search { words: rest.to_owned() }),
        "search" | "find" => Err("Write: /search words".into()),
        "pins" => Ok(Typed::Pins),
        "mute" if rest.is_empty() => Ok(Typed::Mute { span: None }),
        "mute" => rest
            .parse()
            .map(|span| Typed::Mute { span: Some(span) })
            .map_err(|why| format!("Write: /mute, or /mute 8h ({why})")),
        "unmute" => Ok(Typed::Unmute),
        "timer" if rest == "off" => Ok(Typed::Timer { span: None }),
        "timer" => rest
            .parse()
            .map(|span| Typed::Timer { span: Some(span) })
            .map_err(|why| format!("Write: /timer 1d, or /timer off ({why})")),
        "archive" => Ok(Typed::Archive),
        "unread" => Ok(Typed::Unread),
        "group" | "members" => Ok(Typed::Group),
        "invite" => Ok(Typed::Invite),
        "add" => rest.parse().map(|who| Typed::Add { who }).map_err(|why| format!("Write: /add +31687654321 ({why})")),
        "remove" => rest.parse().map(|who| Typed::Remove { who }).map_err(|why| format!("Write: /remove NAME ({why})")),
        "leave" if rest.is_empty() => Ok(Typed::Leave),
        "verify" if rest.is_empty() => Ok(Typed::Verify { confirm: false }),
        "verify" if rest == "confirm" => Ok(Typed::Verify { confirm: true }),
        "verify" => Err("Write: /verify, or /verify confirm".into()),
        "block" => Ok(Typed::Block),
        "unblock" => Ok(Typed::Unblock),
        "help" | "h" | "?" => Ok(Typed::Help),
        "quit" | "q" | "exit" => Ok(Typed::Quit),
        _ => {
            Err("There is no such command: /help lists them. To send a text that begins with /, write it twice.".into())
        }
    }
}

/// The question ends with its mark.
fn poll(rest: &str) -> Option<Typed> {
    let (question, options) = rest.split_once('?')?;
    let options: Vec<String> = options.split('/').map(|option| option.trim().to_owned()).collect();
    (options.len() > 1).then(|| Typed::Poll { question: format!("{question}?"), options })
}

/// The answers are counted from 1.
fn vote(rest: &str) -> Option<Typed> {
    let mut words = rest.split_whitespace();
    let number = number(words.next()?)?;
    let choices = words.map(|word| word.parse::<u32>().ok()?.checked_sub(1)).collect::<Option<_>>()?;
    Some(Typed::Vote { number, choices })
}

fn number(text: &str) -> Option<u64> {
    text.trim_start_matches('#').parse().ok()
}

fn number_and_text(rest: &str, usage: &str) -> Result<(u64, String), String> {
    let wrong = || format!("Write: {usage}");
    let (first, text) = rest.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let text = text.trim();
    match number(first) {
        Some(number) if !text.is_empty() => Ok((number, text.to_owned())),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_understood() {
        assert_eq!(parse(" hello "), Ok(Typed::Text("hello".into())));
        assert_eq!(parse("//etc"), Ok(Typed::Text("/etc".into())));
        assert_eq!(parse("/reply 12 see  you"), Ok(Typed::Reply { number: 12, text: "see  you".into() }));
        assert_eq!(parse("/react #3 👍"), Ok(Typed::React { number: 3, emoji: Some("👍".into()) }));
        assert_eq!(parse("/react 3 -"), Ok(Typed::React { number: 3, emoji: None }));
        assert_eq!(parse("/verify confirm"), Ok(Typed::Verify { confirm: true }));
        assert_eq!(parse("/info #3"), Ok(Typed::Info { number: 3 }));
        assert!(matches!(parse("/add +31687654321"), Ok(Typed::Add { .. })));
        assert!(matches!(parse("/remove Bram"), Ok(Typed::Remove { .. })));
        assert_eq!(parse("/unstar 3"), Ok(Typed::Star { number: 3, on: false }));
        assert_eq!(parse("/pin #3"), Ok(Typed::Pin { number: 3, on: true }));
        assert_eq!(parse("/mute 1h"), Ok(Typed::Mute { span: Some(Span(3_600)) }));
        assert_eq!(parse("/timer 30s"), Ok(Typed::Timer { span: Some(Span(30)) }));
        assert_eq!(parse("/timer off"), Ok(Typed::Timer { span: None }));
        assert_eq!(parse("/vote 3 1 2"), Ok(Typed::Vote { number: 3, choices: vec![0, 1] }));
        assert_eq!(parse("/vote #3"), Ok(Typed::Vote { number: 3, choices: vec![] }));
        let options = vec!["Friday".into(), "Sunday noon".into()];
        let poll = Typed::Poll { question: "Which day?".into(), options };
        assert_eq!(parse("/poll Which day? Friday / Sunday noon"), Ok(poll));
        assert_eq!(parse("/hide 3"), Ok(Typed::Hide { number: 3 }));
        assert_eq!(parse("/q"), Ok(Typed::Quit));
    }

    #[test]
    fn what_is_not_says_how_to_write_it() {
        for (line, hint) in [
            ("/reply", "/reply 12 text"),
            ("/reply x y", "/reply 12 text"),
            ("/react 3", "/react 12 👍"),
            ("/delete", "/delete 12"),
            ("/info", "/info 12"),
            ("/vote 3 0", "/vote 12 1"),
            ("/poll Friday", "/poll Which day?"),
            ("/hide", "/hide 12"),
            ("/unpin", "/unpin 12"),
            ("/search", "/search words"),
            ("/mute long", "/mute 8h"),
            ("/timer", "/timer 1d"),
            ("/add 0612", "/add +31"),
            ("/etc/passwd", "/help"),
            ("/", "/help"),
        ] {
            assert!(parse(line).unwrap_err().contains(hint), "{line}");
        }
    }
}
