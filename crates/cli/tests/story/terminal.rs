//! A terminal that nobody sits at: a pseudo-terminal, and a model of what its screen shows.

use crate::world::{PATIENCE, World};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<vt100::Parser>>,
    child: Child,
}

impl Terminal {
    pub fn start(world: &World, rows: u16, columns: u16, args: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are pseudo-terminals");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("it is a terminal");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let name = name.to_str().expect("it is ASCII");
        let slave = OpenOptions::new().read(true).write(true).open(name).expect("it is ours");
        let stdio = || Stdio::from(slave.try_clone().expect("there are file descriptors"));
        let child = world
            .command(args)
            .env("TERM", "xterm-256color")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .expect("the binary was built");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size_of(rows), size_of(columns), 0)));
        let keyboard = File::from(master);
        let mut output = keyboard.try_clone().expect("there are file descriptors");
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with an error when nobody has the other side any more.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().expect("nobody panics with it").process(&bytes[..count]);
            }
        });
        Self { keyboard, screen, child }
    }

    pub fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("it is open");
    }

    pub fn shown(&self) -> String {
        self.screen.lock().expect("nobody panics with it").screen().contents()
    }

    pub fn screen(&self) -> vt100::Screen {
        self.screen.lock().expect("nobody panics with it").screen().clone()
    }

    pub fn is_taken_over(&self) -> bool {
        self.screen.lock().expect("nobody panics with it").screen().alternate_screen()
    }

    /// Waits until this is on the screen.
    pub fn shows(&self, text: &str) {
        let give_up = Instant::now() + PATIENCE;
        while !self.shown().contains(text) {
            assert!(Instant::now() < give_up, "{text:?} never came on the screen:\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    }

    pub fn wait(&mut self) -> Option<i32> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it was started by us") {
                return status.code();
            }
            assert!(Instant::now() < give_up, "it does not end:\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn size_of(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a terminal has room")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
