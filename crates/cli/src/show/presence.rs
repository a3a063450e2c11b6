//! Whether somebody is there, in words.

use super::time;
use jiff::tz::TimeZone;
use tidings_client::view::Presence;
use tidings_proto::http::Audience;

/// As in `online`, `last seen 09:14` or `last seen yesterday 09:14`; nothing if that is not known.
pub fn human(presence: Option<Presence>, now_ms: u64, zone: &TimeZone) -> Option<String> {
    let Presence { online, last_seen_ms } = presence?;
    if online {
        return Some("online".into());
    }
    let seen_ms = last_seen_ms?;
    let (day, today) = (time::day(seen_ms, zone), time::day(now_ms, zone));
    let clock = time::clock(seen_ms, zone);
    Some(if day == today {
        format!("last seen {clock}")
    } else if today.yesterday().is_ok_and(|yesterday| yesterday == day) {
        format!("last seen yesterday {clock}")
    } else {
        format!("last seen {}", time::date_and_clock(seen_ms, zone))
    })
}

pub fn audience(audience: Audience) -> &'static str {
    match audience {
        Audience::Everyone => "everyone",
        Audience::Contacts => "contacts",
        Audience::Nobody => "nobody",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_people_say_it() {
        let noon = 1_795_262_400_000;
        let seen = |ago_ms: u64| {
            human(Some(Presence { online: false, last_seen_ms: Some(noon - ago_ms) }), noon, &TimeZone::UTC)
        };
        assert_eq!(seen(60_000).as_deref(), Some("last seen 11:59"));
        assert_eq!(seen(86_400_000).as_deref(), Some("last seen yesterday 12:00"));
        assert_eq!(seen(3 * 86_400_000).as_deref(), Some("last seen 2026-11-18 12:00"));
        let online = Presence { online: true, last_seen_ms: None };
        assert_eq!(human(Some(online), noon, &TimeZone::UTC).as_deref(), Some("online"));
        assert_eq!(human(Some(Presence { online: false, last_seen_ms: None }), noon, &TimeZone::UTC), None);
        assert_eq!(human(None, noon, &TimeZone::UTC), None);
    }
}
