//! `tidings group invite` and `group revoke`: links by which people come in.
//!
//! The secret stands behind the `#`, which browsers do not send: a server that shows a page at `/join` learns nothing.

use super::{Patience, change, look, settled, unexpected};
use crate::Common;
use crate::command::open;
use crate::failure::Failure;
use crate::show::{group, out, qr};
use crate::span::Span;
use crate::target::Target;
use clap::Args;
use reqwest::Url;
use std::io::IsTerminal;
use tidings_client::{Command, Reply, view};
use tidings_proto::group::InviteKey;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group invite Cinema
  tidings group invite Cinema --expires 7d --approval
  tidings group join 'http://localhost:3000/join#…'        what the other person types

Whoever has the link can come in until it expires or is revoked; with --approval an admin lets each of them in
(`tidings group requests`). Server and members check the same signature, so nobody makes up a link.")]
pub struct Invite {
    /// Which group: its name or id
    group: Target,
    /// When the link stops working: 30m, 8h, 7d, 2w [default: when it is revoked]
    #[arg(long, value_name = "SPAN")]
    expires: Option<Span>,
    /// An admin has to approve who comes by it
    #[arg(long)]
    approval: bool,
    /// Only the link, without the QR code
    #[arg(long)]
    no_qr: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    patience: Patience,
}

impl Invite {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let (profile, handle) = open(common, &[]).await?;
        let made = async {
            let group = self.group.peer(&handle).await?;
            let expires_in_s = self.expires.map(|span| span.0);
            let command = Command::CreateInvite { group, expires_in_s, approval: self.approval };
            match settled(&handle, command, self.patience.within()).await? {
                Reply::Invite { token, key } => Ok((token, key)),
                other => Err(unexpected(&other)),
            }
        };
        let made = made.await;
        handle.close().await;
        let (token, key) = made?;
        let link = link(&profile.server, &token);
        if self.json {
            return out::json(&serde_json::json!({ "link": link, "key": group::key(key) }));
        }
        out::line(&link)?;
        // Whoever reads this from a pipe wants the link.
        if !self.no_qr && std::io::stdout().is_terminal() {
            out::line(&qr::render(&link)?)?;
        }
        let until = self.expires.map_or("until it is revoked".to_owned(), |span| format!("for {span}"));
        let how = if self.approval { "an admin lets people in" } else { "people come in at once" };
        eprintln!(
            "Good {until}; {how}. To revoke it: tidings group revoke {} {}",
            quoted(&self.group),
            group::key(key)
        );
        Ok(())
    }
}

fn quoted(target: &Target) -> String {
    let name = target.to_string();
    if name.contains(' ') { format!("{name:?}") } else { name }
}

pub fn link(server: &Url, token: &str) -> String {
    format!("{}/join#{token}", server.as_str().trim_end_matches('/'))
}

/// The token of a link, or what was given if it is no link. A link of another server is refused: an account lives at one.
pub fn token<'a>(server: &Url, text: &'a str) -> Result<&'a str, Failure> {
    let text = text.trim();
    let Some((before, token)) = text.split_once('#') else { return Ok(text) };
    let other = before.trim_end_matches('/').strip_suffix("/join").unwrap_or(before);
    match Url::parse(other) {
        Ok(other) if other.as_str().trim_end_matches('/') == server.as_str().trim_end_matches('/') => Ok(token),
        Ok(other) if other.origin() == server.origin() => Ok(token),
        Ok(other) => Err(Failure::with(
            format!("this link leads to {other}, and your account is at {server}"),
            "Use an account of that server: tidings register +31… --server URL. If both are the same server under two \
             names, give only what stands after the #.",
        )),
        Err(_) => Ok(token),
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group revoke Cinema 1f3a9c02         the sign that `group invite` and `group info` show
  tidings group revoke Cinema 'http://localhost:3000/join#…'

Who came in by it stays in.")]
pub struct Revoke {
    /// Which group: its name or id
    group: Target,
    /// Which link: its sign, or the link itself
    link: String,
    #[command(flatten)]
    patience: Patience,
}

impl Revoke {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        change(common, &self.group, self.patience, async |handle, group| {
            let key = which(&look(handle, group.clone()).await?.invites, &self.link)?;
            Ok(Command::RevokeInvite { group, key })
        })
        .await?;
        out::line("The link is worthless now.")
    }
}

/// The one invite that is meant.
pub fn which(invites: &[view::InviteLink], text: &str) -> Result<InviteKey, Failure> {
    let text = text.trim();
    let token = text.rsplit(['/', '#']).next().unwrap_or_default();
    let meant = |invite: &&view::InviteLink| {
        invite.token.as_deref() == Some(token) || group::key(invite.key).eq_ignore_ascii_case(text)
    };
    match invites.iter().filter(meant).collect::<Vec<_>>().as_slice() {
        [one] => Ok(one.key),
        _ => Err(Failure::with(
            "the group has no such link (any more)",
            "`tidings group info` shows its links, each with the sign that is meant here.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_its_server_only() {
        let server = Url::parse("https://chat.example.org/").unwrap();
        let made = link(&server, "AQMD");
        assert_eq!(made, "https://chat.example.org/join#AQMD");
        assert_eq!(token(&server, &format!(" {made}\n")).unwrap(), "AQMD");
        assert_eq!(token(&server, "AQMD").unwrap(), "AQMD");
        let below = Url::parse("https://chat.example.org/chat").unwrap();
        assert_eq!(token(&below, &link(&below, "AQMD")).unwrap(), "AQMD");
        assert!(matches!(token(&server, "https://evil.example/join#AQMD"), Err(Failure::Failed { .. })));
    }

    #[test]
    fn a_link_fits_a_terminal_as_a_code() {
        let token = "A".repeat(66);
        let shown = qr::render(&format!("https://chat.example.org/join#{token}")).unwrap();
        assert!(shown.lines().count() <= 30 && shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    }

    #[test]
    fn links_are_meant_by_their_sign_or_themselves() {
        let invite = |n: u8, token: Option<&str>| view::InviteLink {
            key: InviteKey([n; 32]),
            expires_s: None,
            approval: false,
            token: token.map(str::to_owned),
        };
        let invites = [invite(1, Some("AQMD")), invite(2, None)];
        assert_eq!(which(&invites, "https://x.example/join#AQMD").unwrap(), invites[0].key);
        assert_eq!(which(&invites, "02020202").unwrap(), invites[1].key);
        assert!(which(&invites, "03030303").is_err());
        assert!(which(&invites, "").is_err());
    }
}
