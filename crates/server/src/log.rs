//! Log lines: what happened to which thing, never to which person. Request ids tie lines to answers.

use crate::config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. Once per process; a second call does nothing.
pub fn start(config: &Log) -> Result<(), String> {
    let filter = EnvFilter::builder().parse(&config.level).map_err(|error| format!("log.level: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match config.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
    };
    Ok(())
}
