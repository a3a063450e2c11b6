//! Link previews, made by who sends: the page behind the first link of a text is fetched once, here, and what it says of
//! itself travels inside the message. So the people who get it fetch nothing, and nobody learns who they are.
//!
//! * [`fetch`]: with bounds on time, size and where it may lead. * [`page`]: what a page says of itself.

mod fetch;
mod page;

pub use fetch::Reach;

use reqwest::Url;
use tidings_client::content::{LinkPreview, URL_MAX_BYTES};

/// The preview of the first link in this text. `None`: there is none, or nothing to be had; then the text goes without.
pub async fn of(text: &str, reach: Reach) -> Option<Box<LinkPreview>> {
    let url = first_link(text).filter(|url| url.as_str().len() <= URL_MAX_BYTES)?;
    let html = match fetch::page(&url, reach).await {
        Ok(html) => html,
        Err(error) => {
            tracing::debug!(%error, "no preview");
            return None;
        }
    };
    let said = page::read(&html);
    let (title, description) = (said.title?, said.description);
    Some(Box::new(LinkPreview { url: url.into(), title, description, picture: None }))
}

/// The first word that begins with http:// or https://, without the punctuation that ends a sentence.
fn first_link(text: &str) -> Option<Url> {
    let word = text.split_whitespace().map(|word| word.trim_start_matches(['(', '<', '"', '\''])).find(|word| {
        let lower = word.get(..8).unwrap_or(word).to_ascii_lowercase();
        lower.starts_with("http://") || lower.starts_with("https://")
    })?;
    let url = Url::parse(word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '>', '"', '\''])).ok()?;
    // Whoever puts a password into a link does not mean it for a page of somebody else.
    (url.has_host() && url.username().is_empty() && url.password().is_none()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_link_of_a_text_is_found() {
        for (text, link) in [
            ("see https://example.org/a?b=c.", Some("https://example.org/a?b=c")),
            ("(HTTP://example.org), or http://other.example", Some("http://example.org/")),
            ("ftp://example.org example.org https://", None),
            ("https://user:secret@example.org", None),
            ("é https", None),
        ] {
            assert_eq!(first_link(text).map(|url| url.to_string()).as_deref(), link, "{text}");
        }
    }
}
