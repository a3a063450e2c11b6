//! Everything an operator can set: one TOML file, and environment variables over it.
//!
//! Each field says its unit; its default stands on it. `tidings.example.toml` in the repository's root is generated from
//! this struct ([`example`]) and a test compares the two. A key that is not known is an error that names it. Bounds of
//! the wire itself are in `tidings_proto::limit`; what is set here can only be tighter.

use confique::{Config as Layered, Layer};
use secrecy::SecretString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use tidings_proto::limit::{LOOKUPS_PER_ACCOUNT_PER_DAY_MAX, LOOKUPS_PER_ACCOUNT_PER_HOUR_MAX, PARTICIPANTS_MAX};

/// Settings of `tidings serve`. Lines that begin with `#` show the default; remove the `#` to change one.
#[derive(Clone, Debug, Layered)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Config {
    /// Address and port to listen on. The default takes connections from this machine only; `0.0.0.0:3000` or
    /// `[::]:3000` takes them from everywhere, and then a proxy with TLS belongs in front.
    #[config(default = "127.0.0.1:3000", env = "TIDINGS_LISTEN")]
    pub listen: SocketAddr,

    /// Folder of everything that is stored; made if absent.
    #[config(default = "./data", env = "TIDINGS_DATA")]
    pub data: PathBuf,

    /// How long an entry of a conversation is kept for devices that have not fetched it, in days.
    #[config(default = 30, env = "TIDINGS_RETENTION_DAYS", validate(*retention_days >= 1 && *retention_days <= 3650, "must be 1 to 3650 days"))]
    pub retention_days: u32,

    /// Whether messages are deleted as soon as every device of every member has them, instead of at the end of that time.
    #[config(default = false, env = "TIDINGS_DELETE_DELIVERED")]
    pub delete_delivered: bool,

    #[config(nested)]
    pub http: Http,

    #[config(nested)]
    pub log: Log,

    #[config(nested)]
    pub sms: Sms,

    #[config(nested)]
    pub group: Group,

    #[config(nested)]
    pub blob: Blob,

    #[config(nested)]
    pub lock: Lock,

    #[config(nested)]
    pub report: Report,

    #[config(nested)]
    pub limits: Limits,
}

/// The gateway.
#[derive(Clone, Debug, Layered)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Http {
    /// Origins (as in `https://chat.example.org`) whose pages may use the API and the socket from a browser. Pages that
    /// this server itself delivers always may. `*` allows every page.
    #[config(default = [], env = "TIDINGS_HTTP_ALLOWED_ORIGINS", parse_env = confique::env::parse::list_by_comma)]
    pub allowed_origins: Vec<String>,

    /// Addresses of reverse proxies whose `X-Forwarded-For` is believed. Without them the address of the connection
    /// counts, which behind a proxy is the proxy's: then all people share one address limit.
    #[config(default = ["127.0.0.1", "::1"], env = "TIDINGS_HTTP_TRUSTED_PROXIES", parse_env = confique::env::parse::list_by_comma)]
    pub trusted_proxies: Vec<IpAddr>,

    /// Whether `/metrics` answers. It tells how much is going on, not who does it.
    #[config(default = true, env = "TIDINGS_HTTP_METRICS")]
    pub metrics: bool,

    /// Connections at once. Further ones wait in the operating system's queue.
    #[config(default = 100_000, env = "TIDINGS_HTTP_CONNECTIONS_MAX", validate(*connections_max >= 1, "must be at least 1"))]
    pub connections_max: u32,

    /// Requests at once, without sockets. Further ones are refused with a time to come back.
    #[config(default = 4_096, env = "TIDINGS_HTTP_REQUESTS_MAX", validate(*requests_max >= 1, "must be at least 1"))]
    pub requests_max: u32,

    /// How long a shutdown waits for requests and sockets to end, in seconds.
    #[config(default = 10, env = "TIDINGS_HTTP_SHUTDOWN_S")]
    pub shutdown_s: u32,
}

/// What is written to standard error. Never phone numbers, codes, tokens or payloads.
#[derive(Clone, Debug, Layered)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Log {
    /// `text` for people, `json` for machines.
    #[config(default = "text", env = "TIDINGS_LOG_FORMAT")]
    pub format: LogFormat,

    /// `error`, `warn`, `info`, `debug` or `trace`; or a list of rules as in `info,tidings_server=debug`.
    #[config(default = "info", env = "TIDINGS_LOG_LEVEL")]
    pub level: String,

    /// Whether log lines may name the addresses that requests come from.
    #[config(default = false, env = "TIDINGS_LOG_ADDRESSES")]
    pub addresses: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

