//! Standard output, for people and for pipes.

use crate::failure::Failure;
use std::io::Write;

/// One line. The text is ours or was made harmless before.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// One JSON object on a line of its own. Harmless on a terminal as well: what [`super::text`] would drop is escaped.
pub fn json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    line(&json_text(value))
}

pub fn json_text<T: serde::Serialize>(value: &T) -> String {
    let text = serde_json::to_string(value).expect("our types always serialize");
    if text.is_ascii() && !text.contains('\u{7f}') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || super::text::is_invisible_trick(c) {
            // Such characters stand in strings only, where JSON knows them by their UTF-16 units.
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn json_is_harmless_and_says_the_same() {
        let text = "\u{1b}[2J\u{9b}\u{7f}\u{202e}\u{e0041} 👍 é".to_owned();
        let json = super::json_text(&text);
        assert!(!json.chars().any(|c| c.is_control() || crate::show::text::is_invisible_trick(c)), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
