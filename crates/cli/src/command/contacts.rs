//! `tidings contacts`: the address book. It is on the person's own devices only.

use super::{status, unexpected, with};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::person::Phone;
use crate::show::contact::Contact;
use crate::show::{out, text};
use crate::target::Target;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidings_client::address_book::vcard::{self, FILE_MAX_BYTES};
use tidings_client::command::NewContact;
use tidings_client::view::{self, Found, Skipped};
use tidings_client::{Command, Reply};
use utoipa::ToSchema;

/// Contacts that are put in at once.
const ADDED_AT_ONCE: usize = 500;
/// How long to wait for that.
const TELLING_TIMEOUT: Duration = Duration::from_secs(3);
/// Lines of a file that are named one by one.
const SKIPPED_SHOWN: usize = 20;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings contacts add +31687654321 \"Bram de Boer\"
  tidings contacts import people.vcf
  tidings contacts find
  tidings send \"Bram de Boer\" \"Back at six\"

A contact's name stands wherever the number or the name from the profile would, and any command takes it where it takes a
number. The address book is on your own devices and in your backups; the server never has it. `find` asks the server which
of the numbers are there.")]
pub struct Contacts {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Put somebody in, or give them another name
    Add(Add),
    /// Take somebody out
    Remove(Remove),
    /// Print the address book
    List(List),
    /// Take people from a vCard file, as phones and address books export them
    Import(Import),
    /// Ask the server who of them is there
    Find(Find),
}

#[derive(Args)]
#[command(after_help = "Example:\n  tidings contacts add +31687654321 \"Bram de Boer\"")]
struct Add {
    /// Their number
    phone: Phone,
    /// What you call them
    name: String,
}

