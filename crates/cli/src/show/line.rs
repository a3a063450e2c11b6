//! A message as lines of text, for `listen`, `history` and `list`.

use super::{plain, text, time};
use crate::span::Span;
use jiff::tz::TimeZone;
use tidings_client::view::{Body, Message, Notice, PollOption, Tick};

pub fn tick(tick: Tick) -> &'static str {
    match tick {
        Tick::Failed => "✗",
        Tick::Clock => "◷",
        Tick::Sent => "✓",
        Tick::Delivered => "✓✓",
        Tick::Read => "✓✓ read",
    }
}

pub fn notice(notice: &Notice) -> String {
    use super::me::{name, name_inside, names};
    match notice {
        Notice::GroupCreated { by } => format!("{} made this group.", name(by)),
        Notice::Added { by, who } => format!("{} added {}.", name(by), names(who)),
        Notice::Removed { by, who } => format!("{} removed {}.", name(by), names(who)),
        Notice::Left { who } => format!("{} left.", name(who)),
        Notice::AccountDeleted { who } => format!("{} deleted their account.", name(who)),
        Notice::JoinedByLink { who } => format!("{} joined by a link.", name(who)),
        Notice::AdminsChanged { by, named, dismissed } => {
            let named = (!named.is_empty()).then(|| format!("made admins of {}", names(named)));
            let dismissed = (!dismissed.is_empty()).then(|| format!("took the admin's role from {}", names(dismissed)));
            let what: Vec<String> = named.into_iter().chain(dismissed).collect();
            format!("{} {}.", name(by), what.join(" and "))
        }
        Notice::RulesChanged { by, posting, editing, adding } => {
            let rules = [("posting", posting), ("editing name and picture", editing), ("adding people", adding)];
            let said: Vec<String> = rules
                .iter()
                .filter_map(|(what, who)| who.map(|who| format!("{what}: {}", super::group::who(who))))
                .collect();
            format!("{} changed the rules: {}.", name(by), said.join(", "))
        }
        Notice::Renamed { by, name: Some(called) } => {
            format!("{} named this group \"{}\".", name(by), text::line(called))
        }
        Notice::Renamed { by, name: None } => format!("{} took this group's name away.", name(by)),
        Notice::Described { by, description: Some(it) } => {
            format!("{} described this group: {}", name(by), text::line(it))
        }
        Notice::Described { by, description: None } => format!("{} took this group's description away.", name(by)),
        Notice::Pictured { by } => format!("{} changed this group's picture.", name(by)),
        Notice::TimerSet { by, seconds: Some(seconds) } => {
            format!("{} set messages to disappear after {}.", name(by), Span(*seconds))
        }
        Notice::TimerSet { by, seconds: None } => format!("{} set messages to stay.", name(by)),
        Notice::Distrusted => "A change of this group is not allowed by its rules: this device goes no further.".into(),
        Notice::SafetyNumberChanged { who } => format!(
            "The safety number of {} changed: a new device, or somebody else. Compare it to be sure.",
            name_inside(who)
        ),
        Notice::HistoryMissing => "Older messages expired on the server before this device could read them.".into(),
    }
}

/// What a message says, harmless, perhaps on several lines.
pub fn body(message: &Message) -> String {
    match &message.body {
        Body::Text { text } => text::block(text),
        Body::Poll { question, multiple, options } => poll(question, *multiple, options),
        Body::Location { latitude, longitude, name } => {
            let place = format!("📍 {}, {}", f64::from(*latitude), f64::from(*longitude));
            name.as_ref().map_or(place.clone(), |name| format!("{place} ({})", text::line(name)))
        }
        Body::Contact { name, phone } => format!("👤 {}: {}", text::line(name), text::line(phone)),
        Body::Deleted if message.deleted_by.is_some() => {
            let by = message.deleted_by.as_ref().map(super::me::name).unwrap_or_default();
            format!("({by} deleted this message)")
        }
        Body::Deleted if message.own => "(you deleted this message)".into(),
        Body::Deleted => "(this message was deleted)".into(),
        Body::Unreadable { why } => format!("(this message cannot be read here: {})", text::line(why)),
        Body::Notice { notice: it } => format!("({})", notice(it)),
        Body::Unknown => "(this message needs a newer version of Tidings)".into(),
    }
}

