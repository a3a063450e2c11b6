//! The input line: text, a cursor, and the keys that people expect of a shell.

use crate::show::text;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};
use unicode_width::UnicodeWidthStr;

#[derive(Debug, Default)]
pub struct LineEdit {
    text: String,
    /// A byte index between two characters as people count them.
    cursor: usize,
}

impl LineEdit {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    pub fn insert(&mut self, text: &str) {
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
        // A combining mark joins what stands before it.
        self.cursor = self.boundary_at_or_after(self.cursor);
    }

    pub fn backspace(&mut self) {
        let from = self.previous();
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    pub fn delete(&mut self) {
        let to = self.next();
        self.text.replace_range(self.cursor..to, "");
    }

    pub fn left(&mut self) {
        self.cursor = self.previous();
    }

    pub fn right(&mut self) {
        self.cursor = self.next();
    }

    pub fn home(&mut self) {
        self.cursor = 0;
    }

    pub fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub fn word_left(&mut self) {
        let mut words = self.text[..self.cursor].unicode_word_indices();
        self.cursor = words.next_back().map_or(0, |(start, _)| start);
    }

    pub fn word_right(&mut self) {
        let after = &self.text[self.cursor..];
        let word = after.unicode_word_indices().next();
        self.cursor = word.map_or(self.text.len(), |(start, word)| self.cursor + start + word.len());
    }

    pub fn delete_word(&mut self) {
        let to = self.cursor;
        self.word_left();
        self.text.replace_range(self.cursor..to, "");
    }

    pub fn delete_to_start(&mut self) {
        self.text.replace_range(..self.cursor, "");
        self.cursor = 0;
    }

    pub fn delete_to_end(&mut self) {
        self.text.truncate(self.cursor);
    }

    /// What to show in so many columns, and in which of them the cursor stands.
    pub fn shown(&self, columns: usize) -> (String, usize) {
        let before = text::line(&self.text[..self.cursor]);
        let after = text::line(&self.text[self.cursor..]);
        let (mut out, mut used) = (Vec::new(), 0);
        // The cursor needs a column too.
        for grapheme in before.graphemes(true).rev() {
            if used + grapheme.width() + 1 > columns {
                break;
            }
            used += grapheme.width();
            out.push(grapheme);
        }
        out.reverse();
        let cursor = used;
        for grapheme in after.graphemes(true) {
            if used + grapheme.width() > columns {
                break;
            }
            used += grapheme.width();
            out.push(grapheme);
        }
        (out.concat(), cursor)
    }

    fn previous(&self) -> usize {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn next(&self) -> usize {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    fn boundary_at_or_after(&self, index: usize) -> usize {
        let mut cursor = GraphemeCursor::new(index, self.text.len(), true);
        match cursor.is_boundary(&self.text, 0) {
            Ok(true) | Err(_) => index,
            Ok(false) => cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LineEdit {
        let mut line = LineEdit::default();
        line.insert(text);
        line
    }

    #[test]
    fn what_people_see_as_one_character_goes_as_one() {
        let mut it = line("a👨‍👩‍👧‍👦é");
        it.backspace();
        assert_eq!(it.text(), "a👨‍👩‍👧‍👦");
        it.left();
        it.insert("b");
        assert_eq!(it.text(), "ab👨‍👩‍👧‍👦");
        it.delete();
        assert_eq!(it.text(), "ab");
        it.backspace();
        it.backspace();
        it.backspace();
        assert_eq!((it.text(), it.cursor), ("", 0));
    }

    #[test]
    fn words_are_stepped_over_and_deleted() {
        let mut it = line("see you at eight");
        it.word_left();
        it.delete_to_end();
        assert_eq!(it.text(), "see you at ");
        it.delete_word();
        assert_eq!(it.text(), "see you ");
        it.home();
        it.word_right();
        it.delete_to_start();
        assert_eq!(it.text(), " you ");
    }

    #[test]
    fn a_long_line_shows_the_part_with_the_cursor() {
        let mut it = line("0123456789");
        assert_eq!(it.shown(5), ("6789".into(), 4));
        it.home();
        assert_eq!(it.shown(5), ("01234".into(), 0));
        assert_eq!(line("日本").shown(4), ("本".into(), 2));
        assert_eq!(line("a\nb\u{1b}").shown(20).0, "a␤b␛");
        assert_eq!(line("abc").shown(0), (String::new(), 0));
    }

    #[test]
    fn no_sequence_of_keys_breaks_it() {
        let mut it = line("e\u{301}🇳🇱 \u{200d}x");
        for round in 0..50 {
            match round % 9 {
                0 => it.left(),
                1 => it.insert("\u{301}"),
                2 => it.word_left(),
                3 => it.insert("👍🏽"),
                4 => it.delete(),
                5 => it.right(),
                6 => it.word_right(),
                7 => it.backspace(),
                _ => it.delete_word(),
            }
            assert!(it.text.is_char_boundary(it.cursor));
            it.shown(round);
        }
    }
}