/// How the codes that prove a phone number reach people.
#[derive(Clone, Debug, Layered)]
#[config(layer_attr(serde(deny_unknown_fields)))]
#[config(validate = Self::check)]
pub struct Sms {
    /// `console` prints codes on standard output, for trying things out. `webhook` posts each to `url` as JSON:
    /// `{"phone": "+31612345678", "code": "123456", "text": "Your Tidings code is 123456."}`; any 2xx status means sent.
    #[config(default = "console", env = "TIDINGS_SMS_ADAPTER")]
    pub adapter: SmsAdapter,

    /// Where `webhook` posts to.
    #[config(env = "TIDINGS_SMS_URL")]
    pub url: Option<String>,

    /// Sent with each post as `Authorization: Bearer <secret>`, so that the receiver knows it is us.
    #[config(env = "TIDINGS_SMS_SECRET")]
    pub secret: Option<SecretString>,

    /// How long a post may take, in milliseconds.
    #[config(default = 10_000, env = "TIDINGS_SMS_TIMEOUT_MS")]
    pub timeout_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmsAdapter {
    Console,
    Webhook,
}

impl Sms {
    fn check(&self) -> Result<(), &'static str> {
        match (self.adapter, &self.url) {
            (SmsAdapter::Webhook, None) => Err("sms.adapter = \"webhook\" needs sms.url"),
            _ => Ok(()),
        }
    }
}

/// Groups.
#[derive(Clone, Debug, Layered)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Group {
    /// People in one group, at most 1,024. Groups that are larger already stay as they are, and grow no more.
    #[config(default = 1_024, env = "TIDINGS_GROUP_PARTICIPANTS_MAX", validate(*participants_max >= 2 && *participants_max <= PARTICIPANTS_MAX, "must be 2 to 1024"))]
    pub participants_max: usize,
}

/// Encrypted backups and history on its way to a new device.
#[derive(Clone, Debug, Layered)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Blob {
    /// How much one account may store, in MiB. A hundred thousand text messages take about ten.
    #[config(default = 1_024, env = "TIDINGS_BLOB_QUOTA_MIB", validate(*quota_mib >= 1, "must be at least 1"))]
    pub quota_mib: u32,
}

impl Blob {
    pub fn quota_bytes(&self) -> u64 {
        u64::from(self.quota_mib) * 1024 * 1024
    }
}

/// PINs that lock phone numbers against theft.
#[derive(Clone, Debug, Layered)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Lock {
    /// How long somebody waits who has a code for the number and forgot the PIN, in days. Every device of the account is
    /// told, and can end it.
    #[config(default = 7, env = "TIDINGS_LOCK_RESET_DAYS", validate(*reset_days >= 1 && *reset_days <= 90, "must be 1 to 90 days"))]
    pub reset_days: u32,

    /// A lock ends when no device of its account was here for so many days: the number may be another person's by then.
    #[config(default = 30, env = "TIDINGS_LOCK_IDLE_DAYS", validate(*idle_days >= 7 && *idle_days <= 3650, "must be 7 to 3650 days"))]
    pub idle_days: u32,
}

/// What people report to those who run the server: `tidings admin reports`.
#[derive(Clone, Debug, Layered)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Report {
    /// How long a report is kept, in days.
    #[config(default = 90, env = "TIDINGS_REPORT_KEPT_DAYS", validate(*kept_days >= 1 && *kept_days <= 365, "must be 1 to 365 days"))]
    pub kept_days: u32,
}

