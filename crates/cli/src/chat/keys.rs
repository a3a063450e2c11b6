//! What the keyboard does.

use super::slash::{self, Typed};
use super::{Chat, Flow};
use crate::failure::Failure;
use crate::show::time::now_ms;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tidings_client::Command;

/// While something is being written, the other person is told this often.
const TYPING_EVERY_MS: u64 = 3_000;
/// Without a key for this long, nothing is being written.
const TYPING_IDLE_MS: u64 = 5_000;

impl Chat<'_> {
    pub(super) async fn on_terminal(&mut self, event: Event) -> Result<Flow, Failure> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                if matches!(key.code, KeyCode::Esc | KeyCode::Char('q')) && self.state.overlay.take().is_some() {
                    return Ok(Flow::On);
                }
                let (columns, rows) = Self::size();
                if !is_quit(key) && self.state.turn_overlay(columns, rows) {
                    return Ok(Flow::On);
                }
                return self.on_key(key).await;
            }
            Event::Paste(text) => {
                self.state.input.insert(&text.replace("\r\n", "\n").replace('\r', "\n"));
                self.typing().await?;
            }
            Event::FocusGained => self.state.focused = true,
            Event::FocusLost => self.state.focused = false,
            _ => {}
        }
        Ok(Flow::On)
    }

    async fn on_key(&mut self, key: KeyEvent) -> Result<Flow, Failure> {
        if is_quit(key) {
            return Ok(Flow::Quit);
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let input = &mut self.state.input;
        match key.code {
            KeyCode::Enter if alt => input.insert("\n"),
            KeyCode::Enter => return self.enter().await,
            KeyCode::Left if control || alt => input.word_left(),
            KeyCode::Right if control || alt => input.word_right(),
            KeyCode::Left => input.left(),
            KeyCode::Right => input.right(),
            KeyCode::Home => input.home(),
            KeyCode::End => input.end(),
            KeyCode::Backspace if alt => input.delete_word(),
            KeyCode::Backspace => input.backspace(),
            KeyCode::Delete => input.delete(),
            KeyCode::Char('a') if control => input.home(),
            KeyCode::Char('e') if control => input.end(),
            KeyCode::Char('w') if control => input.delete_word(),
            KeyCode::Char('u') if control => input.delete_to_start(),
            KeyCode::Char('k') if control => input.delete_to_end(),
            KeyCode::Up => self.scroll(1).await?,
            KeyCode::Down => self.scroll(-1).await?,
            KeyCode::PageUp => self.scroll(page()).await?,
            KeyCode::PageDown => self.scroll(-page()).await?,
            KeyCode::Esc => self.state.scroll = 0,
            KeyCode::Char(c) if !control && !alt => {
                input.insert(c.encode_utf8(&mut [0; 4]));
                self.typing().await?;
            }
            _ => {}
        }
        Ok(Flow::On)
    }

    async fn scroll(&mut self, up: isize) -> Result<(), Failure> {
        let (_, rows) = Self::size();
        self.state.scroll_by(up, rows);
        let at_top = self.state.scroll + rows >= self.state.lines;
        if up > 0 && at_top && !self.state.complete {
            self.load_older().await?;
        }
        Ok(())
    }

    async fn enter(&mut self) -> Result<Flow, Failure> {
        let line = self.state.input.text().to_owned();
        if line.trim().is_empty() {
            self.state.scroll = 0;
            return Ok(Flow::On);
        }
        let done = match slash::parse(&line) {
            Ok(Typed::Quit) => return Ok(Flow::Quit),
            Ok(typed) => self.act(typed).await,
            Err(why) => Err(Failure::new(why)),
        };
        match done {
            Ok(()) => {
                self.state.input.take();
                self.state.scroll = 0;
                self.stop_typing().await?;
            }
            // The line stays, to be put right.
            Err(failure) => self.state.tell(failure.what(), now_ms()),
        }
        Ok(Flow::On)
    }

    /// Something was typed. Commands are nobody's business.
    async fn typing(&mut self) -> Result<(), Failure> {
        let now = now_ms();
        let text = self.state.input.text();
        let told_lately = self.typing_told_ms.is_some_and(|told| now.saturating_sub(told) < TYPING_EVERY_MS);
        if told_lately || text.trim().is_empty() || text.starts_with('/') {
            return Ok(());
        }
        self.typing_told_ms = Some(now);
        self.tell_typing(true).await
    }

    pub(super) async fn stop_typing_if_idle(&mut self) -> Result<(), Failure> {
        match self.typing_told_ms {
            Some(told) if now_ms().saturating_sub(told) > TYPING_IDLE_MS => self.stop_typing().await,
            _ => Ok(()),
        }
    }

    async fn stop_typing(&mut self) -> Result<(), Failure> {
        match self.typing_told_ms.take() {
            Some(_) => self.tell_typing(false).await,
            None => Ok(()),
        }
    }

    /// Where there is nobody to tell yet, nothing is lost.
    async fn tell_typing(&self, on: bool) -> Result<(), Failure> {
        self.handle.ask(Command::Typing { to: self.peer.clone(), on }).await.map(drop)
    }
}

fn is_quit(key: KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char('c' | 'd')) && key.modifiers.contains(KeyModifiers::CONTROL)
}

fn page() -> isize {
    isize::try_from(Chat::size().1.saturating_sub(1).max(1)).unwrap_or(1)
}
