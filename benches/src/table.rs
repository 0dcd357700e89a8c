//! Tables on a terminal, which are Markdown as well.

/// Rows under headings, the first column a name.
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: String, columns: &[&str]) -> Self {
        let heading = [""].iter().chain(columns).map(|column| String::from(*column)).collect();
        Self { title, rows: vec![heading] }
    }

    pub(crate) fn row(&mut self, name: &str, cells: Vec<String>) {
        self.rows.push([vec![String::from(name)], cells].concat());
    }

    /// Prints it, unless there is nothing in it.
    pub(crate) fn print(&self) {
        let has_cells = self.rows[1..].iter().any(|row| row[1..].iter().any(|cell| cell != "-"));
        if !has_cells {
            return;
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        println!("\n{}\n", self.title);
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::from("|");
            for (column, cell) in row.iter().enumerate() {
                let width = width(column);
                line += &if column == 0 {
                    format!(" {cell:<width$} |")
                } else {
                    format!(" {cell:>width$} |")
                };
            }
            println!("{line}");
            if number == 0 {
                let rule = (0..columns).map(|column| {
                    let dashes = "-".repeat(width(column) + 1);
                    if column == 0 { format!("{dashes}-|") } else { format!("{dashes}:|") }
                });
                println!("|{}", rule.collect::<String>());
            }
        }
    }
}
