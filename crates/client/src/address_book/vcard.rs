//! vCard files (RFC 2426 and RFC 6350, versions 3.0 and 4.0), as far as an address book of names and numbers needs them:
//! `FN` or `N`, and every `TEL`. The rest is passed over. What cannot be taken is reported with its line, and does not keep
//! the others from coming in.

use crate::content::NAME_MAX_BYTES;
use crate::view::{Card, Skipped, Vcard};

/// A file of a few thousand people with pictures.
pub const FILE_MAX_BYTES: usize = 32 * 1024 * 1024;
/// Cards of one file, and numbers of one card.
pub const CARDS_MAX: usize = 10_000;
pub const PHONES_OF_A_CARD_MAX: usize = 20;
/// A number as it may be written in a file.
const PHONE_TEXT_MAX_BYTES: usize = 64;

/// The file as a whole is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VcardError {
    #[error("the file is larger than {FILE_MAX_BYTES} bytes")]
    TooLarge,
    #[error("the file is no text in UTF-8")]
    NotText,
    #[error("this is no vCard file: no line of it says BEGIN:VCARD")]
    NotVcard,
    #[error("the file has more than {CARDS_MAX} cards; split it")]
    TooMany,
}

/// A card that is being read.
struct Open {
    line: u64,
    version: Option<String>,
    formatted: Option<String>,
    structured: Option<String>,
    phones: Vec<String>,
}

pub fn read(bytes: &[u8]) -> Result<Vcard, VcardError> {
    if bytes.len() > FILE_MAX_BYTES {
        return Err(VcardError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| VcardError::NotText)?;
    if text.contains('\0') {
        return Err(VcardError::NotText);
    }
    let mut read = Vcard { cards: Vec::new(), skipped: Vec::new() };
    let (mut open, mut seen): (Option<Open>, usize) = (None, 0);
    for (line, text) in unfolded(text.trim_start_matches('\u{feff}')) {
        let Some((name, value)) = property(&text) else { continue };
        let is_card = value.trim().eq_ignore_ascii_case("VCARD");
        match (name.as_str(), &mut open) {
            ("BEGIN", unfinished) if is_card => {
                if let Some(cut) = unfinished.take() {
                    read.skipped.push(skipped(cut.line, "the card does not end"));
                }
                seen += 1;
                if seen > CARDS_MAX {
                    return Err(VcardError::TooMany);
                }
                open = Some(Open { line, version: None, formatted: None, structured: None, phones: Vec::new() });
            }
            ("END", Some(_)) if is_card => {
                if let Some(card) = open.take() {
                    close(card, &mut read);
                }
            }
            ("VERSION", Some(card)) => card.version = Some(value.trim().to_owned()),
            ("FN", Some(card)) if card.formatted.is_none() => card.formatted = Some(plain(value)),
            ("N", Some(card)) if card.structured.is_none() => card.structured = Some(from_parts(value)),
            ("TEL", Some(card)) => match phone(value) {
                Some(phone) if card.phones.len() < PHONES_OF_A_CARD_MAX => {
                    if !card.phones.contains(&phone) {
                        card.phones.push(phone);
                    }
                }
                Some(_) => read.skipped.push(skipped(line, "the card has too many numbers")),
                None => read.skipped.push(skipped(line, "this is not a phone number")),
            },
            _ => {}
        }
    }
    if let Some(cut) = open {
        read.skipped.push(skipped(cut.line, "the file ends within the card"));
    }
    match seen {
        0 => Err(VcardError::NotVcard),
        _ => Ok(read),
    }
}

fn skipped(line: u64, why: &str) -> Skipped {
    Skipped { line, why: why.to_owned() }
}

fn close(card: Open, read: &mut Vcard) {
    let Open { line, version, formatted, structured, phones } = card;
    if !matches!(version.as_deref(), Some("3.0" | "4.0")) {
        let version = version.map_or("no version".to_owned(), |version| format!("version {}", name(&version)));
        return read.skipped.push(skipped(line, &format!("the card has {version}; export it as vCard 3.0 or 4.0")));
    }
    let called = [formatted, structured].into_iter().flatten().map(|text| name(&text)).find(|text| !text.is_empty());
    match (called, phones.is_empty()) {
        (None, _) => read.skipped.push(skipped(line, "the card has no name")),
        (Some(_), true) => read.skipped.push(skipped(line, "the card has no phone number")),
        (Some(name), false) => read.cards.push(Card { line, name, phones }),
    }
}

/// Logical lines with the number of their first one: a line that begins with white space goes on with the one before
/// (RFC 6350 section 3.2).
fn unfolded(text: &str) -> Vec<(u64, String)> {
    let mut lines: Vec<(u64, String)> = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, before))) => before.push_str(rest),
            _ => lines.push((number, line.to_owned())),
        }
    }
    lines
}

/// `group.NAME;PARAM="a:b":value`: the name in capitals, without group and parameters, and the value.
fn property(line: &str) -> Option<(String, &str)> {
    let mut quoted = false;
    let colon = line.char_indices().find(|(_, char)| {
        quoted ^= *char == '"';
        *char == ':' && !quoted
    })?;
    let (head, value) = (&line[..colon.0], &line[colon.0 + 1..]);
    let name = head.split(';').next().unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or_default();
    Some((name.trim().to_ascii_uppercase(), value))
}

/// Without the backslashes of RFC 6350 section 3.4.
fn plain(value: &str) -> String {
    let (mut text, mut chars) = (String::with_capacity(value.len()), value.chars());
    while let Some(char) = chars.next() {
        match (char, char == '\\') {
            (_, true) => match chars.next() {
                Some('n' | 'N') | None => text.push(' '),
                Some(other) => text.push(other),
            },
            (char, false) => text.push(char),
        }
    }
    text
}

