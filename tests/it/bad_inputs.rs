//! What comes in wrong, as tables: the input, and the error that it gets, which names the place and the mend.
//!
//! - `requests`: over gRPC, to the running app. Bytes that are no request at all are in `limits`.
//! - `files`: configurations, policies, studios, cases, variables and arguments, to the program.
//! - `tracker`: answers of a Kitsu, and tokens that it does not take, to the program; told in its log.
//!
//! A table fails with all of its rows that differ.

mod files;
mod flow;
mod kitsu;
mod program;
mod requests;
mod tracker;

/// The rows of a table that were looked at, and those that differ.
#[derive(Debug, Default)]
struct Table {
    rows: usize,
    differ: Vec<String>,
}

impl Table {
    fn row(&mut self, what: &str, expected: &str, got: &str) {
        self.rows += 1;
        if got != expected {
            self.differ.push(format!("{what}\n  must be told  {expected}\n  is told       {got}"));
        }
    }

    /// Proves that nothing differs, and that the table is as long as it says.
    fn end(self, rows: usize) {
        assert!(
            self.differ.is_empty(),
            "{} of {} rows differ:\n{}",
            self.differ.len(),
            self.rows,
            self.differ.join("\n")
        );
        assert_eq!(self.rows, rows, "rows");
    }
}
