//! How the chat looks: messages, one line of state, one line of input. Fits any size, down to a few columns.

use super::state::{Overlay, State};
use crate::show::{line, plain, presence, text, time};
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use tidings_client::event::Connection;
use tidings_client::view::{Body, Message, Tick};
use unicode_width::UnicodeWidthStr;

/// Below this there is no room for numbers and times beside the text.
const WIDE_COLUMNS: usize = 40;
const PROMPT: &str = "> ";
const SENDER_COLUMNS: usize = 20;

/// When and where somebody looks.
pub struct Now {
    pub ms: u64,
    pub zone: TimeZone,
}

pub fn draw(frame: &mut Frame, state: &State, lines: Vec<Line<'static>>, now: &Now) {
    let [messages, status, input] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(1), Constraint::Length(1)]).areas(frame.area());
    let rows = usize::from(messages.height);
    let end = lines.len().saturating_sub(state.scroll);
    let shown: Vec<Line> = lines.into_iter().take(end).skip(end.saturating_sub(rows)).collect();
    // New messages stand at the bottom, like the conversation's end.
    let height = u16::try_from(shown.len()).unwrap_or(messages.height).min(messages.height);
    let bottom = Rect { y: messages.y + messages.height - height, height, ..messages };
    frame.render_widget(Paragraph::new(shown), bottom);
    if let Some(overlay) = &state.overlay {
        draw_overlay(frame, messages, overlay);
    }
    frame.render_widget(Paragraph::new(status_line(state, now, usize::from(status.width))), status);
    draw_input(frame, input, state);
}

fn draw_input(frame: &mut Frame, area: Rect, state: &State) {
    let columns = usize::from(area.width).saturating_sub(PROMPT.len());
    let (shown, cursor) = state.input.shown(columns);
    frame.render_widget(Paragraph::new(Line::from(vec![Span::styled(PROMPT, dim()), Span::raw(shown)])), area);
    let column = u16::try_from(PROMPT.len() + cursor).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    frame.set_cursor_position(Position { x: area.x + column, y: area.y });
}

fn draw_overlay(frame: &mut Frame, area: Rect, overlay: &Overlay) {
    let rows = usize::from(area.height).saturating_sub(1).max(1);
    let all = text::wrap(&overlay.text, usize::from(area.width));
    let hint = if overlay.seen + rows < all.len() {
        "(any key: more; q: back to the chat)"
    } else {
        "(any key: back to the chat)"
    };
    let mut lines: Vec<Line> = all.into_iter().skip(overlay.seen).take(rows).map(Line::from).collect();
    lines.push(Line::styled(text::shorten(hint, usize::from(area.width)), dim()));
    let height = u16::try_from(lines.len()).unwrap_or(area.height).min(area.height);
    let area = Rect { y: area.y + area.height - height, height, ..area };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}

fn status_line(state: &State, now: &Now, width: usize) -> Line<'static> {
    let style = Style::new().add_modifier(Modifier::REVERSED);
    let mut parts = vec![text::line(&state.title)];
    parts.extend(presence::human(state.presence, now.ms, &now.zone));
    if state.verified {
        parts.push("verified".into());
    }
    if state.blocked {
        parts.push("blocked".into());
    }
    if state.muted {
        parts.push("muted".into());
    }
    if let Some(seconds) = state.timer_s {
        parts.push(format!("messages go after {}", crate::span::Span(seconds)));
    }
    if !state.member {
        parts.push("you are not in it any more".into());
    } else if !state.names.is_empty() {
        parts.push(format!("{} members", state.names.len()));
    }
    parts.push(
        match state.connection {
            Connection::Offline => "no connection: messages wait here",
            Connection::Connecting => "connecting…",
            Connection::CatchingUp => "catching up…",
            Connection::Live => "connected",
        }
        .into(),
    );
    if let Some(notice) = state.notice(now.ms) {
        parts = vec![text::line(notice)];
    } else if let Some(writers) = state.writers(now.ms) {
        parts.push(writers);
    } else if state.scroll > 0 {
        parts.push("more below (Page Down)".into());
    } else if state.messages.is_empty() {
        parts.push("/help shows what you can do".into());
    }
    let shown = text::shorten(&format!(" {}", parts.join(" · ")), width);
    let padding = " ".repeat(width.saturating_sub(shown.width()));
    Line::styled(format!("{shown}{padding}"), style)
}

fn dim() -> Style {
    Style::new().fg(Color::DarkGray)
}

/// All messages as lines of at most `width` columns.
pub fn lay_out(state: &State, width: usize, now: &Now) -> Vec<Line<'static>> {
    let today = time::day(now.ms, &now.zone);
    let mut lines = Vec::new();
    let mut day = None;
    if state.complete {
        let title = text::line(&state.title);
        let start = match state.peer {
            Some(_) => format!("The beginning of your conversation with {title}, end-to-end encrypted."),
            None => format!("The beginning of {title}, end-to-end encrypted."),
        };
        lines.extend(text::wrap(&start, width).into_iter().map(|row| Line::styled(row, dim())));
    }
    for message in &state.messages {
        let message_day = time::day(message.time_ms, &now.zone);
        if day != Some(message_day) {
            day = Some(message_day);
            lines.push(separator(&time::day_title(message_day, today), width, dim()));
        }
        if let Some((position, count)) = state.unread_from
            && position == message.position
        {
            lines.push(separator(&format!("{count} unread"), width, Style::new().fg(Color::Yellow)));
        }
        lay_out_message(message, width, now, &mut lines);
    }
    lines
}

