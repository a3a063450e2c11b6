//! Where the server's data is, for tools that read it beside the running server.

use crate::failure::Failure;
use crate::show::time;
use std::path::PathBuf;
use tidings_server::config::Config;
use tidings_store::StoreError;
use tidings_store::census::Files;

#[derive(clap::Args, Debug)]
pub struct Place {
    /// The server's settings, in TOML
    #[arg(long, global = true, value_name = "FILE", env = "TIDINGS_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Folder of everything that is stored [default: ./data]
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl Place {
    pub fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::load(self.config.as_deref())
            .map_err(|error| Failure::with(format!("the settings are wrong: {error}"), "See: tidings serve --help"))?;
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        Ok(config)
    }

    pub fn open(config: &Config) -> Result<Files, Failure> {
        Files::open(&config.data, time::now_ms()).map_err(|error| {
            Failure::with(
                format!("the data in {} cannot be read: {error}", config.data.display()),
                "Name the server's folder with --data, and run this as the user that the server runs as.",
            )
        })
    }
}

pub fn unreadable(error: StoreError) -> Failure {
    Failure::new(format!("the data cannot be read: {error}"))
}