/// Family; given; further; before; after: as people say it.
fn from_parts(value: &str) -> String {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for char in value.chars() {
        let last = parts.last_mut().expect("there is one from the start");
        match char {
            ';' if !escaped => parts.push(String::new()),
            char => last.push(char),
        }
        escaped = char == '\\' && !escaped;
    }
    let part = |index: usize| parts.get(index).map(|part| plain(part)).unwrap_or_default();
    [part(3), part(1), part(2), part(0), part(4)].join(" ")
}

/// On one line, without what a terminal would obey, and no longer than a name may be.
fn name(text: &str) -> String {
    let words: Vec<String> = text
        .split(|char: char| char.is_whitespace() || char.is_control())
        .map(|word| word.chars().filter(|char| !is_invisible(*char)).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect();
    let text = words.join(" ");
    let mut end = text.len().min(NAME_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim_end().to_owned()
}

/// Turns the direction of what follows.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text, or a `tel:` URI (RFC 3966). Whether any phone has it is for others to say.
fn phone(value: &str) -> Option<String> {
    let value = value.trim();
    let value = match value.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => &value[4..],
        _ => value,
    };
    let number = plain(value.split(';').next().unwrap_or_default());
    let number: String = number.chars().filter(|char| !is_invisible(*char)).collect();
    let number = number.trim();
    let allowed =
        |char: char| char.is_ascii_digit() || matches!(char, '+' | ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/');
    let good = number.len() <= PHONE_TEXT_MAX_BYTES
        && number.chars().all(allowed)
        && number.chars().any(|char| char.is_ascii_digit());
    good.then(|| number.replace(['\u{a0}', '/'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card(lines: &str) -> String {
        format!("BEGIN:VCARD\r\nVERSION:3.0\r\n{lines}\r\nEND:VCARD\r\n")
    }

    fn only(lines: &str) -> Card {
        let Vcard { cards, skipped } = read(card(lines).as_bytes()).unwrap();
        assert_eq!((cards.len(), skipped), (1, vec![]), "{lines}");
        cards.into_iter().next().unwrap()
    }

    #[test]
    fn names_and_numbers_are_found_however_they_are_written() {
        let both = only("FN:Ann de Vries\r\nTEL;TYPE=CELL:+31 6 1234-5678\r\nitem1.TEL;TYPE=\"home:x\":020 123 4567");
        assert_eq!((both.line, both.name.as_str()), (1, "Ann de Vries"));
        assert_eq!(both.phones, ["+31 6 1234-5678", "020 123 4567"]);
        assert_eq!(only("N:Vries\\;X;Ann;;Dr.;\nTEL;VALUE=uri:tel:+31-6-12345678;ext=5").name, "Dr. Ann Vries;X");
        assert_eq!(only("N:Vries;Ann;;;\nTEL;VALUE=uri:TEL:+31-6-12345678;ext=5").phones, ["+31-6-12345678"]);
        assert_eq!(only("FN:Smith\\, Bob \\n & so\r\n n\nTEL:1234567\nTEL:1234567").name, "Smith, Bob & son");
        assert_eq!(only("FN:\u{202e}evil\u{1b}[2J\u{7}name\nTEL:1234567").name, "evil [2J name");
        assert!(only(&format!("FN:{}\nTEL:1234567", "ö".repeat(60))).name.len() <= NAME_MAX_BYTES);
    }

    #[test]
    fn what_cannot_be_taken_says_where_and_why_and_the_rest_comes_in() {
        let file = [
            &card("FN:No number") as &str,
            &card("TEL:+31612345678"),
            "BEGIN:VCARD\nVERSION:2.1\nFN:Old\nTEL:+31612345678\nEND:VCARD\n",
            &card("FN:Good\nTEL:fax\nTEL:+31612345679"),
            "BEGIN:VCARD\nVERSION:4.0\nFN:Never ends\n",
            &card("FN:Last\nTEL:+31612345670"),
            "BEGIN:VCARD\nVERSION:4.0\nFN:Cut\nTEL:+316",
        ]
        .concat();
        let Vcard { cards, skipped } = read(file.as_bytes()).unwrap();
        let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
        assert_eq!(names, ["Good", "Last"]);
        let told: Vec<String> = skipped.iter().map(|Skipped { line, why }| format!("{line}: {why}")).collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn files_that_are_something_else_are_refused_as_a_whole() {
        assert_eq!(read(b""), Err(VcardError::NotVcard));
        assert_eq!(read(b"name,phone\nAnn,+31612345678\n"), Err(VcardError::NotVcard));
        assert_eq!(read(b"\x89PNG\r\n\x1a\n\xff\xfe"), Err(VcardError::NotText));
        assert_eq!(read(b"BEGIN:VCARD\0"), Err(VcardError::NotText));
        assert_eq!(read(&vec![b'x'; FILE_MAX_BYTES + 1]), Err(VcardError::TooLarge));
        assert_eq!(read("BEGIN:VCARD\n".repeat(CARDS_MAX + 1).as_bytes()), Err(VcardError::TooMany));
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(lines in proptest::collection::vec("(BEGIN:VCARD|END:VCARD|VERSION:4.0|FN:.{0,80}|N:.{0,20}|TEL.{0,40}| .{0,9}|.{0,20})", 0..30)) {
            if let Ok(Vcard { cards, .. }) = read(lines.join("\n").as_bytes()) {
                for card in cards {
                    prop_assert!(!card.name.is_empty() && card.name.len() <= NAME_MAX_BYTES);
                    prop_assert!(!card.name.chars().any(char::is_control));
                }
            }
        }
    }
}
