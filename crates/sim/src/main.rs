//! `tidings-sim`: grows worlds from seeds, and prints what broke.

use clap::Parser;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use tidings_sim::{Outcome, Settings};

/// Simulate whole worlds of clients and a server, with faults, against a model
#[derive(Parser)]
struct Args {
    /// How many worlds
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first world's seed; random if not given
    #[arg(long)]
    seed: Option<u64>,
    /// Random actions in each world before it is healed
    #[arg(long, default_value_t = 150)]
    steps: u64,
    /// Worlds at once; as many as there are processors if not given
    #[arg(long)]
    threads: Option<usize>,
    /// Print every line of the story as it happens
    #[arg(long)]
    aloud: bool,
    /// Go on after a failure and count failures by their kind
    #[arg(long)]
    keep_going: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // Servers and clients that are killed complain: that is the world's business, and of interest only aloud.
    if args.aloud {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .init();
    }
    let first = args.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("worlds {first} to {} of {} steps", first + args.seeds - 1, args.steps);
    let failed = grow(&args, first);
    if failed.is_empty() {
        println!("{} worlds kept every promise", args.seeds);
        return ExitCode::SUCCESS;
    }
    for (what, seeds) in &failed {
        println!("{:>4} x {what}   e.g. {:?}", seeds.len(), &seeds[..seeds.len().min(5)]);
    }
    ExitCode::FAILURE
}

/// Gives the seeds that failed, by what broke.
fn grow(args: &Args, first: u64) -> BTreeMap<String, Vec<u64>> {
    let next = AtomicU64::new(0);
    let stop = Mutex::new(false);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let (outcomes, came) = mpsc::channel::<Outcome>();
    let mut failed: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    std::thread::scope(|scope| {
        for _ in 0..args.threads.unwrap_or(processors) {
            let (outcomes, next, stop) = (outcomes.clone(), &next, &stop);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let stopped = *stop.lock().expect("nobody panics with it");
                    if number >= args.seeds || stopped {
                        return;
                    }
                    let seed = first + number;
                    let _ = outcomes.send(tidings_sim::run(Settings { seed, steps: args.steps, aloud: args.aloud }));
                }
            });
        }
        drop(outcomes);
        for (done, outcome) in came.iter().enumerate() {
            let Some(violation) = &outcome.violation else {
                if (done + 1).is_multiple_of(25) {
                    println!("{} worlds done", done + 1);
                }
                continue;
            };
            println!("{}", outcome.report(args.steps, !args.keep_going));
            failed.entry(kind_of(violation)).or_default().push(outcome.seed);
            *stop.lock().expect("nobody panics with it") = !args.keep_going;
        }
    });
    failed
}

/// A violation without what differs from world to world.
fn kind_of(violation: &str) -> String {
    let line = violation.lines().next().unwrap_or_default();
    let word =
        |word: &str| if word.chars().any(|letter| letter.is_ascii_digit()) { "#".into() } else { word.to_owned() };
    line.split(' ').map(word).collect::<Vec<String>>().join(" ")
}