/// A choice on each line, with who chose it.
fn poll(question: &str, multiple: bool, options: &[PollOption]) -> String {
    let mut out = format!("📊 {}", text::line(question));
    if multiple {
        out.push_str(" (several may be chosen)");
    }
    for (index, option) in options.iter().enumerate() {
        let mark = if option.mine { "●" } else { "○" };
        out.push_str(&format!("\n{mark} {}. {}", index + 1, text::line(&option.text)));
        if !option.voters.is_empty() {
            out.push_str(&format!(": {} ({})", option.voters.len(), super::me::names(&option.voters)));
        }
    }
    out
}

pub fn sender(message: &Message) -> String {
    if message.own { "You".into() } else { text::line(&message.sender_title) }
}

/// Who said it and what, as in `You ✓✓: hello`, on one line.
pub fn said(message: &Message) -> String {
    let said = text::line(&body(message));
    match (&message.body, message.tick) {
        (Body::Notice { .. }, _) => said,
        (_, Some(it)) => format!("{} {}: {said}", sender(message), tick(it)),
        (_, None) => format!("{}: {said}", sender(message)),
    }
}

/// As in `2026-11-21 09:14  #12  You ✓✓: hello`, with quote and reactions on lines of their own.
pub fn message(message: &Message, zone: &TimeZone) -> String {
    let mut out = time::date_and_clock(message.time_ms, zone);
    if let Some(number) = plain::number(message) {
        out.push_str(&format!("  #{number}"));
    }
    // A notice names people itself.
    if let Body::Notice { .. } = message.body {
        return format!("{out}  {}", body(message));
    }
    out.push_str(&format!("  {}", sender(message)));
    if let Some(it) = message.tick {
        out.push_str(&format!(" {}", tick(it)));
    }
    out.push_str(&format!(": {}", body(message).replace('\n', "\n    ")));
    if message.edited {
        out.push_str(" (edited)");
    }
    if let Some(why) = &message.failure {
        out.push_str(&format!("\n    ✗ not sent: {}", text::line(why)));
    }
    if let Some(quote) = &message.reply_to {
        let quoted = quote.text.as_deref().map_or("(a message that is not here)".into(), text::line);
        out.push_str(&format!("\n    ↳ in reply to: {}", text::shorten(&quoted, QUOTE_COLUMNS)));
    }
    if let Some(preview) = &message.preview {
        out.push_str(&format!("\n    ▏ {}", text::line(&preview.title)));
    }
    if let Some(marks) = marks(message) {
        out.push_str(&format!("\n    {marks}"));
    }
    if let Some(reactions) = reactions(message) {
        out.push_str(&format!("\n    {reactions}"));
    }
    out
}

/// As in `★ starred  ⚑ pinned`.
pub fn marks(message: &Message) -> Option<String> {
    let marks = [
        (message.forwarded, "↪ forwarded"),
        (message.mentions_me, "@ you are mentioned"),
        (message.starred, "★ starred"),
        (message.pinned, "⚑ pinned"),
    ];
    let shown: Vec<&str> = marks.into_iter().filter(|(on, _)| *on).map(|(_, mark)| mark).collect();
    (!shown.is_empty()).then(|| shown.join("  "))
}

const QUOTE_COLUMNS: usize = 60;
/// An emoji may be joined of several, but not of a novel.
const EMOJI_COLUMNS: usize = 8;

/// As in `👍 2  ❤️`.
pub fn reactions(message: &Message) -> Option<String> {
    let mut counted: Vec<(String, usize)> = Vec::new();
    for reaction in &message.reactions {
        let emoji = text::shorten(&text::line(&reaction.emoji), EMOJI_COLUMNS);
        match counted.iter_mut().find(|(other, _)| *other == emoji) {
            Some((_, count)) => *count += 1,
            None => counted.push((emoji, 1)),
        }
    }
    let shown: Vec<String> =
        counted.into_iter().map(|(emoji, count)| if count > 1 { format!("{emoji} {count}") } else { emoji }).collect();
    (!shown.is_empty()).then(|| shown.join("  "))
}
