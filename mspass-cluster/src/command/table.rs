//! Rows under headings, aligned.

use std::io::{self, Write};

/// A table of `N` columns for a person to read.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    /// Columns of numbers: aligned at their right side.
    right: [bool; N],
}

impl<const N: usize> Table<N> {
    pub(super) fn new<const R: usize>(heads: [&str; N], right: [usize; R]) -> Self {
        let right = std::array::from_fn(|column| right.contains(&column));
        Self { rows: vec![heads.map(str::to_owned)], right }
    }

    pub(super) fn push(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// Prints heading and rows, two spaces in.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let length = |text: &String| text.chars().count();
        let widths: [usize; N] = std::array::from_fn(|column| {
            self.rows.iter().map(|row| length(&row[column])).max().unwrap_or(0)
        });
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                line.push_str("  ");
                match self.right[column] {
                    true => line.push_str(&format!("{cell:>width$}")),
                    false => line.push_str(&format!("{cell:<width$}")),
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
