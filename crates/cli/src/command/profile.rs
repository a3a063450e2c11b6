//! `tidings profile`

use super::{picture, sent, unexpected, with};
use crate::Common;
use crate::failure::Failure;
use crate::show::{out, text};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use tidings_client::{Command, Reply};

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings profile                           shows it
  tidings profile --name Ann --about \"At sea until May\"
  tidings profile --picture me.webp
  tidings profile --about \"\"                takes it away; --no-picture

The people you talk to are told, end-to-end encrypted; the server does not learn it.")]
pub struct Profile {
    /// How you want to be called, at most 64 bytes
    #[arg(long)]
    name: Option<String>,
    /// A line about yourself, at most 512 bytes
    #[arg(long)]
    about: Option<String>,
    /// A WebP, JPEG or PNG file of at most 24 KiB
    #[arg(long, value_name = "FILE", conflicts_with = "no_picture")]
    picture: Option<PathBuf>,
    /// Take the picture away
    #[arg(long)]
    no_picture: bool,
    /// How long to wait for the server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Profile {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let Self { name, about, picture, no_picture, timeout } = self;
        let picture = match picture {
            Some(file) => Some(picture::read(&file)?),
            None => no_picture.then(picture::none),
        };
        let asks = name.is_none() && about.is_none() && picture.is_none();
        with(common, &[], async |handle| {
            if asks {
                return show(handle.call(Command::Profile).await?);
            }
            handle.call(Command::SetProfile { name, about, picture }).await?;
            sent(handle, Duration::from_secs(timeout)).await
        })
        .await
    }
}

fn show(reply: Reply) -> Result<(), Failure> {
    let Reply::Profile { name, about, picture } = reply else { return Err(unexpected(&reply)) };
    let line = |text: Option<String>| text.as_deref().map_or("-".into(), text::line);
    out::line(&format!("Name:     {}", line(name)))?;
    out::line(&format!("About:    {}", line(about)))?;
    out::line(&format!("Picture:  {}", picture.map_or("-".into(), |picture| format!("{} bytes", picture.len()))))
}
