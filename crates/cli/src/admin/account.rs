//! `tidings admin account`: what the server keeps of an account, row by row. After a deletion it proves that nothing is
//! left: it reads the keys of every row on the disk, by a reader of its own beside the running server.
//!
//! It finds what is kept *under* an account: rows named by its id, by its devices' or by its number. What is in the logs of
//! its conversations belongs to those, also what it wrote there, until that expires; and so do the members' lists.

use super::place::{Place, unreadable};
use crate::failure::Failure;
use crate::person::Phone;
use crate::show::out;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use tidings_proto::id::{AccountId, ConversationId, DeviceId};
use tidings_server::secret::{ROOT_ROW, Secrets};
use tidings_store::census::Files;
use tidings_store::{Key, Table};

/// Rows that others write about an account, found by the row instead of by the partition.
const BY_ROW: [Table; 5] = [Table::JoinRequest, Table::Delivered, Table::Read, Table::BlobDue, Table::Deletion];

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidings admin account +31612345678                   what is kept of the account that has this number
  tidings admin account 0190a1b2-… --device 0190a1b3-… after it was deleted: proves that nothing is left

Prints the account's id, its devices, and how many rows each table has of it. Exit code 0: there is nothing; 1: there is
something. An account that was deleted is named by its id; name its devices too, which nothing leads to any more.")]
pub struct Account {
    /// Its number, or its id
    who: String,
    /// A device that it had
    #[arg(long = "device", value_name = "ID")]
    devices: Vec<DeviceId>,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// As it is printed with `--json`.
#[derive(Debug, Serialize)]
struct Report {
    account: Option<String>,
    devices: Vec<String>,
    /// How many rows each table has; those without any are left out.
    rows: BTreeMap<&'static str, u64>,
    blob_files: u64,
    total: u64,
}

impl Account {
    pub fn run(self) -> Result<(), Failure> {
        let config = self.place.config()?;
        let files = Place::open(&config)?;
        let report = self.look(&files, &config.data)?;
        if self.json {
            out::json(&report)?;
        } else {
            out::line(&text(&report))?;
        }
        match report.total {
            0 => Ok(()),
            _ => Err(Failure::new("the server keeps something of this account")),
        }
    }

    fn look(&self, files: &Files, data: &Path) -> Result<Report, Failure> {
        let mut rows: BTreeMap<&'static str, u64> = BTreeMap::new();
        let account = if self.who.starts_with('+') {
            let phone: Phone = self.who.parse().map_err(|why: String| Failure::usage("that is no number", why))?;
            let hash = phone_hash(files, &phone)?;
            for table in [Table::Phone, Table::Code] {
                let found = files.get(&Key::new(table, hash, [])).map_err(unreadable)?;
                if found.is_some() {
                    rows.insert(table.name(), 1);
                }
            }
            let row = files.get(&Key::new(Table::Phone, hash, [])).map_err(unreadable)?;
            row.and_then(|row| AccountId::from_slice(&row))
        } else {
            let id = self.who.parse::<AccountId>();
            Some(id.map_err(|_| {
                Failure::usage("that is no number and no id", "Write +31612345678, or the account's id.")
            })?)
        };
        let mut devices = self.devices.clone();
        let mut blob_files = 0;
        if let Some(account) = account {
            self.count(files, account, &mut devices, &mut rows)?;
            blob_files = count_files(&data.join("blobs").join(hex(account.as_bytes())));
        }
        let total = rows.values().sum::<u64>() + blob_files;
        let names = devices.iter().map(DeviceId::to_string).collect();
        Ok(Report { account: account.map(|it| it.to_string()), devices: names, rows, blob_files, total })
    }

    fn count(
        &self,
        files: &Files,
        account: AccountId,
        devices: &mut Vec<DeviceId>,
        rows: &mut BTreeMap<&'static str, u64>,
    ) -> Result<(), Failure> {
        let owned = files.partitions_with(Table::DeviceOwner, account.as_bytes()).map_err(unreadable)?;
        devices.extend(owned.iter().filter_map(|device| DeviceId::from_slice(device)));
        devices.sort_unstable();
        devices.dedup();
        let numbers = files.partitions_with(Table::Phone, account.as_bytes()).map_err(unreadable)?.len() as u64;
        if numbers > 0 {
            rows.insert(Table::Phone.name(), numbers);
        }
        let own_chat = ConversationId::self_chat(account);
        let mut ids: Vec<[u8; 16]> = vec![*account.as_bytes(), *own_chat.as_bytes()];
        ids.extend(devices.iter().map(|device| *device.as_bytes()));
        for (table, count) in files.count_under(&ids, &BY_ROW).map_err(unreadable)? {
            *rows.entry(table.name()).or_default() += count;
        }
        Ok(())
    }
}

fn phone_hash(files: &Files, phone: &Phone) -> Result<[u8; 32], Failure> {
    let root = files.get(&Key::new(Table::Server, [], ROOT_ROW)).map_err(unreadable)?;
    let root = root.ok_or_else(|| Failure::new("the server was never started with this data"))?;
    Ok(Secrets::from_stored(&root).map_err(unreadable)?.phone_hash(phone.as_str()))
}

fn count_files(folder: &Path) -> u64 {
    std::fs::read_dir(folder).map_or(0, |files| files.count() as u64)
}

fn hex(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(report: &Report) -> String {
    let mut lines = vec![match &report.account {
        Some(account) => format!("Account  {account}"),
        None => "No account has this number.".to_owned(),
    }];
    lines.extend(report.devices.iter().map(|device| format!("Device   {device}")));
    lines.extend(report.rows.iter().map(|(table, rows)| format!("{table:<20}{rows:>10}")));
    if report.blob_files > 0 {
        lines.push(format!("{:<20}{:>10}", "blob files", report.blob_files));
    }
    if report.total == 0 {
        lines.push("The server keeps nothing of it.".to_owned());
    }
    lines.join("\n")
}
