//! The words of a message, as the full-text index holds them and as a search asks for them: the same folding for both.
//! Whoever changes it has to make the index anew (a migration: `DELETE FROM search`, then `UPDATE message SET text = text`).
//!
//! * SQLite's `unicode61` makes words of letters, numbers and combining marks, without case and Latin accents.
//! * What it does not know is done here. Scripts that are written without spaces (Chinese, Japanese, Thai, …): each
//!   character is a word, and what is asked for has to stand there as it was typed, so any part of a text is found,
//!   also a single character. Greek and Russian accents and the vowel points of Arabic and Hebrew go, variants of Arabic
//!   letters are one, and an Arabic word is found without its article too. All others, Hindi and Korean too, are found by the beginnings of their words.

use crate::content::Content;
use crate::message::Kind;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use tidings_proto::id::MessageId;

/// Words of one search. More make it only slower.
const QUERY_WORDS_MAX: usize = 32;

/// Teaches a connection the function of the triggers: `message_words(kind, text, message, detail)`, NULL if there is
/// nothing to find.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("message_words", 4, flags, |row| {
        let (kind, text): (u8, Option<String>) = (row.get(0)?, row.get(1)?);
        let Some(text) = text else { return Ok(None) };
        let kind = Kind::from_u8(kind);
        if kind != Kind::Poll {
            return Ok(of_message(kind, &text));
        }
        let (message, detail): ([u8; 16], Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
        Ok(of_message(kind, &(text + &answers(MessageId::from_bytes(message), detail.as_deref()))))
    })
}

/// Of a poll: what can be chosen is found too.
fn answers(message: MessageId, detail: Option<&[u8]>) -> String {
    match detail.map(|detail| Content::decode(detail, message)) {
        Some(Ok(Content::Poll(poll))) => poll.options.iter().flat_map(|option| ["\n", option]).collect(),
        _ => String::new(),
    }
}

fn of_message(kind: Kind, text: &str) -> Option<String> {
    match kind {
        Kind::Text | Kind::Poll | Kind::Location | Kind::Contact => Some(index(text)).filter(|words| !words.is_empty()),
        _ => None,
    }
}

/// What of a text goes into the index: words with blanks between them.
fn index(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    for word in words(text) {
        let parts: Vec<&str> = match &word {
            Word::Spaced(word) => std::iter::once(word.as_str()).chain(without_article(word)).collect(),
            Word::Unspaced(characters) => characters.iter().map(String::as_str).collect(),
        };
        for part in parts {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(part);
        }
    }
    out
}

/// An expression for `MATCH` that finds texts with all these words; `None` if there is no word in it.
pub(crate) fn query(text: &str) -> Option<String> {
    let all: Vec<String> = words(text)
        .into_iter()
        .take(QUERY_WORDS_MAX)
        .map(|word| match word {
            Word::Spaced(word) => format!("\"{word}\"*"),
            Word::Unspaced(characters) => format!("\"{}\"", characters.join(" ")),
        })
        .collect();
    (!all.is_empty()).then(|| all.join(" "))
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Spaced(String),
    /// A run of characters of a script without spaces, each with the marks on it.
    Unspaced(Vec<String>),
}

fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut open = false;
    for char in text.chars().filter(|char| !is_dropped(*char)).map(fold) {
        let marks = is_mark(char);
        if !(char.is_alphanumeric() || marks) {
            open = false;
            continue;
        }
        match words.last_mut().filter(|_| open) {
            Some(Word::Unspaced(run)) if marks => run.last_mut().expect("a run has a character").push(char),
            Some(Word::Unspaced(run)) if is_unspaced(char) => run.push(char.to_string()),
            Some(Word::Spaced(word)) if !is_unspaced(char) => word.push(char),
            _ if is_unspaced(char) => words.push(Word::Unspaced(vec![char.to_string()])),
            _ => words.push(Word::Spaced(char.to_string())),
        }
        open = true;
    }
    words
}

