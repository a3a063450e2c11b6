//! `tidings status`

use super::{catch_up, open, status};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::feed::word;
use crate::profile::Profile;
use crate::show::out;
use clap::Args;
use serde_json::json;
use tidings_client::event::Connection;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings status
  tidings status --json")]
pub struct Status {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let (profile, handle) = open(common, &[]).await?;
        let result = self.show(&profile, &handle).await;
        handle.close().await;
        result
    }

    async fn show(&self, profile: &Profile, handle: &Handle) -> Result<(), Failure> {
        catch_up(handle).await?;
        let status = status(handle).await?;
        let account = status.account.map(|it| it.to_string());
        let device = status.device.map(|it| it.to_string());
        if self.json {
            return out::json(&json!({
                "phone": profile.phone.as_str(),
                "account": account,
                "device": device,
                "server": profile.server.as_str(),
                "folder": profile.folder,
                "connection": word(status.connection),
                "outbox": status.outbox,
                "unread": status.unread,
                "unread_muted": status.unread_muted,
                "lock_opens_ms": status.lock_reset_ms,
            }));
        }
        let connection = match status.connection {
            Connection::Offline => "cannot be reached now".to_owned(),
            Connection::Live => "connected".to_owned(),
            other => word(other).replace('_', " "),
        };
        out::line(&format!("Account   {}  {}", profile.phone, account.unwrap_or_default()))?;
        out::line(&format!("Device    {}", device.unwrap_or_default()))?;
        out::line(&format!("Server    {}  {connection}", profile.server))?;
        out::line(&format!("Folder    {}", profile.folder.display()))?;
        let muted = match status.unread_muted {
            0 => String::new(),
            muted => format!("  ({muted} in muted conversations)"),
        };
        out::line(&format!("Unread    {}{muted}", status.unread))?;
        out::line(&format!("To send   {}", status.outbox))?;
        match status.lock_reset_ms {
            Some(_) => out::line("Lock      somebody says that they forgot your PIN; see: tidings lock status"),
            None => Ok(()),
        }
    }
}
