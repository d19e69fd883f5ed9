//! What the demonstration prints: aligned, and in colour on a terminal only.

use std::io::{self, IsTerminal, Write};

/// Standard output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    colour: bool,
}

impl Screen {
    /// Colour when it is a terminal and NO_COLOR is not set.
    pub(super) fn of_stdout() -> Screen {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Screen { colour: wanted && io::stdout().is_terminal() }
    }

    pub(super) fn line(self, text: &str) {
        // Nobody reads a closed output: there is no one to tell.
        let _ = writeln!(io::stdout().lock(), "{text}");
    }

    pub(super) fn heading(self, text: &str) {
        self.line(&self.painted(text, "1"));
    }

    /// A column's words, in the coordinator's own colour.
    pub(super) fn coordinator(self, number: usize, text: &str) -> String {
        const COLOURS: [&str; 3] = ["32", "33", "36"];
        self.painted(text, COLOURS[number % COLOURS.len()])
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.painted(text, "2")
    }

    fn painted(self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Rows as lines, each column as wide as its widest cell, two spaces apart.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("  {cell:<width$}"));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned);
        let lines = aligned(&[row(["a", "b"]), row(["long é", "c"])]);
        assert_eq!(lines, ["  a       b", "  long é  c"]);
    }

    #[test]
    fn colour_is_added_only_on_a_terminal() {
        assert_eq!(Screen { colour: false }.coordinator(1, "x"), "x");
        assert_eq!(Screen { colour: true }.coordinator(1, "x"), "\x1b[33mx\x1b[0m");
    }
}
