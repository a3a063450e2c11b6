//! How people are named on the command line: by phone number.

use std::fmt;
use std::str::FromStr;
use tidings_client::Peer;

/// A valid number in E.164, as in `+31612345678`. Spaces, dashes and brackets are forgiven, a missing country code is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phone(String);

impl Phone {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of an account whose number is not known yet; no person has it.
    pub fn unknown() -> Self {
        Self("linking".into())
    }

    pub fn peer(&self) -> Peer {
        Peer::Phone(self.0.clone())
    }
}

impl FromStr for Phone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !text.starts_with('+') {
            return Err("a number starts with + and the country code, as in +31612345678".into());
        }
        if !text[1..].chars().all(|c| c.is_ascii_digit() || " -().".contains(c)) {
            return Err("a number has digits only, as in +31612345678".into());
        }
        let number = phonenumber::parse(None, text).map_err(|_| "this is not a phone number".to_owned())?;
        if !phonenumber::is_valid(&number) {
            return Err("no phone has this number; check the digits and the country code".into());
        }
        Ok(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_brought_to_one_form() {
        assert_eq!("+31 6 1234 5678".parse::<Phone>().unwrap().as_str(), "+31612345678");
        assert_eq!("+31 (0)6-12345678".parse::<Phone>().unwrap().as_str(), "+31612345678");
    }

    #[test]
    fn what_is_no_number_says_why() {
        for (text, why) in [("0612345678", "starts with +"), ("+", "not a phone number"), ("+3161234", "no phone has")]
        {
            let error = text.parse::<Phone>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!("+31612345678\u{1b}[2J".parse::<Phone>().is_err());
        assert!("+31612345678/../x".parse::<Phone>().is_err());
    }
}
