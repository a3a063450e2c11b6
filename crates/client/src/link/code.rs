//! The code that a new device shows: `tidings:link#` and, in base64url, `1 version | 16 place | 32 secret | 32 public key`.
//! It works once and for minutes, but whoever sees it meanwhile can pretend to be the old device: show it to nobody.

use crate::error::ClientError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidings_proto::id::LinkId;
use zeroize::Zeroizing;

const PREFIX: &str = "tidings:link#";
const VERSION: u8 = 1;
const BYTES: usize = 1 + 16 + 32 + 32;
/// Longer texts are no code.
const TEXT_MAX_BYTES: usize = 1_024;

pub(crate) struct Code {
    pub link: LinkId,
    /// Never crosses the network.
    pub secret: Zeroizing<[u8; 32]>,
    /// X25519, of the new device.
    pub public: [u8; 32],
}

impl Code {
    pub fn encode(&self) -> String {
        let bytes = [&[VERSION][..], self.link.as_bytes(), &self.secret[..], &self.public].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Also what stands after the `#` alone, and with the blanks and line breaks of a copied terminal.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::NotAllowed { why: format!("this is no code of a new device: {why}") };
        if text.len() > TEXT_MAX_BYTES {
            return Err(wrong("it is too long"));
        }
        let plain: String = text.chars().filter(|char| !char.is_whitespace()).collect();
        let rest = plain.split_once('#').map_or(plain.as_str(), |(_, rest)| rest);
        let bytes = URL_SAFE_NO_PAD.decode(rest).map(Zeroizing::new).map_err(|_| wrong("it has other signs"))?;
        if bytes.first().is_some_and(|version| *version > VERSION) {
            return Err(wrong("it is of a newer version; update this device"));
        }
        if bytes.len() != BYTES || bytes[0] != VERSION {
            return Err(wrong("it is not complete"));
        }
        let field = |start: usize| -> [u8; 32] { bytes[start..start + 32].try_into().expect("the length was checked") };
        let link = LinkId::from_slice(&bytes[1..17]).ok_or_else(|| wrong("it is not complete"))?;
        Ok(Self { link, secret: Zeroizing::new(field(17)), public: field(49) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_and_what_is_wrong_with_one_is_said() {
        let code = Code { link: LinkId::from_bytes([1; 16]), secret: Zeroizing::new([2; 32]), public: [3; 32] };
        let text = code.encode();
        insta::assert_snapshot!(text);
        let bare = text.strip_prefix(PREFIX).unwrap();
        for text in [text.clone(), bare.to_owned(), format!(" {}\n {}\n", &text[..40], &text[40..])] {
            let read = Code::parse(&text).unwrap();
            assert_eq!((read.link, *read.secret, read.public), (code.link, *code.secret, code.public));
        }
        let newer = URL_SAFE_NO_PAD.encode([2; BYTES]);
        for (text, expected) in [
            ("", "not complete"),
            (&text[..60], "not complete"),
            ("no code!", "other signs"),
            (&newer, "newer version"),
        ] {
            let Err(ClientError::NotAllowed { why }) = Code::parse(text).map(drop) else { panic!("{text}") };
            assert!(why.contains(expected), "{text}: {why}");
        }
        assert!(Code::parse(&"A".repeat(5_000)).is_err());
    }
}
