//! What a page says of itself: its Open Graph title and description (ogp.me), else its own title and description.
//!
//! No HTML parser: the head is read tag by tag, scripts and comments are skipped, and what is odd is not understood.

use tidings_client::content::{PREVIEW_DESCRIPTION_MAX_BYTES, PREVIEW_TITLE_MAX_BYTES};

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub title: Option<String>,
    pub description: Option<String>,
}

pub fn read(html: &str) -> Said {
    let (mut title, mut og_title, mut description, mut og_description) = (None, None, None, None);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let Some(end) = tag_end(rest) else { break };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        let name: String = tag.chars().take_while(|c| !c.is_whitespace() && *c != '>').collect();
        match name.to_ascii_lowercase().as_str() {
            "body" | "/head" => break,
            "script" | "style" | "noscript" => rest = after_end(rest, &name),
            "title" if title.is_none() => {
                title = Some(rest.split_once('<').map_or(rest, |(text, _)| text).to_owned());
            }
            "meta" => {
                let about = attribute(tag, "property").or_else(|| attribute(tag, "name")).unwrap_or_default();
                let content = attribute(tag, "content");
                match about.to_ascii_lowercase().as_str() {
                    "og:title" => og_title = og_title.or(content),
                    "og:description" => og_description = og_description.or(content),
                    "description" => description = description.or(content),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let tidy = |text: Option<String>, max| text.map(|text| tidy(&text, max)).filter(|text| !text.is_empty());
    Said {
        title: tidy(og_title, PREVIEW_TITLE_MAX_BYTES).or_else(|| tidy(title, PREVIEW_TITLE_MAX_BYTES)),
        description: tidy(og_description, PREVIEW_DESCRIPTION_MAX_BYTES)
            .or_else(|| tidy(description, PREVIEW_DESCRIPTION_MAX_BYTES)),
    }
}

/// Where the tag that begins here ends: at the first `>` outside quotes.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

/// From the closing tag of this name on.
fn after_end<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at..];
        let found = rest.get(2..2 + name.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return rest;
        }
        rest = &rest[2..];
    }
    ""
}

fn attribute(tag: &str, wanted: &str) -> Option<String> {
    let mut rest = tag.split_once(char::is_whitespace)?.1;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        let name = &rest[..end];
        rest = rest[end..].trim_start();
        let Some(after) = rest.strip_prefix('=') else { continue };
        let after = after.trim_start();
        let (value, left) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
            _ => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value.to_owned());
        }
        rest = left;
    }
}

/// On one line, cut where it is too long, with entities as the signs that they stand for.
fn tidy(text: &str, max_bytes: usize) -> String {
    let text = entities(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut line: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    line.truncate(line.floor_char_boundary(max_bytes));
    line
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.char_indices().take(ENTITY_MAX_CHARS).find(|(_, c)| *c == ';').map(|(end, _)| end);
        match end.and_then(|end| Some((end, sign(&rest[1..end])?))) {
            Some((end, sign)) => {
                out.push(sign);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

const ENTITY_MAX_CHARS: usize = 12;

fn sign(entity: &str) -> Option<char> {
    if let Some(number) = entity.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(title: Option<&str>, description: Option<&str>) -> Said {
        Said { title: title.map(str::to_owned), description: description.map(str::to_owned) }
    }

    #[test]
    fn a_page_says_its_title_and_what_it_is_about() {
        let html = r#"<!doctype html><html><head><!-- <title>no</title> -->
            <script>var x = "<title>no</title>";</script>
            <TITLE>
              Caf&eacute; &amp; more &#8211; <b></title>
            <meta name=description content='All of "it"'>
            </head><body><title>no</title>"#;
        assert_eq!(read(html), said(Some("Caf&eacute; & more –"), Some("All of \"it\"")));
        let html = r#"<meta content="Better &lt;title>" property="og:title"/><title>Worse</title>"#;
        assert_eq!(read(html), said(Some("Better <title>"), None));
    }

    #[test]
    fn what_is_broken_is_not_understood_and_does_no_harm() {
        let long = format!("<title>{}</title>", "x".repeat(10_000));
        assert_eq!(read(&long).title.map(|title| title.len()), Some(PREVIEW_TITLE_MAX_BYTES));
        for html in
            ["", "<", "<title", "<meta", "<meta content=", "<meta property='og:title", "<!--", "<script>", "&#x;"]
        {
            assert_eq!(read(html), Said::default(), "{html}");
        }
        assert_eq!(read("<title>a&#x1b;b</title>").title.as_deref(), Some("ab"));
    }
}