#[derive(Args)]
#[command(after_help = "Example:\n  tidings contacts remove \"Bram de Boer\"\n\nThe conversation stays.")]
struct Remove {
    /// Their number, or the name that they have in the address book
    who: Target,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings contacts list
  tidings contacts list --json | jq -r 'select(.on_tidings) | .name'")]
struct List {
    /// Print one JSON object per contact
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings contacts import people.vcf

vCard 3.0 and 4.0: each person's name and all numbers. A number without a country code is taken for one of your own
country. What cannot be taken is named with its line; the rest comes in.")]
struct Import {
    /// The file
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings contacts find

The server learns the numbers that it is asked about, keeps none of them, and answers so many a day. Each is asked about once:
that somebody is there is remembered for good, that nobody is for a day.")]
struct Find {
    /// Print one JSON object per contact
    #[arg(long)]
    json: bool,
}

impl Contacts {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[], async |handle| match self.what {
            What::Add(it) => {
                add(handle, vec![NewContact { phone: it.phone.to_string(), name: it.name.clone() }]).await?;
                settle(handle).await;
                out::line(&format!("{} is {} in your address book.", it.phone, text::line(it.name.trim())))
            }
            What::Remove(it) => {
                let phone = number_of(handle, &it.who).await?;
                handle.call(Command::RemoveContact { phone: phone.clone() }).await?;
                settle(handle).await;
                out::line(&format!("{phone} is not in your address book any more."))
            }
            What::List(it) => {
                super::catch_up_to_look(handle).await?;
                print(handle.call(Command::Contacts).await?, it.json)
            }
            What::Import(it) => {
                let bytes = read(&it.file)?;
                let imported = import(handle, &bytes).await?;
                settle(handle).await;
                report(&imported, it.json)
            }
            What::Find(it) => {
                super::catch_up(handle).await?;
                print(handle.call(Command::FindContacts).await?, it.json)
            }
        })
        .await
    }
}

/// One's other devices are told, if there is a network: what is not sent now goes with the next command.
async fn settle(handle: &Handle) {
    let _ = super::sent(handle, TELLING_TIMEOUT).await;
}

async fn add(handle: &Handle, contacts: Vec<NewContact>) -> Result<(u64, u64), Failure> {
    match handle.call(Command::AddContacts { contacts }).await? {
        Reply::ContactsAdded { added, renamed } => Ok((added, renamed)),
        other => Err(unexpected(&other)),
    }
}

/// The address book.
pub async fn all(handle: &Handle) -> Result<Vec<view::Contact>, Failure> {
    match handle.call(Command::Contacts).await? {
        Reply::Contacts(contacts) => Ok(contacts),
        other => Err(unexpected(&other)),
    }
}

async fn number_of(handle: &Handle, who: &Target) -> Result<String, Failure> {
    if let Some(phone) = who.phone() {
        return Ok(phone.to_string());
    }
    let name = who.to_string();
    let book = all(handle).await?;
    let named: Vec<&view::Contact> = book.iter().filter(|it| who.is_called(&it.name)).collect();
    match named.as_slice() {
        [one] => Ok(one.phone.clone()),
        [] => Err(Failure::with(
            format!("nobody in your address book is called {name:?}"),
            "See `tidings contacts list`.",
        )),
        several => {
            let numbers: Vec<String> = several.iter().map(|it| format!("  {}", it.phone)).collect();
            let way_out = format!("Say which number:\n{}", numbers.join("\n"));
            Err(Failure::usage(format!("{name:?} has several numbers"), way_out))
        }
    }
}

fn print(reply: Reply, json: bool) -> Result<(), Failure> {
    let Reply::Contacts(contacts) = reply else { return Err(unexpected(&reply)) };
    if json {
        return contacts.iter().try_for_each(|contact| out::json(&Contact::from(contact)));
    }
    for contact in &contacts {
        let there = match contact.found {
            Found::Here => "on Tidings",
            Found::Nobody => "not on Tidings",
            Found::Unknown => "",
        };
        let profile = match &contact.profile_name {
            Some(name) if *name != contact.name => format!("  (calls themselves {})", text::line(name)),
            _ => String::new(),
        };
        out::line(format!("{}  {}  {there}{profile}", text::line(&contact.name), contact.phone).trim_end())?;
    }
    match contacts.iter().any(|contact| contact.found == Found::Unknown) {
        true => out::line("(tidings contacts find asks who of them is there)"),
        false if contacts.is_empty() => out::line("Nobody yet. Put somebody in with: tidings contacts add +31… NAME"),
        false => Ok(()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = text::line(&path.display().to_string());
    let unreadable = |error: std::io::Error| Failure::new(format!("{shown} cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(Failure::new(format!("{shown} is a folder")));
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// What became of a vCard file.
#[derive(Serialize, ToSchema)]
pub struct Imported {
    /// Numbers that are new in the address book.
    pub added: u64,
    /// Numbers that have another name now.
    pub renamed: u64,
    pub skipped: Vec<Left>,
}

/// What was not taken, and why.
#[derive(Serialize, ToSchema)]
pub struct Left {
    /// Of the file, from 1.
    pub line: u64,
    pub why: String,
}

pub async fn import(handle: &Handle, bytes: &[u8]) -> Result<Imported, Failure> {
    let file = vcard::read(bytes).map_err(|error| Failure::new(error.to_string()))?;
    let own = status(handle).await?.phone.and_then(|own| own.parse::<Phone>().ok());
    let mut skipped: Vec<Left> = file.skipped.into_iter().map(|Skipped { line, why }| Left { line, why }).collect();
    // Of two cards with the same number the later one names it.
    let mut contacts = BTreeMap::new();
    for card in file.cards {
        for written in card.phones {
            match Phone::at_home(&written, own.as_ref()) {
                Ok(phone) => drop(contacts.insert(phone.to_string(), card.name.clone())),
                Err(why) => skipped.push(Left { line: card.line, why: format!("{written}: {why}") }),
            }
        }
    }
    skipped.sort_by_key(|left| left.line);
    let contacts: Vec<NewContact> = contacts.into_iter().map(|(phone, name)| NewContact { phone, name }).collect();
    let mut imported = Imported { added: 0, renamed: 0, skipped };
    for some in contacts.chunks(ADDED_AT_ONCE) {
        let (added, renamed) = add(handle, some.to_vec()).await?;
        imported.added += added;
        imported.renamed += renamed;
    }
    Ok(imported)
}

fn report(imported: &Imported, json: bool) -> Result<(), Failure> {
    if json {
        return out::json(imported);
    }
    let Imported { added, renamed, skipped } = imported;
    out::line(&format!("{added} added, {renamed} renamed, {} not taken.", skipped.len()))?;
    for left in skipped.iter().take(SKIPPED_SHOWN) {
        out::line(&format!("  line {}: {}", left.line, text::line(&left.why)))?;
    }
    match skipped.len() > SKIPPED_SHOWN {
        true => out::line(&format!("  … and {} more (--json names all)", skipped.len() - SKIPPED_SHOWN)),
        false => Ok(()),
    }
}
