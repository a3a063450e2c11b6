//! Text from other people, made harmless for a terminal.
//!
//! Escape sequences move the cursor, set titles or worse; bidirectional controls make text read as something else;
//! piles of combining marks paint over other lines. Nothing of that gets through: controls are shown as pictures, the
//! rest is dropped.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Marks on one character that living languages need; more is vandalism.
const MARKS_MAX: usize = 8;
/// Code points of one character: the longest emoji are joined of ten.
const JOINED_MAX: usize = 24;
const TAB: &str = "    ";

/// Text of one line: line breaks become a picture too.
pub fn line(text: &str) -> String {
    clean(text, "␤")
}

/// Text that may have several lines.
pub fn block(text: &str) -> String {
    clean(text, "\n")
}

fn clean(text: &str, line_break: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        if grapheme == "\r\n" {
            out.push_str(line_break);
            continue;
        }
        let mut marks = 0;
        for c in grapheme.chars().take(JOINED_MAX) {
            // Families and skin tones are long too, but they are joined of pictures, not of marks.
            let is_mark = c.width() == Some(0) && !matches!(c, '\u{200d}' | '\u{fe0f}');
            marks += usize::from(is_mark);
            match c {
                '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => out.push_str(line_break),
                '\t' => out.push_str(TAB),
                '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('�')),
                '\u{7f}' => out.push('␡'),
                '\u{80}'..='\u{9f}' => out.push('�'),
                c if is_invisible_trick(c) => {}
                _ if is_mark && marks > MARKS_MAX => {}
                c => out.push(c),
            }
        }
    }
    out
}

/// Bidirectional controls, and characters that take no room and mean nothing in a message. The joiners that emoji and
/// some scripts need stay.
pub fn is_invisible_trick(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' |
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{3164}' |
        '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

/// At most `width` columns, with an ellipsis where something was left out.
pub fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        if used + grapheme.width() + 1 > width {
            break;
        }
        used += grapheme.width();
        out.push_str(grapheme);
    }
    out.push('…');
    out
}

/// The words of a line, and the white space between them.
fn words_and_gaps(mut line: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let is_gap = line.starts_with(char::is_whitespace);
        let end = line.find(|c: char| c.is_whitespace() != is_gap).unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        line = rest;
        (!word.is_empty()).then_some(word)
    })
}

/// Breaks harmless text into lines of at most `width` columns: at spaces where there are some, else anywhere.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let (mut row, mut used) = (String::new(), 0);
        for word in words_and_gaps(paragraph) {
            let needed = word.width();
            if used + needed > width && used > 0 && needed <= width {
                lines.push(row.trim_end().to_owned());
                (row, used) = (String::new(), 0);
                if word.trim().is_empty() {
                    continue;
                }
            }
            if used + needed <= width {
                row.push_str(word);
                used += needed;
                continue;
            }
            for grapheme in word.graphemes(true) {
                if used + grapheme.width() > width && used > 0 {
                    lines.push(std::mem::take(&mut row));
                    used = 0;
                }
                row.push_str(grapheme);
                used += grapheme.width();
            }
        }
        lines.push(row.trim_end().to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_terminal_gets_through() {
        let hostile = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31mred\u{202e}evil\u{200b}\r\nnext\ttab\u{7f}";
        assert_eq!(line(hostile), "␛]0;title␇␛[2J�31mredevil␤next    tab␡");
        assert_eq!(block(hostile), "␛]0;title␇␛[2J�31mredevil\nnext    tab␡");
        for code in 0..=0x10_ffff_u32 {
            let Some(c) = char::from_u32(code) else { continue };
            let shown = line(&c.to_string());
            assert!(!shown.chars().any(|c| c.is_control() || is_invisible_trick(c)), "U+{code:04X}");
        }
    }

    #[test]
    fn emoji_stay_whole_and_piles_of_marks_do_not() {
        for emoji in ["👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇳🇱", "é", "नि", "👩🏿‍❤️‍💋‍👩🏿"]
        {
            assert_eq!(line(emoji), emoji);
        }
        assert!(line(&format!("a{}", "\u{301}".repeat(500))).chars().count() <= MARKS_MAX + 1);
    }

    #[test]
    fn lines_break_at_words_and_inside_long_ones() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one, (two)", 8), ["one,", "(two)"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\n\nb", 10), ["a", "", "b"]);
        assert_eq!(wrap("日本語テキスト", 4), ["日本", "語テ", "キス", "ト"]);
        assert_eq!(wrap("", 5), [""]);
        for width in 0..12 {
            for row in wrap("the quick 日本 brown-fox jumps 👨‍👩‍👧‍👦 over", width) {
                assert!(row.width() <= width.max(2), "{row:?} at {width}");
            }
        }
    }

    #[test]
    fn shortened_text_fits() {
        assert_eq!(shorten("hello", 5), "hello");
        assert_eq!(shorten("hello!", 5), "hell…");
        assert_eq!(shorten("日本語", 4), "日…");
    }
}
