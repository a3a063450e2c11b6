//! `tidings group add` and `group remove`: one or a thousand people in one go.

use super::whom::{self, Whom};
use super::{Patience, change, look, settled};
use crate::Common;
use crate::command::with;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::person::Phone;
use crate::show::out;
use crate::target::Target;
use clap::Args;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;
use tidings_client::{Command, Peer, Reply};
use tidings_proto::limit::PARTICIPANTS_MAX;
use tokio::time::Instant;

/// More is no list of the people of a group.
const FILE_MAX_BYTES: u64 = 1024 * 1024;
/// For each person that is added, the wait for the server is this much longer.
const PATIENCE_PER_PERSON: Duration = Duration::from_millis(250);
/// How often a long wait says that it goes on.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// From so many people on, a wait says that it goes on.
const MANY: usize = 20;

/// On the command line, or in a file.
#[derive(Args, Clone, Debug)]
pub struct People {
    /// Whom: numbers, as in +31687654321, or names of the address book
    #[arg(value_name = "WHO")]
    who: Vec<Target>,
    /// A file with more of them, one number a line; - is standard input. What follows a # or a comma does not count
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

impl People {
    /// Everybody once, in order.
    pub fn read(&self) -> Result<Vec<Target>, Failure> {
        let by_text = |who: Target| (who.to_string(), who);
        let mut people: BTreeMap<String, Target> = self.who.iter().cloned().map(by_text).collect();
        if let Some(path) = &self.from {
            let text = read_file(path)?;
            let numbers = numbers(&text).map_err(|why| Failure::usage(why, "Write one number a line."))?;
            people.extend(numbers.into_iter().map(Target::Phone).map(by_text));
        }
        if people.len() > PARTICIPANTS_MAX {
            return Err(Failure::usage(
                format!("{} people are more than a group can have", people.len()),
                format!("A group has at most {PARTICIPANTS_MAX}, you among them."),
            ));
        }
        Ok(people.into_values().collect())
    }
}

/// Whom the core should be asked about.
pub async fn peers(people: &[Target], handle: &Handle) -> Result<Vec<Peer>, Failure> {
    let mut peers = Vec::with_capacity(people.len());
    for person in people {
        peers.push(person.person(handle).await?);
    }
    Ok(peers)
}

fn read_file(path: &PathBuf) -> Result<String, Failure> {
    let failed = |why: String| Failure::new(format!("{}: {why}", path.display()));
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(FILE_MAX_BYTES + 1).read_to_string(&mut text),
        false => std::fs::File::open(path).and_then(|file| file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text)),
    };
    read.map_err(|error| failed(error.to_string()))?;
    match text.len() as u64 > FILE_MAX_BYTES {
        true => Err(failed("the file is too long to be a list of numbers".into())),
        false => Ok(text),
    }
}

/// Empty lines, and what follows a `#` or a comma, do not count.
fn numbers(text: &str) -> Result<Vec<Phone>, String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split(['#', ',', ';']).next().unwrap_or_default().trim().trim_matches('"');
        if !line.is_empty() {
            found.push(line.parse().map_err(|why| format!("line {}: {why}", number + 1))?);
        }
    }
    Ok(found)
}

impl Patience {
    /// Everybody's keys have to be fetched.
    pub fn for_people(self, count: usize) -> Duration {
        self.within() + PATIENCE_PER_PERSON * u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// Says on standard error that a long wait goes on, and how long it took.
pub async fn add_with_progress<T>(count: usize, work: impl Future<Output = T>) -> T {
    if count < MANY {
        return work.await;
    }
    let begin = Instant::now();
    let to_a_person = std::io::stderr().is_terminal();
    eprintln!("Looking {count} people up, fetching their keys, and adding all of them in one step:");
    tokio::pin!(work);
    let mut every = tokio::time::interval(PROGRESS_EVERY);
    loop {
        tokio::select! {
            result = &mut work => {
                let took = begin.elapsed().as_secs_f64();
                eprintln!("{}after {took:.1} s", if to_a_person { "\r" } else { "" });
                return result;
            }
            _ = every.tick(), if to_a_person => eprint!("\r{} s ", begin.elapsed().as_secs()),
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group add Cinema +31655555555 \"Bram de Boer\"
  tidings group add Street --from numbers.txt      up to 1,023 people in one step

They read what is said from now on. Who has no device at all is named, and not added; all others are.")]
pub struct Add {
    /// Which group: its name or id
    group: Target,
    #[command(flatten)]
    people: People,
    #[command(flatten)]
    patience: Patience,
}

impl Add {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let people = self.people.read()?;
        if people.is_empty() {
            return Err(Failure::usage("nobody is named", "Write numbers after the group, or --from FILE."));
        }
        let about: Vec<&Target> = people.iter().collect();
        let added = with(common, &about, async |handle| {
            let group = self.group.peer(handle).await?;
            let members = peers(&people, handle).await?;
            let command = Command::AddMembers { group: group.clone(), members };
            let within = self.patience.for_people(people.len());
            add_with_progress(people.len(), settled(handle, command, within)).await?;
            look(handle, group).await
        });
        out::line(&format!("Done: {} has {} members.", self.group, added.await?.members.len()))
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group remove Cinema +31655555555
  tidings group remove Cinema Carla

Only admins. Whoever is removed cannot read what is said from the next message on, whatever their program does.")]
pub struct Remove {
    /// Which group: its name or id
    group: Target,
    /// Whom: by number, name or id, as `tidings group info` shows them
    #[arg(required = true)]
    who: Vec<Whom>,
    #[command(flatten)]
    patience: Patience,
}

impl Remove {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let done = change(common, &self.group, self.patience, async |handle, group| {
            let people = whom::members(&look(handle, group.clone()).await?);
            let members = self.who.iter().map(|who| who.among(&people)).collect::<Result<_, _>>()?;
            Ok(Command::RemoveMembers { group, members })
        });
        match done.await? {
            Reply::Done => {
                let names: Vec<String> = self.who.iter().map(ToString::to_string).collect();
                out::line(&format!("Removed from {}: {}", self.group, names.join(", ")))
            }
            other => Err(super::unexpected(&other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_number_a_line() {
        let text = "+31612345678\n\n  # the others\n+31 6 8765 4321, Bram\r\n\"+31612345678\"\n";
        let found: Vec<String> = numbers(text).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["+31612345678", "+31687654321", "+31612345678"]);
        assert!(numbers("+31612345678\n0612\n").unwrap_err().starts_with("line 2: "));
    }
}
