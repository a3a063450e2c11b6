//! `cargo xtask demo`: two people talk by themselves, with the real binary, while one goes offline and the server is
//! killed; then they make a group. It prints what happens, and fails if anything is not as it should be.

mod group;
mod stage;

use crate::cargo::cargo;
use stage::{Result, Running, Stage, Wrong};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Instant;

const ANNA: &str = "+31612345678";
const BRAM: &str = "+31687654321";

#[derive(clap::Args)]
pub struct Demo {
    /// Use this binary instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
}

impl Demo {
    pub fn run(&self) -> ExitCode {
        let played = self.binary().and_then(Play::new).and_then(Play::play);
        match played {
            Ok(()) => ExitCode::SUCCESS,
            Err(wrong) => {
                eprintln!("\nThe demo FAILED: {wrong}");
                ExitCode::FAILURE
            }
        }
    }

    fn binary(&self) -> Result<PathBuf> {
        if let Some(binary) = &self.binary {
            return Ok(std::path::absolute(binary)?);
        }
        eprintln!("Building tidings; the first time takes some minutes.");
        let output = cargo()
            .args(["build", "--release", "--package", "tidings-cli", "--message-format=json-render-diagnostics"])
            .stderr(Stdio::inherit())
            .output()?;
        let messages = String::from_utf8_lossy(&output.stdout);
        let path = messages.lines().filter_map(|line| value(line, "executable")).next_back();
        path.map(PathBuf::from).ok_or_else(|| Wrong("tidings could not be built".into()))
    }
}

/// The stage, and the time since the curtain rose.
struct Play {
    stage: Stage,
    begin: Instant,
    /// What both must have in the end, in order.
    said: Vec<(&'static str, &'static str)>,
}

/// The people who listen, and the server.
struct Cast {
    server: Running,
    anna: Running,
    bram: Running,
}

impl Play {
    fn new(binary: PathBuf) -> Result<Self> {
        Ok(Self { stage: Stage::new(binary)?, begin: Instant::now(), said: Vec::new() })
    }

    fn tell(&self, what: &str) {
        println!("[{:6.2} s]  {what}", self.begin.elapsed().as_secs_f64());
    }

    fn play(mut self) -> Result<()> {
        let mut cast = self.they_meet()?;
        self.they_talk(&cast)?;
        cast = self.bram_goes_away(cast)?;
        cast = self.the_server_is_killed(cast)?;
        self.they_compare()?;
        self.they_make_a_group(&cast)?;
        drop(cast);
        self.tell("Everything as promised: nothing lost, nothing doubled, nothing out of order.");
        Ok(())
    }

    fn they_meet(&mut self) -> Result<Cast> {
        let server = self.stage.serve()?;
        self.tell(&format!(
            "A fresh server runs on http://{}, its data in {}.",
            self.stage.address,
            self.stage.folder().display()
        ));
        self.register(&server, "Anna", ANNA)?;
        self.register(&server, "Bram", BRAM)?;
        let (anna, bram) = (self.listen(ANNA)?, self.listen(BRAM)?);
        self.tell("Both are online, each with keys of their own.");
        Ok(Cast { server, anna, bram })
    }

    fn register(&self, server: &Running, name: &str, phone: &str) -> Result<()> {
        let mut registering = self.stage.start(&["register", phone, "--name", name])?;
        let (line, _) = server.wait(|line| line.contains(&format!("SMS to {phone}")))?;
        let code: String = line.rsplit(' ').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        registering.type_in(&format!("{code}\n"))?;
        registering.end(&["register", phone])?;
        self.tell(&format!("{name} registers {phone} with the code {code} from the server's console."));
        Ok(())
    }

    fn they_talk(&mut self, cast: &Cast) -> Result<()> {
        let hello = self.send(ANNA, BRAM, "Hi Bram, are you there?", "delivered")?;
        self.show_ticks(&cast.anna, &hello, &["sent", "delivered"])?;
        self.stage.run(&["--as", BRAM, "history", ANNA, "--mark-read"])?;
        cast.anna.wait(|line| is_tick(line, &hello, "read"))?;
        self.tell("         Bram has seen it: blue ✓✓");
        let answer = self.answer(BRAM, ANNA, "Yes! Nobody else can read this.", &hello)?;
        self.show_ticks(&cast.bram, &answer, &["sent", "delivered"])?;
        self.stage.run(&["--as", ANNA, "react", BRAM, &answer, "👍"])?;
        cast.bram.wait(|line| line.contains(&answer) && line.contains("👍"))?;
        self.tell("         Anna reacts: 👍");
        Ok(())
    }

    fn bram_goes_away(&mut self, cast: Cast) -> Result<Cast> {
        let Cast { server, anna, bram } = cast;
        bram.kill()?;
        self.tell("Bram's program is killed. Anna goes on.");
        let mut ids = Vec::new();
        for text in ["I'll bring the cake.", "And candles.", "Do we have matches?"] {
            let id = self.send(ANNA, BRAM, text, "sent")?;
            self.show_ticks(&anna, &id, &["sent"])?;
            ids.push(id);
        }
        let bram = self.listen(BRAM)?;
        for id in &ids {
            anna.wait(|line| is_tick(line, id, "delivered"))?;
        }
        self.tell("Bram is back: all three have ✓✓ now.");
        Ok(Cast { server, anna, bram })
    }

