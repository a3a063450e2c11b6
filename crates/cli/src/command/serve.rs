//! `tidings serve`: the server.

use super::stopped;
use crate::Common;
use crate::failure::Failure;
use crate::show::out;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tidings_server::config::{Config, SmsAdapter};
use tidings_server::{Server, gateway};
use tidings_store::{Clock, Store, StoreError};
use tokio::net::TcpListener;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings serve                                        http://localhost:3000, data in ./data
  tidings serve --listen 0.0.0.0:3000 --data /var/lib/tidings
  tidings serve --config tidings.toml
  tidings serve --example-config > tidings.toml        every setting, explained

Every setting is an environment variable too (TIDINGS_LISTEN, TIDINGS_DATA, TIDINGS_SMS_ADAPTER, …), which wins over
the file; what stands on the command line wins over both. Codes that prove phone numbers are printed on the console
until sms.adapter says otherwise. Ctrl-C or SIGTERM ends it gracefully; SIGKILL loses nothing that was acknowledged.")]
pub struct Serve {
    /// Settings, in TOML
    #[arg(long, value_name = "FILE", env = "TIDINGS_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Folder of everything that is stored [default: ./data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Print a settings file that explains everything, and end
    #[arg(long)]
    example_config: bool,
}

impl Serve {
    pub async fn run(self, _common: &Common) -> Result<(), Failure> {
        if self.example_config {
            return out::line(tidings_server::config::example().trim_end());
        }
        let mut config = Config::load(self.config.as_deref())
            .map_err(|error| Failure::with(format!("the settings are wrong: {error}"), "See: tidings serve --help"))?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.data = self.data.unwrap_or(config.data);
        tidings_server::log::start(&config.log).map_err(Failure::new)?;
        crate::open_files::raise();
        serve(config).await
    }
}

async fn serve(config: Config) -> Result<(), Failure> {
    let clock = Clock::system();
    let store = Store::embedded(&config.data, clock.clone()).map_err(|error| {
        Failure::with(
            format!("the data in {} cannot be opened: {error}", config.data.display()),
            "Only one server may use a folder; choose another one with --data.",
        )
    })?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        Failure::with(
            format!("{} cannot be listened on: {error}", config.listen),
            "Another program may have this port; choose another one with --listen, as in 127.0.0.1:3001.",
        )
    })?;
    let address = listener.local_addr()?;
    let server = Server::open(config, store.clone(), clock).await.map_err(|error| failed(&error))?;
    let server = Arc::new(server);
    welcome(&server, address)?;
    let ended = gateway::serve(server, listener, stopped()).await;
    store.close().await.map_err(|error| failed(&error))?;
    if let gateway::listen::Ended::Cut(connections) = ended {
        eprintln!("{connections} connections did not end in time and were cut");
    }
    out::line("The server has ended.")
}

fn failed(error: &StoreError) -> Failure {
    Failure::with(
        format!("the data cannot be used: {error}"),
        "Check that the disk has room and that the folder is writable; the log above may say more.",
    )
}

fn welcome(server: &Server, address: SocketAddr) -> Result<(), Failure> {
    let data = std::path::absolute(&server.config.data)?;
    let host = match address.ip() {
        ip if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    let url = format!("http://{host}:{}", address.port());
    out::line(&format!("Tidings {} listens on {address}: {url}", env!("CARGO_PKG_VERSION")))?;
    out::line(&format!("Data: {}", data.display()))?;
    out::line(&format!("API: {url}/docs/"))?;
    match server.config.sms.adapter {
        SmsAdapter::Console => out::line("Codes are printed here (sms.adapter is \"console\")."),
        SmsAdapter::Webhook => out::line("Codes go to the webhook of sms.url."),
    }?;
    out::line("Now, in another terminal: tidings register +31612345678")
}
