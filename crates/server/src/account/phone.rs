//! Phone numbers, E.164, as the world's numbering plans allow them.

use crate::error::{Error, Result};
use std::fmt;
use tidings_proto::problem::Code;

/// Longer texts are no phone number, however they are written.
const TEXT_MAX_BYTES: usize = 40;

/// A valid number in its one canonical form, as in `+31612345678`.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// Takes spaces, dashes and brackets too; the country code must be there.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || Error::new(Code::InvalidPhone, "This is not a valid phone number; write it as +31612345678.");
        let text = text.trim();
        if text.len() > TEXT_MAX_BYTES || !text.starts_with('+') || !text[1..].chars().all(allowed) {
            return Err(invalid());
        }
        let number = phonenumber::parse(None, text).map_err(|_| invalid())?;
        if !number.is_valid() {
            return Err(invalid());
        }
        Ok(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn allowed(character: char) -> bool {
    character.is_ascii_digit() || matches!(character, ' ' | '-' | '(' | ')' | '.')
}

/// Numbers are not shown in logs.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_number_has_one_form() {
        for text in ["+31612345678", " +31 6 1234 5678 ", "+31 (0)6-12345678", "+31 6-12.34.56.78"] {
            assert_eq!(Phone::parse(text).unwrap().as_str(), "+31612345678", "{text}");
        }
        assert_eq!(Phone::parse("+1 202-456-1111").unwrap().as_str(), "+12024561111");
    }

    #[test]
    fn what_no_phone_answers_to_is_invalid() {
        for text in [
            "",
            "+",
            "0612345678",
            "31612345678",
            "+3161234567",
            "+316123456789",
            "+999123456789",
            "+31612345678;ext=5",
            "+٣١٦١٢٣٤٥٦٧٨",
            "+31612345678\n+31612345679",
        ] {
            assert_eq!(Phone::parse(text).unwrap_err().code, Code::InvalidPhone, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_canonical_forms_stay(text in "\\+?[0-9 ().+-]{0,42}|.{0,42}") {
            if let Ok(phone) = Phone::parse(&text) {
                prop_assert_eq!(Phone::parse(phone.as_str()).unwrap(), phone);
            }
        }
    }
}
