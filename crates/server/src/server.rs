//! What every room works with.

use crate::config::Config;
use crate::hub::Hub;
use crate::lane::Lanes;
use crate::metrics::Metrics;
use crate::online::Online;
use crate::public_group::Groups;
use crate::random::Random;
use crate::rate::Rates;
use crate::secret::Secrets;
use crate::sms::Sms;
use tidings_store::log::Log;
use tidings_store::{Clock, Store, StoreError};
use tokio::sync::Semaphore;

/// When everybody comes back at once, the first ones are served soon instead of all of them late.
const PLANS_AT_ONCE: usize = 64;

/// A running server. Shared as `Arc<Server>`; it owns no task and no socket, so a simulation can drop it at any moment.
#[derive(Debug)]
pub struct Server {
    pub config: Config,
    pub clock: Clock,
    pub store: Store,
    pub log: Log,
    /// The devices that are connected to this node.
    pub hub: Hub,
    /// The logs that are in use on this node.
    pub lanes: Lanes,
    /// Held while a plan is made; given in the order in which they came.
    pub plans: Semaphore,
    /// Who is looking at the app, and who is told.
    pub online: Online,
    /// The groups whose commits are judged on this node.
    pub groups: Groups,
    pub metrics: Metrics,
    pub secrets: Secrets,
    pub random: Random,
    /// Held while an account is deleted.
    pub deletions: tokio::sync::Mutex<()>,
    /// Held while a look-up is counted for everybody.
    pub lookups: tokio::sync::Mutex<()>,
    /// What each may ask for, by time.
    pub rates: Rates,
    /// How codes reach people.
    pub sms: Sms,
}

impl Server {
    /// Opens the services over a store; makes the server's secrets at its first start.
    pub async fn open(config: Config, store: Store, clock: Clock) -> Result<Self, StoreError> {
        Self::open_with(config, store, clock, Random::system()).await
    }

    /// As [`Self::open`], with chance as an argument: for simulations.
    pub async fn open_with(config: Config, store: Store, clock: Clock, random: Random) -> Result<Self, StoreError> {
        let secrets = Secrets::load_or_make(&store, &random).await?;
        Ok(Self {
            log: Log::new(store.clone()),
            hub: Hub::new(),
            lanes: Lanes::new(),
            plans: Semaphore::new(PLANS_AT_ONCE),
            groups: Groups::default(),
            online: Online::default(),
            metrics: Metrics::new(&store),
            deletions: tokio::sync::Mutex::default(),
            lookups: tokio::sync::Mutex::default(),
            rates: Rates::new(&config.limits, &clock),
            sms: Sms::new(&config.sms),
            secrets,
            random,
            clock,
            config,
            store,
        })
    }
}
