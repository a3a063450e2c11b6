//! `tidings agent`: see the `agent` module.

use super::{open, stopped};
use crate::Common;
use crate::agent::{self, Access};
use crate::failure::Failure;
use crate::show::out;
use clap::Args;
use std::net::SocketAddr;
use tokio::net::TcpListener;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings agent
  curl -H \"Authorization: Bearer $(cat ~/.local/share/tidings/accounts/+31612345678/agent-token)\" \\
       -H 'Content-Type: application/json' -d '{\"to\": \"+31687654321\", \"text\": \"hello\", \"wait\": \"sent\"}' \\
       http://127.0.0.1:3010/v1/messages

The reference is at http://127.0.0.1:3010/docs/. The token is printed only to its file; the agent says which one.
What the agent takes and gives is plain text: let nobody else reach it.")]
pub struct Agent {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3010")]
    listen: SocketAddr,
    /// Allow an address that other machines can reach
    #[arg(long)]
    allow_remote: bool,
    /// A further name under which programs reach the agent, as in agent.example or agent.example:8080
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Make a new token; the old one is worthless then
    #[arg(long)]
    new_token: bool,
}

impl Agent {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        if !self.listen.ip().is_loopback() && !self.allow_remote {
            return Err(Failure::usage(
                format!("other machines could reach {}, and with the token read and write your messages", self.listen),
                "Listen on 127.0.0.1, or say --allow-remote if that is meant (and put TLS in front of it).",
            ));
        }
        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            Failure::with(
                format!("{} cannot be listened on: {error}", self.listen),
                "Another program may have this port; choose another one with --listen, as in 127.0.0.1:3011.",
            )
        })?;
        let address = listener.local_addr()?;
        let (profile, handle) = open(common, &[]).await?;
        let (token, path) = agent::load_or_make_token(&profile, self.new_token)?;
        out::line(&format!("The agent of {} listens on http://{address}", profile.phone))?;
        out::line(&format!("Token: {}", path.display()))?;
        out::line(&format!("Reference: http://{address}/docs/"))?;
        let access = Access { token, address, hosts: self.allow_host, allow_remote: self.allow_remote };
        agent::run(handle, profile, listener, access, stopped()).await
    }
}
