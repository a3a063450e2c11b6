//! `tidings`: the server, the terminal client, the agent and the benchmarks in one binary.
//!
//! * [`command`]: one file per subcommand. * [`profile`]: the accounts on this machine. * [`driver`]: carries out what
//!   the client core asks for (sockets, HTTP, timers), and lets several processes share one account.
//! * [`show`]: how things look as text and as JSON. * [`chat`]: the terminal chat. * [`agent`]: the local HTTP API.
//! * [`admin`]: for whoever runs a server. * [`mod@bench`]: the benchmarks. * [`failure`]: why a command ends without success.
//! * [`feed`]: news for programs. * [`person`]: phone numbers. * [`target`]: how conversations are named. * [`span`]:
//!   how long things last. * [`open_files`]: how many connections may be open.

mod admin;
mod agent;
mod bench;
mod chat;
mod command;
mod driver;
mod failure;
mod feed;
mod open_files;
mod person;
mod preview;
mod profile;
mod show;
mod span;
mod target;

use clap::{Args, Parser, Subcommand};
use failure::Failure;
use person::Phone;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Five minutes to the first message:
  tidings serve                              in one terminal; codes are printed there
  tidings register +31612345678              in a second one; type the code
  tidings register +31687654321              a second person, also on this machine
  tidings --as +31612345678 chat +31687654321
  tidings --as +31687654321 chat +31612345678     in a third terminal

Exit codes: 0 it worked, 1 it failed (the message says why), 2 the command line was wrong.";

/// A private messenger that you run yourself: end-to-end encrypted, one binary.
#[derive(Parser)]
#[command(name = "tidings", version, after_help = AFTER_HELP, max_term_width = 100, subcommand_required = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every client command takes.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Account (of client commands)")]
struct Common {
    /// Which of the accounts on this machine to use; needed only where there are several
    #[arg(long = "as", global = true, value_name = "PHONE", env = "TIDINGS_ACCOUNT", hide_env_values = true)]
    account: Option<Phone>,
    /// The server's address; an account remembers the one that it was registered at
    #[arg(long, global = true, value_name = "URL", env = "TIDINGS_SERVER", hide_env_values = true)]
    server: Option<String>,
    /// Where accounts are kept on this machine
    #[arg(long, global = true, value_name = "FOLDER", env = "TIDINGS_HOME", hide_env_values = true)]
    home: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server
    Serve(command::serve::Serve),
    /// Create an account for a phone number, or add this device to it
    Register(command::register::Register),
    /// Make this machine another device of an account, by way of a device that it has
    Link(command::link::Link),
    /// Print the account's devices, name them, throw one out
    Devices(command::devices::Devices),
    /// Chat with somebody in the terminal
    Chat(command::chat::Chat),
    /// Send one message
    Send(command::send::Send),
    /// Print what happens, as it happens
    Listen(command::listen::Listen),
    /// Print the messages with somebody
    History(command::history::History),
    /// Print the conversations
    List(command::list::List),
    /// Groups: make them, invite people, manage them
    Group(command::group::Group),
    /// React to a message with an emoji
    React(command::react::React),
    /// Change the text of a message of yours
    Edit(command::edit::Edit),
    /// Delete a message for everyone, or here only
    Delete(command::delete::Delete),
    /// Send a message on to others
    Forward(command::forward::Forward),
    /// Ask something, with answers to choose from
    Poll(command::poll::Poll),
    /// Choose in a poll
    Vote(command::poll::Vote),
    /// Send a place
    Location(command::place::Location),
    /// Send somebody's number
    Card(command::place::Card),
    /// Show who has a message of yours, and who has read it
    Info(command::info::Info),
    /// Find messages by their words, on this device
    Search(command::search::Search),
    /// Star a message, to find it again
    Star(command::star::Star),
    /// Print the starred messages
    Starred(command::starred::Starred),
    /// Pin a message for everybody in a chat, or a chat to the top of your list
    Pin(command::pin::Pin),
    /// Print the pinned messages of a chat
    Pins(command::pins::Pins),
    /// Let nothing ring for a chat, for a while or for ever
    Mute(command::mute::Mute),
    /// Put a chat out of sight until a new message comes
    Archive(command::archive::Archive),
    /// Mark a chat as unread, to come back to it
    Unread(command::unread::Unread),
    /// Let messages disappear some time after they were sent
    Timer(command::timer::Timer),
    /// Keep a text for later
    Draft(command::draft::Draft),
    /// Compare safety numbers with somebody
    Verify(command::verify::Verify),
    /// How you present yourself: name, a line about you, picture
    Profile(command::profile::Profile),
    /// Your address book: names for numbers, and who of them is there
    Contacts(command::contacts::Contacts),
    /// What others see of you, who finds you, and who may put you into groups
    Privacy(command::privacy::Privacy),
    /// Receive nothing more from somebody
    Block(command::block::Block),
    /// Receive from somebody again
    Unblock(command::block::Unblock),
    /// Tell those who run the server about a person or a group
    Report(command::report::Report),
    /// A PIN that a login on your number needs too, against theft of the number
    Lock(command::lock::Lock),
    /// Delete your account
    Account(command::account::Account),
    /// Show the account, the connection and what waits
    Status(command::status::Status),
    /// Make the encrypted backup of your account, and choose what opens it
    Backup(command::backup::Backup),
    /// Bring an account back from its backup
    Restore(command::restore::Restore),
    /// Write all that this device keeps into a folder, to read and for programs
    Export(command::export::Export),
    /// Log this device out and delete what it stored
    Logout(command::logout::Logout),
    /// Serve a local HTTP API for scripts, in plain JSON
    Agent(command::agent::Agent),
    /// Look after a server, on its own machine
    Admin(admin::Admin),
    /// Measure a server
    Bench(bench::Args),
}

