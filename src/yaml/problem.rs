//! Complaints about a file, gathered so that all are told at once.

use std::fmt;

use super::Place;

/// One complaint: where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub message: String,
}

/// All complaints about one file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problem {
    /// A complaint about a place.
    pub fn new(place: Place, message: String) -> Self {
        Self { place, message }
    }
}

impl Problems {
    /// No complaints about `file` yet.
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), list: Vec::new() }
    }

    /// Adds a complaint.
    pub fn add(&mut self, place: Place, message: impl Into<String>) {
        self.list.push(Problem::new(place, message.into()));
    }

    /// Adds a complaint made elsewhere.
    pub fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// Whether there is nothing to complain about.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The complaints, by place, each once.
    pub fn sorted(&self) -> Vec<&Problem> {
        let mut list: Vec<_> = self.list.iter().collect();
        list.sort_by(|a, b| a.place.cmp(&b.place).then_with(|| a.message.cmp(&b.message)));
        list.dedup();
        list
    }

    /// The name of the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// `Ok(value)` without complaints, else all of them.
    ///
    /// # Errors
    /// Where there is at least one complaint.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.sorted().into_iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file)?;
            if problem.place.line > 0 {
                write!(f, ":{}:{}", problem.place.line, problem.place.column)?;
            }
            write!(f, ": {}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
