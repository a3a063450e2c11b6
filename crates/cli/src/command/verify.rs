//! `tidings verify`: the safety number.

use super::{open, unexpected};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::person::Phone;
use crate::show::out;
use clap::Args;
use tidings_client::{Command, Reply};

/// Digits are read aloud in groups.
const GROUP_DIGITS: usize = 5;
const GROUPS_PER_LINE: usize = 4;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings verify +31687654321               shows the safety number
  tidings verify +31687654321 --confirm     after you have compared it

Both of you see the same number, unless somebody sits between you: compare it face to face or in a call, not in a
message. It changes when the other person starts anew on another device; the chat says so.")]
pub struct Verify {
    /// Whose safety number
    who: Phone,
    /// The number was compared and it is the same
    #[arg(long)]
    confirm: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let (_, handle) = open(common, &[&self.who]).await?;
        let result = self.show(&handle).await;
        handle.close().await;
        result
    }

    async fn show(&self, handle: &Handle) -> Result<(), Failure> {
        if self.confirm {
            handle.call(Command::MarkVerified { who: self.who.peer() }).await?;
        }
        let (digits, verified) = match handle.call(Command::SafetyNumber { who: self.who.peer() }).await? {
            Reply::SafetyNumber { digits, verified } => (digits, verified),
            other => return Err(unexpected(&other)),
        };
        if self.json {
            return out::json(&serde_json::json!({ "safety_number": digits, "verified": verified }));
        }
        out::line(&format!("Safety number with {}:\n", self.who))?;
        for row in rows(&digits) {
            out::line(&format!("    {row}"))?;
        }
        match verified {
            true => out::line("\nYou have confirmed it."),
            false => out::line(&format!(
                "\nNot confirmed yet. If {} sees the same digits: tidings verify {} --confirm",
                self.who, self.who
            )),
        }
    }
}

/// The digits in groups, on lines.
pub fn rows(digits: &str) -> Vec<String> {
    let digits: Vec<char> = digits.chars().filter(char::is_ascii_digit).collect();
    let groups: Vec<String> = digits.chunks(GROUP_DIGITS).map(|group| group.iter().collect()).collect();
    groups.chunks(GROUPS_PER_LINE).map(|row| row.join(" ")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_grouped_for_reading_aloud() {
        let digits = "0123456789".repeat(6);
        assert_eq!(super::rows(&digits), vec!["01234 56789 01234 56789"; 3]);
        assert_eq!(super::rows("1234 567"), ["12345 67"]);
    }
}
