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

impl Phone {
    /// As people write numbers in their address books: one without a country code is of the country where `home` is.
    pub fn at_home(text: &str, home: Option<&Self>) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('+') {
            return text.parse();
        }
        let country = home
            .and_then(|home| phonenumber::parse(None, &home.0).ok())
            .and_then(|home| home.country().id())
            .ok_or("it has no country code")?;
        let number = phonenumber::parse(Some(country), text).map_err(|_| "this is not a phone number".to_owned())?;
        if !phonenumber::is_valid(&number) {
            return Err(format!("no phone has this number, neither in {country:?} nor elsewhere"));
        }
        Ok(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
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
    fn numbers_without_a_country_code_are_of_ones_own_country() {
        let dutch: Phone = "+31612345678".parse().unwrap();
        let american: Phone = "+12024561111".parse().unwrap();
        let at = |text: &str, home: &Phone| Phone::at_home(text, Some(home)).map(|phone| phone.0);
        assert_eq!(at("06 87 65 43 21", &dutch).as_deref(), Ok("+31687654321"));
        assert_eq!(at("0031 6 8765 4321", &dutch).as_deref(), Ok("+31687654321"));
        assert_eq!(at("(202) 456-1112", &american).as_deref(), Ok("+12024561112"));
        assert_eq!(at("+49 170 1234567", &american).as_deref(), Ok("+491701234567"));
        assert!(at("12", &dutch).is_err() && at("voicemail", &dutch).is_err());
        assert!(Phone::at_home("0687654321", None).is_err());
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
