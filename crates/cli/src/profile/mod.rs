//! The accounts on this machine.
//!
//! ```text
//! $TIDINGS_HOME/accounts/+31612345678/      0700
//!   account.json    the server's address and the person's name; there once the account is registered
//!   key             the key of the database, perhaps wrapped with a passphrase (0600), see [`key`]
//!   tidings.db      messages and keys, encrypted
//!   lock, door      which process holds the account, and how others talk to it, see `driver`
//!   agent-token     the token of `tidings agent` (0600)
//! ```

pub mod key;
mod place;

use crate::Common;
use crate::failure::Failure;
use crate::person::Phone;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

pub const SERVER_DEFAULT: &str = "http://localhost:3000";

/// One account's folder, and where its server is.
#[derive(Clone, Debug)]
pub struct Profile {
    pub phone: Phone,
    pub folder: PathBuf,
    pub server: Url,
    /// What this person wants to be called.
    pub name: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct AccountFile {
    server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Profile {
    /// The account that the command line means. `about` is whom the command is about, who are not oneself.
    pub fn pick(common: &Common, about: &[&Phone]) -> Result<Self, Failure> {
        let home = home(common)?;
        let all = registered(&home)?;
        let phone = match &common.account {
            Some(phone) if all.contains(phone) => phone.clone(),
            Some(phone) => {
                return Err(Failure::with(
                    format!("{phone} is not registered on this machine"),
                    format!("Register it with: tidings register {phone}{}", listed(&all)),
                ));
            }
            None => choose(&all, about)?,
        };
        Self::at(&home, phone, common)
    }

    /// The account with this number, whether or not it is registered yet.
    pub fn of(common: &Common, phone: Phone) -> Result<Self, Failure> {
        Self::at(&home(common)?, phone, common)
    }

    /// A place for a device that waits to be linked, with its own for each process.
    pub fn to_be_linked(common: &Common) -> Result<Self, Failure> {
        let home = home(common)?;
        let folder = home.join("accounts").join(format!("linking-{}", std::process::id()));
        Ok(Self { folder, ..Self::at(&home, Phone::unknown(), common)? })
    }

    /// The place beside this one of the account with this number.
    pub fn of_number(&self, phone: Phone) -> Self {
        let folder = self.folder.with_file_name(phone.as_str());
        Self { phone, folder, ..self.clone() }
    }

    /// What was kept here is kept there from now on, and counts as an account of this machine.
    pub fn become_registered(&self, place: &Self) -> Result<(), Failure> {
        let moved = fs::rename(&self.folder, &place.folder);
        moved.map_err(|error| Failure::new(format!("{} could not be made: {error}", place.folder.display())))?;
        place.set_registered()
    }

    fn at(home: &Path, phone: Phone, common: &Common) -> Result<Self, Failure> {
        let folder = home.join("accounts").join(phone.as_str());
        let stored = match fs::read(folder.join("account.json")) {
            Ok(bytes) => Some(
                serde_json::from_slice::<AccountFile>(&bytes)
                    .map_err(|error| Failure::new(format!("{}: {error}", folder.join("account.json").display())))?,
            ),
            Err(_) => None,
        };
        let stored = stored.unwrap_or_else(|| AccountFile { server: SERVER_DEFAULT.to_owned(), name: None });
        let server = server_url(common.server.as_ref().unwrap_or(&stored.server))?;
        Ok(Self { phone, folder, server, name: stored.name })
    }

    pub fn is_registered(&self) -> bool {
        self.folder.join("account.json").exists()
    }

    /// Makes the folder if it is absent. Says whether it was.
    pub fn make_folder(&self) -> Result<bool, Failure> {
        let made = !self.folder.exists();
        let result = fs::create_dir_all(&self.folder).and_then(|()| place::only_mine(&self.folder, true));
        result.map_err(|error| {
            Failure::with(
                format!("the folder {} could not be made: {error}", self.folder.display()),
                "Choose another place with TIDINGS_HOME.",
            )
        })?;
        Ok(made)
    }

    /// From now on the account counts as one of this machine.
    pub fn set_registered(&self) -> Result<(), Failure> {
        let file = AccountFile { server: self.server.to_string(), name: self.name.clone() };
        let bytes = serde_json::to_vec_pretty(&file).expect("the file always serializes");
        place::write_private(&self.folder.join("account.json"), &bytes).map_err(Failure::from)
    }

    /// Deletes everything that this machine has of the account.
    pub fn forget(&self) -> Result<(), Failure> {
        // First the file that makes it count: what a crash leaves behind is then only rubbish.
        let _ = fs::remove_file(self.folder.join("account.json"));
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::new(format!("{} could not be deleted: {error}", self.folder.display())))
            }
            _ => Ok(()),
        }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("tidings.db")
    }
}

