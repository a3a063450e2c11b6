//! How long something lasts, as people write it: `30s`, `15m`, `8h`, `7d`, `2w`.

use std::fmt;
use std::str::FromStr;

/// Whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

const UNITS: [(&str, &str, u64); 5] = [
    ("w", "week", 7 * 24 * 60 * 60),
    ("d", "day", 24 * 60 * 60),
    ("h", "hour", 60 * 60),
    ("m", "minute", 60),
    ("s", "second", 1),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || "write a number and a unit, as in 30s, 15m, 8h, 7d or 2w".to_owned();
        let unit = text.chars().last().ok_or_else(wrong)?;
        let number: u64 = text[..text.len() - unit.len_utf8()].trim().parse().map_err(|_| wrong())?;
        let (_, _, seconds) = UNITS.iter().find(|(sign, ..)| sign.starts_with(unit)).ok_or_else(wrong)?;
        match number.checked_mul(*seconds) {
            Some(0) => Err("it has to last some time".into()),
            Some(all) => Ok(Self(all)),
            None => Err("nothing lasts that long".into()),
        }
    }
}

/// As in `7 days`: in the largest unit that it is a multiple of.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A week is seven days to most people, but not the other way round.
        let fits = |unit: &&(&str, &str, u64)| self.0.is_multiple_of(unit.2) && unit.0 != "w";
        let (_, name, seconds) = UNITS.iter().find(fits).unwrap_or(&UNITS[4]);
        let number = self.0 / seconds;
        write!(f, "{number} {name}{}", if number == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_shown() {
        for (text, seconds, shown) in [
            ("30s", 30, "30 seconds"),
            ("1m", 60, "1 minute"),
            ("90m", 5_400, "90 minutes"),
            ("8h", 28_800, "8 hours"),
            ("7d", 604_800, "7 days"),
            ("2w", 1_209_600, "14 days"),
        ] {
            assert_eq!(text.parse(), Ok(Span(seconds)), "{text}");
            assert_eq!(Span(seconds).to_string(), shown);
        }
        for wrong in ["", "7", "d", "7y", "0s", "99999999999999999999w", "9999999999999999w", "7ß", "-1d"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}