/// How long the end of the process waits for its threads.
const SHUTDOWN_MAX: std::time::Duration = std::time::Duration::from_secs(5);

fn main() -> ExitCode {
    let cli = Cli::parse();
    rustls::crypto::ring::default_provider().install_default().expect("nobody installed another one before");
    match run(cli.command, cli.common) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command, common: Common) -> Result<(), Failure> {
    // The benchmarks choose threads for themselves.
    if let Command::Bench(args) = command {
        return bench::run(args);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the threads could not be started: {error}")))?;
    let result = runtime.block_on(async {
        match command {
            Command::Serve(it) => it.run(&common).await,
            Command::Register(it) => it.run(&common).await,
            Command::Link(it) => it.run(&common).await,
            Command::Devices(it) => it.run(&common).await,
            Command::Chat(it) => it.run(&common).await,
            Command::Send(it) => it.run(&common).await,
            Command::Listen(it) => it.run(&common).await,
            Command::History(it) => it.run(&common).await,
            Command::List(it) => it.run(&common).await,
            Command::Group(it) => it.run(&common).await,
            Command::React(it) => it.run(&common).await,
            Command::Edit(it) => it.run(&common).await,
            Command::Delete(it) => it.run(&common).await,
            Command::Forward(it) => it.run(&common).await,
            Command::Poll(it) => it.run(&common).await,
            Command::Vote(it) => it.run(&common).await,
            Command::Location(it) => it.run(&common).await,
            Command::Card(it) => it.run(&common).await,
            Command::Profile(it) => it.run(&common).await,
            Command::Info(it) => it.run(&common).await,
            Command::Search(it) => it.run(&common).await,
            Command::Star(it) => it.run(&common).await,
            Command::Starred(it) => it.run(&common).await,
            Command::Pin(it) => it.run(&common).await,
            Command::Pins(it) => it.run(&common).await,
            Command::Mute(it) => it.run(&common).await,
            Command::Archive(it) => it.run(&common).await,
            Command::Unread(it) => it.run(&common).await,
            Command::Timer(it) => it.run(&common).await,
            Command::Draft(it) => it.run(&common).await,
            Command::Verify(it) => it.run(&common).await,
            Command::Contacts(it) => it.run(&common).await,
            Command::Privacy(it) => it.run(&common).await,
            Command::Block(it) => it.run(&common).await,
            Command::Unblock(it) => it.run(&common).await,
            Command::Report(it) => it.run(&common).await,
            Command::Lock(it) => it.run(&common).await,
            Command::Account(it) => it.run(&common).await,
            Command::Status(it) => it.run(&common).await,
            Command::Backup(it) => it.run(&common).await,
            Command::Restore(it) => it.run(&common).await,
            Command::Export(it) => it.run(&common).await,
            Command::Logout(it) => it.run(&common).await,
            Command::Agent(it) => it.run(&common).await,
            Command::Admin(it) => it.run(),
            Command::Bench(_) => unreachable!("was run above"),
        }
    });
    // The database is closed before the process ends, for OpenSSL tears down at exit what a thread may still use; a
    // blocked read of the terminal must not hold that up for long.
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    result
}