/// How much one person or address may ask for. Counted in memory, per node. An IPv6 address counts as its /64.
#[derive(Clone, Debug, Layered)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Limits {
    /// Codes for one phone number per hour.
    #[config(default = 5, env = "TIDINGS_LIMITS_CODES_PER_NUMBER_PER_HOUR", validate(*codes_per_number_per_hour >= 1, "must be at least 1"))]
    pub codes_per_number_per_hour: u32,

    /// From one code for a number to the next, in seconds. 0 switches it off.
    #[config(default = 20, env = "TIDINGS_LIMITS_CODE_INTERVAL_S")]
    pub code_interval_s: u32,

    /// Codes asked for from one address per hour.
    #[config(default = 20, env = "TIDINGS_LIMITS_CODES_PER_ADDRESS_PER_HOUR", validate(*codes_per_address_per_hour >= 1, "must be at least 1"))]
    pub codes_per_address_per_hour: u32,

    /// Codes of the whole server per minute: what an attack can cost in text messages.
    #[config(default = 60, env = "TIDINGS_LIMITS_CODES_PER_MINUTE", validate(*codes_per_minute >= 1, "must be at least 1"))]
    pub codes_per_minute: u32,

    /// Attempts to log in from one address per hour.
    #[config(default = 60, env = "TIDINGS_LIMITS_LOGINS_PER_ADDRESS_PER_HOUR", validate(*logins_per_address_per_hour >= 1, "must be at least 1"))]
    pub logins_per_address_per_hour: u32,

    /// Requests from one address per second, without a socket's frames; ten seconds' worth may come at once.
    #[config(default = 100, env = "TIDINGS_LIMITS_REQUESTS_PER_ADDRESS_PER_S", validate(*requests_per_address_per_s >= 1, "must be at least 1"))]
    pub requests_per_address_per_s: u32,

    /// Messages and commits of one device per second,
    #[config(default = 100, env = "TIDINGS_LIMITS_APPENDS_PER_DEVICE_PER_S", validate(*appends_per_device_per_s >= 1, "must be at least 1"))]
    pub appends_per_device_per_s: u32,

    /// and how many of them may come at once.
    #[config(default = 500, env = "TIDINGS_LIMITS_APPENDS_PER_DEVICE_BURST", validate(*appends_per_device_burst >= 1, "must be at least 1"))]
    pub appends_per_device_burst: u32,

    /// Phone numbers that one account may look up at once and then per hour; at most 2000,
    #[config(default = 2_000, env = "TIDINGS_LIMITS_LOOKUPS_PER_ACCOUNT_PER_HOUR", validate((1..=LOOKUPS_PER_ACCOUNT_PER_HOUR_MAX).contains(lookups_per_account_per_hour), "must be from 1 to 2000"))]
    pub lookups_per_account_per_hour: u32,

    /// and per day; at most 5000.
    #[config(default = 5_000, env = "TIDINGS_LIMITS_LOOKUPS_PER_ACCOUNT_PER_DAY", validate((1..=LOOKUPS_PER_ACCOUNT_PER_DAY_MAX).contains(lookups_per_account_per_day), "must be from 1 to 5000"))]
    pub lookups_per_account_per_day: u32,

    /// Phone numbers that everybody together may look up per day: how fast somebody with many accounts can try all numbers of
    /// a country. Set it to a few times what the people who come in a day have in their address books.
    #[config(default = 200_000, env = "TIDINGS_LIMITS_LOOKUPS_PER_DAY", validate(*lookups_per_day >= 1, "must be at least 1"))]
    pub lookups_per_day: u32,

    /// Reports of one account per day.
    #[config(default = 20, env = "TIDINGS_LIMITS_REPORTS_PER_ACCOUNT_PER_DAY", validate(*reports_per_account_per_day >= 1, "must be at least 1"))]
    pub reports_per_account_per_day: u32,

    /// Claims of key packages by one account per hour: one for each person whom it adds to a group.
    #[config(default = 2_500, env = "TIDINGS_LIMITS_CLAIMS_PER_ACCOUNT_PER_HOUR", validate(*claims_per_account_per_hour >= 1, "must be at least 1"))]
    pub claims_per_account_per_hour: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self::from_layer(<Self as Layered>::Layer::default_values()).expect("every field has a default or is optional")
    }
}

/// The settings cannot be used; says which file, which key, and why. Somebody has to change them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl From<confique::Error> for ConfigError {
    fn from(error: confique::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

impl Config {
    /// Environment over file over defaults. Without a file, none is needed.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut layer = <Self as Layered>::Layer::from_env()?;
        if let Some(path) = file {
            layer = layer.with_fallback(confique::File::new(path)?.required().load()?);
        }
        Ok(Self::from_layer(layer.with_fallback(<Self as Layered>::Layer::default_values()))?)
    }
}

/// The commented example file.
pub fn example() -> String {
    confique::toml::template::<Config>(confique::toml::FormatOptions::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path())).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_file_is_what_the_struct_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tidings.example.toml");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(path, example()).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(stored == example(), "tidings.example.toml is stale; run this test with UPDATE_GENERATED=1");
    }

    #[test]
    fn the_example_file_loads_as_it_is_and_with_every_default_switched_on() {
        assert_eq!(load(&example()).unwrap().listen, Config::default().listen);
        let on: String = example()
            .lines()
            .filter_map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') && rest.contains(" = ") => Some(format!("{rest}\n")),
                Some(_) => None,
                None => Some(format!("{line}\n")),
            })
            .collect();
        assert!(on.contains("codes_per_number_per_hour = 5"), "{on}");
        assert_eq!(load(&on).unwrap().limits.codes_per_minute, Config::default().limits.codes_per_minute);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error = load("[sms]\nadaptor = \"console\"\n").unwrap_err();
        assert!(error.contains("adaptor"), "{error}");
        let error = load("lisen = \"127.0.0.1:1\"\n").unwrap_err();
        assert!(error.contains("lisen"), "{error}");
    }

    #[test]
    fn bad_values_and_a_webhook_without_an_address_are_errors() {
        assert!(load("retention_days = 0\n").unwrap_err().contains("3650"));
        assert!(load("[sms]\nadapter = \"webhook\"\n").unwrap_err().contains("sms.url"));
        assert!(load("[limits]\ncodes_per_minute = 0\n").is_err());
    }

    #[test]
    fn the_secret_does_not_show_in_debug_output() {
        let config = load("[sms]\nsecret = \"hunter2\"\n").unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