/// Marks that people leave out or cannot see: Latin accents, Hebrew and Arabic points, the Arabic stretch, joiners.
fn is_dropped(char: char) -> bool {
    matches!(char,
        '\u{0300}'..='\u{036f}' | '\u{0591}'..='\u{05bd}' | '\u{05bf}' | '\u{05c1}'..='\u{05c2}' | '\u{05c4}'..='\u{05c7}'
        | '\u{0610}'..='\u{061a}' | '\u{0640}' | '\u{064b}'..='\u{065f}' | '\u{0670}' | '\u{06d6}'..='\u{06ed}'
        | '\u{00ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Letters that are typed for one another.
fn fold(char: char) -> char {
    match char {
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' | 'ی' | 'ئ' => 'ي',
        'ة' => 'ه',
        'ک' => 'ك',
        'ؤ' => 'و',
        'ά' | 'Ά' => 'α',
        'έ' | 'Έ' => 'ε',
        'ή' | 'Ή' => 'η',
        'ί' | 'ϊ' | 'ΐ' | 'Ί' | 'Ϊ' => 'ι',
        'ό' | 'Ό' => 'ο',
        'ύ' | 'ϋ' | 'ΰ' | 'Ύ' | 'Ϋ' => 'υ',
        'ώ' | 'Ώ' => 'ω',
        'ς' => 'σ',
        'ё' | 'Ё' => 'е',
        'й' | 'Й' => 'и',
        // Full-width forms of ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(char as u32 - 0xfee0).unwrap_or(char),
        other => other,
    }
}

/// Signs that stand on a letter, of scripts whose signs are no letters to Rust.
fn is_mark(char: char) -> bool {
    matches!(char, '\u{0900}'..='\u{0dff}' | '\u{0e31}'..='\u{0e3a}' | '\u{0e47}'..='\u{0e4e}' | '\u{0eb1}'..='\u{0ebc}'
        | '\u{0ec8}'..='\u{0ece}' | '\u{102b}'..='\u{103e}' | '\u{17b4}'..='\u{17d3}' | '\u{3099}'..='\u{309a}')
        && !char.is_alphabetic()
        && !matches!(char, '\u{0964}'..='\u{0965}' | '\u{0970}')
        || matches!(char, '\u{0e31}' | '\u{0e34}'..='\u{0e3a}' | '\u{0e47}'..='\u{0e4e}')
}

/// Of a script that is written without spaces between words.
fn is_unspaced(char: char) -> bool {
    matches!(char,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}' | '\u{3105}'..='\u{312f}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

/// An Arabic word without what is written together with it: article, "and", "with", "for".
fn without_article(word: &str) -> Option<&str> {
    let bare = ["وال", "بال", "فال", "كال", "ال", "لل"].into_iter().find_map(|article| word.strip_prefix(article))?;
    (bare.chars().count() >= 2).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(said: &str, asked: &str) -> bool {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let schema = include_str!("schema/1.sql");
        let begin = schema.find("CREATE VIRTUAL TABLE search").unwrap();
        connection.execute_batch(&schema[begin..][..schema[begin..].find(';').unwrap()]).unwrap();
        connection
            .execute(
                "INSERT INTO search (words) VALUES (message_words(0, ?1, x'00000000000000000000000000000000', NULL))",
                [said],
            )
            .unwrap();
        let Some(query) = query(asked) else { return false };
        connection.query_row("SELECT count(*) FROM search WHERE search MATCH ?1", [query], |row| row.get(0)).unwrap()
    }

    #[test]
    fn words_are_found_as_people_type_them() {
        for (said, asked) in [
            ("See you at the Café, 8 o'clock", "cafe SEE"),
            ("See you at the cafe", "café"),
            ("cafe\u{301} au lait", "café"),
            ("Straßenfest in Zürich", "zuri stra"),
            ("the code is 4711", "47"),
            ("call +31612345678", "+3161234"),
            ("look: https://example.org/a-path?x=1", "example.org/a-path"),
            ("Ελληνικά γράμματα", "ελληνικα"),
            ("ΓΡΆΜΜΑ προς", "γράμμα ΠΡΟΣ"),
            ("Привет, ёлка", "ПРИВЕТ елка"),
            ("don't", "don't"),
            ("나는 서울에 있어요", "서울"),
            ("我们明天在北京见面", "北京"),
            ("我们明天在北京见面", "见"),
            ("東京タワーで会いましょう", "タワー"),
            ("版本2发布了", "版本2"),
            ("สวัสดีครับ", "ครับ"),
            ("नमस्ते दुनिया", "दुनि"),
            ("नमस्ते दुनिया", "नमस्ते"),
            ("قرأت الكتاب أمس", "كتاب"),
            ("قرأت الكتاب أمس", "الكتاب"),
            ("كِتَابٌ جديد", "كتاب"),
            ("مدرسة", "مدرسه"),
            ("می‌خواهم بروم", "می‌خواهم"),
            ("שָׁלוֹם עולם", "שלום"),
            ("ＡＢＣ１２３", "abc123"),
        ] {
            assert!(found(said, asked), "{asked:?} in {said:?}");
        }
    }

    #[test]
    fn what_does_not_stand_there_is_not_found() {
        for (said, asked) in [
            ("See you at the Café", "cafe tomorrow"),
            ("我们明天在北京见面", "京北"),
            ("नमस्ते", "नमक"),
            ("hello", "ello"),
            ("hello", ""),
            ("hello", " …🎂 "),
        ] {
            assert!(!found(said, asked), "{asked:?} in {said:?}");
        }
    }

    #[test]
    fn no_search_is_an_error() {
        let long = "a ".repeat(10_000);
        for asked in ["\"", "a\"b", "a AND", "NEAR(a b)", "a*", "-a", "words: a", "^a", "(", "\u{0}a", "َ", &long] {
            found("a b words near and", asked);
        }
        assert!(found("a b words near and", "a* AND \"b\" NEAR("));
    }

    #[test]
    fn only_what_people_said_has_words() {
        assert_eq!(of_message(Kind::Text, "Hello, you"), Some("Hello you".into()));
        for kind in [Kind::Deleted, Kind::Unreadable, Kind::Notice, Kind::Unknown] {
            assert_eq!(of_message(kind, "hello"), None);
        }
        assert_eq!(of_message(Kind::Text, "…"), None);
    }
}
