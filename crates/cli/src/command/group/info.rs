//! `tidings group info`

use super::look;
use crate::Common;
use crate::command::{catch_up_to_look, open};
use crate::failure::Failure;
use crate::show::{group, out};
use crate::target::Target;
use clap::Args;
use jiff::tz::TimeZone;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group info Cinema
  tidings group info Cinema --json | jq -r '.members[].title'

Admins see the links of the group too, and whole links those that were made on this device.")]
pub struct Info {
    /// Which group: its name or id
    group: Target,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Info {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let (profile, handle) = open(common, &[]).await?;
        let shown = async {
            catch_up_to_look(&handle).await?;
            let group = look(&handle, self.group.peer(&handle).await?).await?;
            if self.json {
                return out::json(&group::Group::from(&group));
            }
            group::human(&group, Some(&profile.server), &TimeZone::system()).iter().try_for_each(|line| out::line(line))
        };
        let shown = shown.await;
        handle.close().await;
        shown
    }
}