fn separator(title: &str, width: usize, style: Style) -> Line<'static> {
    let title = text::shorten(&format!(" {title} "), width);
    let room = width.saturating_sub(title.width());
    Line::styled(format!("{}{title}{}", "─".repeat(room / 2), "─".repeat(room - room / 2)), style)
}

fn lay_out_message(message: &Message, width: usize, now: &Now, lines: &mut Vec<Line<'static>>) {
    let (margin, indent) = margin(message, width, now);
    let room = width.saturating_sub(indent).max(1);
    let blank = || Span::raw(" ".repeat(indent.min(width)));
    let style = match message.body {
        Body::Text { .. } | Body::Poll { .. } | Body::Location { .. } | Body::Contact { .. } => Style::new(),
        _ => dim().add_modifier(Modifier::ITALIC),
    };
    let (head, head_width) = head(message, room);
    // The text begins beside the name, unless there is a quote or no room.
    let beside = message.reply_to.is_none() && head_width < room / 2;
    let said = line::body(message);
    let mut rows = match beside {
        true => text::wrap(&format!("{}{said}", HARD_SPACE.repeat(head_width)), room),
        false => text::wrap(&said, room),
    };
    let mut first: Vec<Span> = std::iter::once(margin).chain(head).collect();
    if beside {
        first.push(Span::styled(rows.remove(0).trim_start_matches(HARD_SPACE).to_owned(), style));
    }
    let mut spans = vec![first];
    spans.extend(rows.into_iter().map(|row| vec![blank(), Span::styled(row, style)]));
    finish(message, width, blank, &mut spans);
    lines.extend(spans.into_iter().map(Line::from));
}

/// Room for the name, of which no line is broken.
const HARD_SPACE: &str = "\u{a0}";

/// Who says it, and what it answers.
fn head(message: &Message, room: usize) -> (Vec<Span<'static>>, usize) {
    if let Body::Notice { .. } = message.body {
        return (Vec::new(), 0);
    }
    let color = if message.own { Color::Cyan } else { Color::Green };
    let name = text::shorten(&line::sender(message), SENDER_COLUMNS.min(room.saturating_sub(2)));
    let mut head = vec![Span::styled(format!("{name}: "), Style::new().fg(color).add_modifier(Modifier::BOLD))];
    if let Some(quote) = &message.reply_to {
        let quoted = quote.text.as_deref().map_or("a message that is not here".into(), text::line);
        let columns = room.saturating_sub(head[0].width()).max(4);
        head.push(Span::styled(text::shorten(&format!("↳ {quoted}"), columns), dim()));
    }
    let width = head.iter().map(Span::width).sum();
    (head, width)
}

/// Number and time, and how far all other lines of the message are indented.
fn margin(message: &Message, width: usize, now: &Now) -> (Span<'static>, usize) {
    if width < WIDE_COLUMNS {
        let number = plain::number(message).map_or(String::new(), |number| format!("{number} "));
        return (Span::styled(number, dim()), 1);
    }
    let number = plain::number(message).map_or(String::new(), |number| number.to_string());
    let margin = format!("{number:>5} {} ", time::clock(message.time_ms, &now.zone));
    let indent = margin.width();
    (Span::styled(margin, dim()), indent)
}

/// `(edited)`, the tick and the reactions.
fn finish(message: &Message, width: usize, blank: impl Fn() -> Span<'static>, rows: &mut Vec<Vec<Span<'static>>>) {
    let mut tail = Vec::new();
    if message.edited {
        tail.push(Span::styled(" (edited)", dim()));
    }
    if let Some(it) = message.tick {
        let (sign, style) = tick(it);
        tail.push(Span::styled(format!(" {sign}"), style));
    }
    let tail_width: usize = tail.iter().map(Span::width).sum();
    if let Some(last) = rows.last_mut() {
        let used: usize = last.iter().map(Span::width).sum();
        if used + tail_width <= width {
            last.extend(tail);
        } else {
            rows.push(std::iter::once(blank()).chain(tail).collect());
        }
    }
    if let Some(why) = &message.failure {
        let why = text::shorten(&text::line(why), width.saturating_sub(blank().width()));
        rows.push(vec![blank(), Span::styled(why, Style::new().fg(Color::Red))]);
    }
    if let Some(marks) = line::marks(message) {
        rows.push(vec![blank(), Span::styled(text::shorten(&marks, width.saturating_sub(blank().width())), dim())]);
    }
    if let Some(reactions) = line::reactions(message) {
        rows.push(vec![blank(), Span::raw(text::shorten(&reactions, width.saturating_sub(blank().width())))]);
    }
}

fn tick(tick: Tick) -> (&'static str, Style) {
    match tick {
        Tick::Failed => ("✗ not sent", Style::new().fg(Color::Red)),
        Tick::Clock => ("◷", dim()),
        Tick::Sent => ("✓", dim()),
        Tick::Delivered => ("✓✓", dim()),
        Tick::Read => ("✓✓", Style::new().fg(Color::LightBlue)),
    }
}
