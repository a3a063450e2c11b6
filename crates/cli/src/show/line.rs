//! A message as lines of text, for `listen`, `history` and `list`.

use super::{plain, text, time};
use jiff::tz::TimeZone;
use tidings_client::view::{Body, Message, Notice, Tick};

pub fn tick(tick: Tick) -> &'static str {
    match tick {
        Tick::Failed => "✗",
        Tick::Clock => "◷",
        Tick::Sent => "✓",
        Tick::Delivered => "✓✓",
        Tick::Read => "✓✓ read",
    }
}

pub fn notice(notice: &Notice) -> &'static str {
    match notice {
        Notice::GroupCreated { .. } => "The group was made.",
        Notice::Added { .. } => "Somebody was added.",
        Notice::Removed { .. } => "Somebody was removed.",
        Notice::Left { .. } => "Somebody left.",
        Notice::JoinedByLink { .. } => "Somebody joined by a link.",
        Notice::AdminsChanged { .. } => "The group has other admins.",
        Notice::RulesChanged { .. } => "The group has other rules.",
        Notice::Distrusted => "A change of this group is not allowed by its rules: this device goes no further.",
        Notice::SafetyNumberChanged => {
            "The safety number changed: this person may have a new device. Compare it again to be sure."
        }
        Notice::HistoryMissing => "Older messages expired on the server before this device could read them.",
    }
}

/// What a message says, harmless, perhaps on several lines.
pub fn body(message: &Message) -> String {
    match &message.body {
        Body::Text { text } => text::block(text),
        Body::Deleted if message.own => "(you deleted this message)".into(),
        Body::Deleted => "(this message was deleted)".into(),
        Body::Unreadable { why } => format!("(this message cannot be read here: {})", text::line(why)),
        Body::Notice { notice: it } => format!("({})", notice(it)),
        Body::Unknown => "(this message needs a newer version of Tidings)".into(),
    }
}

pub fn sender(message: &Message) -> String {
    if message.own { "You".into() } else { text::line(&message.sender_title) }
}

/// As in `2026-11-21 09:14  #12  You ✓✓: hello`, with quote and reactions on lines of their own.
pub fn message(message: &Message, zone: &TimeZone) -> String {
    let mut out = time::date_and_clock(message.time_ms, zone);
    if let Some(number) = plain::number(message) {
        out.push_str(&format!("  #{number}"));
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
    if let Some(reactions) = reactions(message) {
        out.push_str(&format!("\n    {reactions}"));
    }
    out
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
