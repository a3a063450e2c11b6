//! `tidings mute`

use super::with;
use crate::Common;
use crate::failure::Failure;
use crate::show::out;
use crate::show::time::now_ms;
use crate::span::Span;
use crate::target::Target;
use clap::Args;
use tidings_client::Command;
use tidings_client::view::FOR_EVER_MS;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings mute Cinema             until you unmute it
  tidings mute Cinema --for 8h
  tidings mute Cinema --off

Messages arrive as ever; nothing rings. Nobody else is told.")]
pub struct Mute {
    /// Which conversation: a number, a group's name, `me`, or an id
    with: Target,
    /// For how long: 30m, 8h, 7d, 2w
    #[arg(long = "for", value_name = "SPAN", conflicts_with = "off")]
    span: Option<Span>,
    /// Unmute
    #[arg(long)]
    off: bool,
}

impl Mute {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let until_ms = (!self.off).then(|| until_ms(self.span));
        with(common, &[&self.with], async |handle| {
            let of = self.with.peer(handle).await?;
            handle.call(Command::Mute { of, until_ms }).await.map(drop)
        })
        .await?;
        match (self.off, self.span) {
            (true, _) => out::line(&format!("{} is not muted.", self.with)),
            (false, Some(span)) => out::line(&format!("{} is muted for {span}.", self.with)),
            (false, None) => out::line(&format!("{} is muted.", self.with)),
        }
    }
}

/// For ever without a span.
pub fn until_ms(span: Option<Span>) -> u64 {
    span.map_or(FOR_EVER_MS, |span| now_ms().saturating_add(span.0.saturating_mul(1000)))
}
