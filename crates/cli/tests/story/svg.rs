//! Screens of terminals as an SVG picture. Each run of cells is told its width, so columns stay columns in any font.

use std::fmt::Write;
use vt100::{Cell, Color, Screen};

const CELL_WIDTH: u16 = 8;
const CELL_HEIGHT: u16 = 18;
/// From the top of a row to the line that its letters stand on.
const BASELINE: u16 = 13;
const MARGIN: u16 = 14;
const TITLE_BAR: u16 = 30;
const FONT: &str = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace";
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d8dbe2";
/// The sixteen colours of a terminal.
const PALETTE: [&str; 16] = [
    "#2a2d35", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf", "#7f848e", "#ff7b86",
    "#b5e890", "#ffd68a", "#4fa8ff", "#e08af5", "#6ad0dc", "#ffffff",
];

/// One window for each, side by side.
pub fn draw(windows: &[(&str, &Screen)]) -> String {
    let mut left = 0;
    let (mut body, mut height) = (String::new(), 0);
    for (title, screen) in windows {
        let (rows, columns) = screen.size();
        let (wide, high) = (columns.get() * CELL_WIDTH + 2 * MARGIN, rows.get() * CELL_HEIGHT + TITLE_BAR + MARGIN);
        window(&mut body, left, (wide, high), title, screen);
        left += wide + MARGIN;
        height = height.max(high);
    }
    let width = left.saturating_sub(MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"{FONT}\" font-size=\"13\">\n{body}</svg>\n"
    )
}

fn window(out: &mut String, left: u16, (wide, high): (u16, u16), title: &str, screen: &Screen) {
    line(out, format_args!("<g transform=\"translate({left} 0)\">"));
    line(out, format_args!("<rect width=\"{wide}\" height=\"{high}\" rx=\"9\" fill=\"{BACKGROUND}\"/>"));
    for (number, color) in ["#ff5f57", "#febc2e", "#28c840"].iter().enumerate() {
        line(out, format_args!("<circle cx=\"{}\" cy=\"15\" r=\"5\" fill=\"{color}\"/>", 18 + 17 * number));
    }
    let middle = wide / 2;
    line(out, format_args!("<text x=\"{middle}\" y=\"19\" text-anchor=\"middle\" fill=\"#8b909c\">{title}</text>"));
    let (rows, columns) = screen.size();
    for row in 0..rows.get() {
        let mut column = 0;
        while column < columns.get() {
            column += run(out, screen, row, column, columns.get());
        }
    }
    if !screen.hide_cursor() {
        let (row, column) = screen.cursor_position();
        let (x, y) = place(row, column);
        let cursor = format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"2\" height=\"{CELL_HEIGHT}\" fill=\"#ffffff\"/>");
        line(out, cursor);
    }
    line(out, format_args!("</g>"));
}

/// Draws the cells from here that look alike; returns how many columns they take.
fn run(out: &mut String, screen: &Screen, row: u16, start: u16, columns: u16) -> u16 {
    let Some(first) = screen.cell(row, start) else { return 1 };
    let (mut text, mut count) = (String::new(), 0);
    while let Some(cell) = (start + count < columns).then(|| screen.cell(row, start + count)).flatten() {
        // What is wider than a letter stands alone, so that it moves nothing else.
        let alone = |cell: &Cell| cell.is_wide() || cell.contents().chars().count() > 1;
        if count > 0 && (look(cell) != look(first) || alone(cell) || alone(first)) {
            break;
        }
        text.push_str(if cell.has_contents() { cell.contents() } else { " " });
        count += if cell.is_wide() { 2 } else { 1 };
    }
    let (x, y) = place(row, start);
    let width = count * CELL_WIDTH;
    let (color, background) = colors(first);
    if background != BACKGROUND {
        let box_ = format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{CELL_HEIGHT}\" fill=\"{background}\"/>"
        );
        line(out, box_);
    }
    if !text.trim().is_empty() {
        let weight = if first.bold() { " font-weight=\"bold\"" } else { "" };
        let slant = if first.italic() { " font-style=\"italic\"" } else { "" };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let y = y + BASELINE;
        let element = format_args!(
            "<text x=\"{x}\" y=\"{y}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" \
             xml:space=\"preserve\" fill=\"{color}\"{weight}{slant}>{text}</text>"
        );
        line(out, element);
    }
    count
}

fn place(row: u16, column: u16) -> (u16, u16) {
    (MARGIN + column * CELL_WIDTH, TITLE_BAR + row * CELL_HEIGHT)
}

fn look(cell: &Cell) -> (Color, Color, bool, bool, bool) {
    (cell.fgcolor(), cell.bgcolor(), cell.bold(), cell.italic(), cell.inverse())
}

fn colors(cell: &Cell) -> (String, String) {
    let (front, back) = (color(cell.fgcolor(), FOREGROUND), color(cell.bgcolor(), BACKGROUND));
    if cell.inverse() { (back, front) } else { (front, back) }
}

fn color(color: Color, default: &str) -> String {
    match color {
        Color::Idx(index) => PALETTE.get(usize::from(index)).map_or(default, |it| it).to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Default => default.to_owned(),
    }
}

fn line(out: &mut String, text: std::fmt::Arguments) {
    writeln!(out, "{text}").expect("a string takes everything");
}