    fn the_server_is_killed(&mut self, cast: Cast) -> Result<Cast> {
        let Cast { server, anna, bram } = cast;
        server.kill()?;
        self.tell("The server is killed (SIGKILL): no goodbye, no clean end.");
        let written = Instant::now();
        let id = self.send(ANNA, BRAM, "Is this thing on?", "clock")?;
        self.tell("         Anna: \"Is this thing on?\"  ◷  (kept on her device)");
        let server = self.stage.serve()?;
        self.tell("The server is started again with the data that it had.");
        // Whoever listens comes back by itself.
        anna.wait(|line| is_event(line, "message") && line.contains(&id))?;
        let (_, delivered) = anna.wait(|line| is_tick(line, &id, "delivered"))?;
        bram.wait(|line| is_event(line, "message") && line.contains(&id))?;
        self.tell(&format!(
            "         Anna's message goes out by itself: ✓✓ after {} of waiting",
            waited(written, delivered)
        ));
        let id = self.send(BRAM, ANNA, "It is. See you at seven!", "delivered")?;
        self.show_ticks(&bram, &id, &["sent", "delivered"])?;
        Ok(Cast { server, anna, bram })
    }

    fn they_compare(&self) -> Result<()> {
        let number = |who, other| -> Result<String> {
            let line = self.stage.run(&["--as", who, "verify", other, "--json"])?;
            value(&line, "safety_number").ok_or_else(|| Wrong(format!("no safety number in {line:?}")))
        };
        let (anna, bram) = (number(ANNA, BRAM)?, number(BRAM, ANNA)?);
        if anna != bram || anna.is_empty() {
            return Err(Wrong(format!("the safety numbers differ: {anna} and {bram}")));
        }
        self.tell(&format!("Their safety numbers are the same ({}…): nobody sits between them.", &anna[..15]));
        let history = |who, other| self.stage.run(&["--as", who, "history", other, "--json"]);
        let (anna, bram) = (history(ANNA, BRAM)?, history(BRAM, ANNA)?);
        for (who, history) in [("Anna", &anna), ("Bram", &bram)] {
            let found: Vec<(String, String)> =
                history.lines().filter_map(|line| Some((value(line, "id")?, value(line, "text")?))).collect();
            let found: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
            let said: Vec<&str> = self.said.iter().map(|(_, text)| *text).collect();
            if found != said {
                return Err(Wrong(format!("{who} has {found:#?}, but said was {said:#?}")));
            }
        }
        let ids = |history: &str| history.lines().filter_map(|line| value(line, "id")).collect::<Vec<_>>();
        if ids(&anna) != ids(&bram) {
            return Err(Wrong("the messages are not the same on both sides".into()));
        }
        self.tell(&format!("Both have the same {} messages in the same order. Bram's side:\n", self.said.len()));
        for line in self.stage.run(&["--as", BRAM, "history", ANNA])?.lines() {
            println!("            {line}");
        }
        println!();
        Ok(())
    }

    fn listen(&self, who: &str) -> Result<Running> {
        let listener = self.stage.start(&["--as", who, "listen", "--json"])?;
        listener.wait(|line| is_event(line, "connection") && value(line, "state").as_deref() == Some("live"))?;
        Ok(listener)
    }

    fn send(&mut self, from: &'static str, to: &str, text: &'static str, wait: &str) -> Result<String> {
        self.said.push((from, text));
        let id = self.stage.run(&["--as", from, "send", to, text, "--wait", wait])?;
        Ok(id.trim().to_owned())
    }

    fn answer(&mut self, from: &'static str, to: &str, text: &'static str, answers: &str) -> Result<String> {
        self.said.push((from, text));
        let args = ["--as", from, "send", to, text, "--wait", "delivered", "--reply-to", answers];
        Ok(self.stage.run(&args)?.trim().to_owned())
    }

    /// How long after it was written each tick came, as the writer's own program saw it.
    fn show_ticks(&self, writer: &Running, id: &str, ticks: &[&str]) -> Result<()> {
        let (line, written) = writer.wait(|line| is_event(line, "message") && line.contains(id))?;
        let (from, text) = self.said.iter().rev().find(|(_, text)| line.contains(text)).copied().unwrap_or_default();
        let mut shown = String::new();
        for tick in ticks {
            let (_, came) = writer.wait(|line| is_tick(line, id, tick))?;
            let sign = if *tick == "sent" { "✓" } else { "✓✓" };
            shown.push_str(&format!("  {sign} {}", waited(written, came)));
        }
        let name = if from == ANNA { "Anna" } else { "Bram" };
        self.tell(&format!("         {name}: \"{text}\" {shown}"));
        Ok(())
    }
}

fn waited(from: Instant, to: Instant) -> String {
    format!("{:.1} ms", to.saturating_duration_since(from).as_secs_f64() * 1_000.0)
}

fn is_event(line: &str, event: &str) -> bool {
    line.starts_with(&format!("{{\"event\":\"{event}\""))
}

/// Whether this line says that a message has this tick or a later one. On a busy machine ticks come together, or with the
/// message itself.
fn is_tick(line: &str, id: &str, tick: &str) -> bool {
    const TICKS: [&str; 3] = ["sent", "delivered", "read"];
    let rank = |tick: &str| TICKS.iter().position(|other| *other == tick);
    value(line, "id").as_deref() == Some(id) && value(line, "tick").is_some_and(|has| rank(&has) >= rank(tick))
}

/// The first value of this name in a line of JSON; enough for what our own programs print of our own texts.
fn value(line: &str, name: &str) -> Option<String> {
    let rest = line.split(&format!("\"{name}\":\"")).nth(1)?;
    rest.split('"').next().map(str::to_owned)
}