pub use place::write_private;

fn home(common: &Common) -> Result<PathBuf, Failure> {
    match &common.home {
        Some(home) => Ok(home.clone()),
        None => place::platform_home().ok_or_else(|| {
            Failure::with("this machine does not say where your files belong", "Set TIDINGS_HOME to a folder of yours.")
        }),
    }
}

fn registered(home: &Path) -> Result<Vec<Phone>, Failure> {
    let Ok(folders) = fs::read_dir(home.join("accounts")) else { return Ok(Vec::new()) };
    let mut phones: Vec<Phone> = folders
        .flatten()
        .filter(|folder| folder.path().join("account.json").exists())
        .filter_map(|folder| folder.file_name().to_str()?.parse().ok())
        .collect();
    phones.sort();
    Ok(phones)
}

fn choose(all: &[Phone], about: &[&Phone]) -> Result<Phone, Failure> {
    match all {
        [] => Err(Failure::with(
            "no account is registered on this machine",
            "Create one with: tidings register +31612345678 (your own number)",
        )),
        [only] => Ok(only.clone()),
        several => {
            let others: Vec<&Phone> = several.iter().filter(|phone| !about.contains(phone)).collect();
            match others.as_slice() {
                [only] => Ok((*only).clone()),
                _ => Err(Failure::usage(
                    "this machine has several accounts",
                    format!("Say which one with --as +31… or TIDINGS_ACCOUNT.{}", listed(all)),
                )),
            }
        }
    }
}

fn listed(all: &[Phone]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = all.iter().map(Phone::as_str).collect();
    format!("\nRegistered here: {}", names.join(", "))
}

fn server_url(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        Failure::usage(
            format!("{text:?} is not the address of a server: {why}"),
            "Write it as in https://chat.example.org or http://localhost:3000 (--server, or TIDINGS_SERVER).",
        )
    };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it has to begin with http:// or https://"));
    }
    if url.host().is_none() || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(wrong("a host, perhaps a port and a path, and nothing else"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> Phone {
        text.parse().expect("the test's numbers are valid")
    }

    #[test]
    fn of_two_accounts_the_one_that_is_not_the_peer_is_meant() {
        let (anna, ben) = (phone("+31612345678"), phone("+31687654321"));
        let all = [anna.clone(), ben.clone()];
        assert_eq!(choose(&all, &[&ben]).unwrap(), anna);
        assert_eq!(choose(&all, &[&anna]).unwrap(), ben);
        assert!(matches!(choose(&all, &[]), Err(Failure::Usage { way_out, .. }) if way_out.contains("+31687654321")));
        assert_eq!(choose(&all[..1], &[]).unwrap(), anna);
        // Notes to oneself are not for this rule to forbid.
        assert_eq!(choose(&all[..1], &[&anna]).unwrap(), anna);
        assert!(matches!(choose(&[], &[]), Err(Failure::Failed { .. })));
    }

    #[test]
    fn only_the_address_of_a_server_is_taken() {
        assert!(server_url("http://localhost:3000").is_ok());
        assert!(server_url("https://example.org/tidings/").is_ok());
        for wrong in ["localhost:3000", "ftp://example.org", "https://a@b", "https://b/?q", "", "http://"] {
            assert!(matches!(server_url(wrong), Err(Failure::Usage { .. })), "{wrong}");
        }
    }
}
