//! The second act: a group, a link, who has read what, and somebody who is removed.

use super::stage::{Result, Running, Wrong};
use super::{ANNA, BRAM, Cast, Play, is_event, value};
use std::time::{Duration, Instant};

const CARLA: &str = "+31623456789";
const CAKE: &str = "Cake at seven, everybody!";
const SECRET: &str = "Carla must not know: it is her surprise.";

/// Whoever waits so long waits for nothing.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Play {
    pub(super) fn they_make_a_group(&mut self, cast: &Cast) -> Result<()> {
        self.register(&cast.server, "Carla", CARLA)?;
        self.stage.run(&["--as", ANNA, "group", "create", "Birthday", BRAM])?;
        self.tell("Anna makes the group \"Birthday\" with Bram. The server does not learn its name.");
        let made = self.stage.run(&["--as", ANNA, "group", "invite", "Birthday", "--expires", "7d", "--json"])?;
        let link = value(&made, "link").ok_or_else(|| Wrong(format!("no link in {made:?}")))?;
        self.tell(&format!("She makes a link, good for 7 days: {}…", &link[..link.len().min(44)]));
        self.stage.run(&["--as", CARLA, "group", "join", &link])?;
        let carla = self.listen(CARLA)?;
        self.until("Carla knows the group", |play| {
            Ok(play.stage.run(&["--as", CARLA, "group", "list"])?.contains("Birthday"))
        })?;
        self.tell("Carla comes in by it; the members tell her what the group is called.");
        self.stage.run(&["--as", CARLA, "send", "Birthday", "Hi, Carla here.", "--wait", "sent"])?;
        cast.anna.wait(|line| is_event(line, "message") && line.contains("Carla here"))?;
        self.all_hear(cast, &carla)?;
        self.carla_is_removed()
    }

    fn all_hear(&self, cast: &Cast, carla: &Running) -> Result<()> {
        let id = self.stage.run(&["--as", ANNA, "send", "Birthday", CAKE, "--wait", "delivered"])?.trim().to_owned();
        for listener in [&cast.bram, carla] {
            listener.wait(|line| is_event(line, "message") && line.contains(&id))?;
        }
        self.tell(&format!("         Anna: \"{CAKE}\"  ✓✓"));
        self.stage.run(&["--as", BRAM, "history", "Birthday", "--mark-read"])?;
        let info = || -> Result<String> { self.stage.run(&["--as", ANNA, "info", "Birthday", &id]) };
        self.until("Anna sees that Bram has read it", |_| Ok(info()?.starts_with("Read by:")))?;
        self.tell("Bram has seen it, Carla has it. What Anna's program knows (`tidings info`):\n");
        info()?.lines().for_each(|line| println!("            {line}"));
        println!();
        Ok(())
    }

    fn carla_is_removed(&self) -> Result<()> {
        self.stage.run(&["--as", ANNA, "group", "remove", "Birthday", CARLA])?;
        self.stage.run(&["--as", ANNA, "send", "Birthday", SECRET, "--wait", "delivered"])?;
        let has_it =
            |who| -> Result<bool> { Ok(self.stage.run(&["--as", who, "history", "Birthday"])?.contains(SECRET)) };
        if has_it(CARLA)? || !has_it(BRAM)? {
            return Err(Wrong("who was removed reads on, or who was not does not".into()));
        }
        self.tell("Carla is removed. The very next message is not for her, and Bram has it.");
        Ok(())
    }

    fn until(&self, what: &str, so: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let give_up = Instant::now() + PATIENCE;
        while !so(self)? {
            if Instant::now() > give_up {
                return Err(Wrong(format!("never: {what}")));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}
