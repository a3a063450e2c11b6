//! Times for people, in their own time zone, and for programs (RFC 3339).

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn timestamp(time_ms: u64) -> Timestamp {
    let time_ms = i64::try_from(time_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(time_ms).unwrap_or(Timestamp::MAX)
}

/// As in `2026-11-21T09:14:02.120Z`.
pub fn rfc3339(time_ms: u64) -> String {
    format!("{:.3}", timestamp(time_ms))
}

/// As in `09:14`.
pub fn clock(time_ms: u64, zone: &TimeZone) -> String {
    timestamp(time_ms).to_zoned(zone.clone()).strftime("%H:%M").to_string()
}

/// As in `2026-11-21 09:14`.
pub fn date_and_clock(time_ms: u64, zone: &TimeZone) -> String {
    timestamp(time_ms).to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

pub fn day(time_ms: u64, zone: &TimeZone) -> Date {
    timestamp(time_ms).to_zoned(zone.clone()).date()
}

/// `Today`, `Yesterday`, or as in `Saturday 21 November 2026`.
pub fn day_title(day: Date, today: Date) -> String {
    if day == today {
        "Today".into()
    } else if today.yesterday().is_ok_and(|yesterday| yesterday == day) {
        "Yesterday".into()
    } else {
        day.strftime("%A %-d %B %Y").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_and_programs_expect() {
        let noon = 1_795_262_400_000;
        assert_eq!(rfc3339(noon), "2026-11-21T12:00:00.000Z");
        assert_eq!(clock(noon, &TimeZone::UTC), "12:00");
        let day_of = |days: i64| day((noon as i64 + days * 86_400_000) as u64, &TimeZone::UTC);
        assert_eq!(day_title(day_of(0), day_of(0)), "Today");
        assert_eq!(day_title(day_of(-1), day_of(0)), "Yesterday");
        assert_eq!(day_title(day_of(-3), day_of(0)), "Wednesday 18 November 2026");
        // Whatever somebody else's clock says, it is only shown.
        rfc3339(u64::MAX);
    }
}
