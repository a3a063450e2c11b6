//! `tidings devices`: the account's devices.

use super::{unexpected, with};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::{out, text, time};
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use tidings_client::{Command, Reply, view};
use tidings_proto::id::DeviceId;
use tidings_proto::limit::DEVICE_NAME_MAX_BYTES;

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  tidings devices
  tidings devices rename laptop \"work laptop\"
  tidings devices revoke laptop

A device is named by its name, or by the beginning of its id if several have the same name. Another device comes in with
`tidings link`."
)]
pub struct Devices {
    #[command(subcommand)]
    what: Option<What>,
    /// Print one JSON object per device
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Give a device another name
    Rename(Rename),
    /// Throw a device out, for one that was lost or is not used any more
    Revoke(Revoke),
}

#[derive(Args)]
#[command(after_help = "Example:\n  tidings devices rename laptop \"work laptop\"")]
struct Rename {
    /// Which device: its name, or the beginning of its id
    device: String,
    /// What it is to be called
    name: String,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings devices revoke laptop

It is signed out at once and reads nothing that is said from then on. What it has stored stays on it; if it was stolen,
read in docs/security.md what else to do.")]
struct Revoke {
    /// Which device: its name, or the beginning of its id
    device: String,
}

impl Devices {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[], async |handle| match self.what {
            None => list(handle, self.json).await,
            Some(What::Rename(it)) => {
                let device = find(handle, &it.device).await?;
                let name = text::line(it.name.trim());
                if name.is_empty() || name.len() > DEVICE_NAME_MAX_BYTES {
                    return Err(Failure::usage(
                        "this cannot be a name",
                        format!("A name has 1 to {DEVICE_NAME_MAX_BYTES} bytes."),
                    ));
                }
                handle.call(Command::RenameDevice { device: device.device, name: name.clone() }).await?;
                out::line(&format!("{} is called {name} now.", text::line(&device.name)))
            }
            Some(What::Revoke(it)) => {
                let device = find(handle, &it.device).await?;
                handle.call(Command::RevokeDevice { device: device.device }).await?;
                out::line(&format!("{} is out: it reads nothing that is said from now on.", text::line(&device.name)))
            }
        })
        .await
    }
}

async fn all(handle: &Handle) -> Result<Vec<view::Device>, Failure> {
    match handle.call(Command::Devices).await? {
        Reply::Devices(devices) => Ok(devices),
        other => Err(unexpected(&other)),
    }
}

async fn list(handle: &Handle, json: bool) -> Result<(), Failure> {
    for device in all(handle).await? {
        if json {
            out::json(&serde_json::json!({
                "device": device.device, "name": device.name, "created_ms": device.created_ms, "current": device.current,
            }))?;
            continue;
        }
        let this = if device.current { "  (this device)" } else { "" };
        let since = time::date_and_clock(device.created_ms, &TimeZone::system());
        out::line(&format!("{}  {}  since {since}{this}", short(device.device), text::line(&device.name)))?;
    }
    Ok(())
}

/// Enough of an id to tell a few devices apart.
fn short(device: DeviceId) -> String {
    device.to_string().chars().take(8).collect()
}

async fn find(handle: &Handle, wanted: &str) -> Result<view::Device, Failure> {
    let all = all(handle).await?;
    let named: Vec<&view::Device> = all.iter().filter(|device| device.name == wanted).collect();
    let by_id = || all.iter().filter(|device| wanted.len() >= 4 && device.device.to_string().starts_with(wanted));
    let found = if named.is_empty() { by_id().collect() } else { named };
    match found.as_slice() {
        [device] => Ok((*device).clone()),
        [] => Err(Failure::with(format!("no device is called {wanted}"), "tidings devices lists them.")),
        _ => Err(Failure::with(format!("several devices are called {wanted}"), "Name it by its id: tidings devices")),
    }
}
