//! `tidings backup status`

use crate::Common;
use crate::command::{unexpected, with};
use crate::failure::Failure;
use crate::show::{out, time};
use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;
use tidings_client::{Command, Reply};
use tidings_proto::backup::SecretKind;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings backup status
  tidings backup status --json")]
pub struct Status {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let backup = with(common, &[], async |handle| match handle.call(Command::BackupStatus).await? {
            Reply::Backup(backup) => Ok(backup),
            other => Err(unexpected(&other)),
        })
        .await?;
        if self.json {
            return out::line(&json!(backup).to_string());
        }
        let Some(secret) = backup.secret else {
            return out::line("This device makes no backup. Begin with: tidings backup set-code");
        };
        let what = match secret {
            SecretKind::Code => "recovery code",
            SecretKind::Passphrase => "passphrase",
        };
        match backup.made_ms {
            Some(made_ms) => {
                let when = time::date_and_clock(made_ms, &TimeZone::system());
                let amount = amount(backup.messages, backup.bytes);
                out::line(&format!("Backed up {when}: {amount}. It opens with your {what}."))?;
            }
            None => out::line("No backup is complete yet. Make one with: tidings backup")?,
        }
        if backup.pending > 0 {
            out::line("There is news since; it goes along with the next one.")?;
        }
        if backup.prove {
            out::line(&format!("Do you still know the {what}? Try it with: tidings backup check"))?;
        }
        Ok(())
    }
}

/// As in `1,234 messages in 56 KB`.
pub fn amount(messages: u64, bytes: u64) -> String {
    let messages = if messages == 1 { "1 message".to_owned() } else { format!("{} messages", grouped(messages)) };
    format!("{messages} in {} KB", grouped(bytes.div_ceil(1_000)))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        assert_eq!(amount(1, 999), "1 message in 1 KB");
        assert_eq!(amount(1_234_567, 1_234_567_890), "1,234,567 messages in 1,234,568 KB");
        assert_eq!(amount(0, 0), "0 messages in 0 KB");
    }
}
