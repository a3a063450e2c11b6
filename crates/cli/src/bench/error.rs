//! Why a benchmark ended without figures.

/// Nothing that was measured counts when one of these ends a run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The arguments, or the machine, do not allow this run: change them.
    #[error("{0}")]
    Setup(String),
    /// The server could not be reached or refused something: read its log.
    #[error("the server: {0}")]
    Server(String),
    /// The server broke a promise of the protocol. This is a bug, and worth a report.
    #[error("the server broke its promise: {0}")]
    Broken(String),
}

pub type Result<T> = std::result::Result<T, BenchError>;

/// Says what was being done when something failed.
pub trait Doing<T> {
    fn setup(self, doing: &str) -> Result<T>;
    fn server(self, doing: &str) -> Result<T>;
}

impl<T, E: std::fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn setup(self, doing: &str) -> Result<T> {
        self.map_err(|error| BenchError::Setup(format!("{doing}: {error}")))
    }

    fn server(self, doing: &str) -> Result<T> {
        self.map_err(|error| BenchError::Server(format!("{doing}: {error}")))
    }
}
