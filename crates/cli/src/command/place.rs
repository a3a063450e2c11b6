//! `tidings location` and `tidings card`

use super::{sent, with};
use crate::Common;
use crate::failure::Failure;
use crate::person::Phone;
use crate::target::Target;
use clap::Args;
use std::time::Duration;
use tidings_client::Command;
use tidings_client::content::Degrees;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings location Cinema 52.370216 4.895168 --name \"Dam\"")]
pub struct Location {
    /// Where to: a number, a group's name, or an id
    to: Target,
    /// In degrees, -90 to 90
    #[arg(allow_negative_numbers = true, value_parser = degrees)]
    latitude: Degrees,
    /// In degrees, -180 to 180
    #[arg(allow_negative_numbers = true, value_parser = degrees)]
    longitude: Degrees,
    /// What the place is called
    #[arg(long)]
    name: Option<String>,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings card Cinema Carla +31655555555")]
pub struct Card {
    /// Where to: a number, a group's name, or an id
    to: Target,
    /// Whose number it is
    name: String,
    /// The number
    phone: Phone,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

fn degrees(text: &str) -> Result<Degrees, String> {
    let degrees: f64 = text.parse().map_err(|_| "write degrees, as in 52.370216".to_owned())?;
    Degrees::try_from(degrees).map_err(str::to_owned)
}

impl Location {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.to], async |handle| {
            let to = self.to.peer(handle).await?;
            let (latitude, longitude, name) = (self.latitude, self.longitude, self.name.clone());
            handle.call(Command::SendLocation { to, latitude, longitude, name }).await?;
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await
    }
}

impl Card {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[&self.to], async |handle| {
            let to = self.to.peer(handle).await?;
            let (name, phone) = (self.name.clone(), self.phone.to_string());
            handle.call(Command::SendContact { to, name, phone }).await?;
            sent(handle, Duration::from_secs(self.timeout)).await
        })
        .await
    }
}
