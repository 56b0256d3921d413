//! `stagedoor test`: asks the questions of case files and compares the answers with those expected.
//!
//! A case file holds a studio (or names one) and tables of who may do what; its format is in `docs/studio-file.md`.

mod format;
mod report;
mod studio;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use self::format::Question;
use self::report::{Answered, FileReport};
use self::studio::Mirror;
use crate::yaml::{Place, Problems, parse};

/// Runs case files and reports to `out`: every answer that differs, then the numbers.
///
/// Returns whether every file could be read and every answer is as expected.
///
/// # Errors
/// Where the report cannot be written, or no runtime can be started.
pub fn run(files: &[PathBuf], json: bool, out: &mut dyn Write) -> io::Result<bool> {
    let reports = files.iter().map(|file| report(file)).collect::<io::Result<Vec<_>>>()?;
    if json {
        report::json(&reports, out)?;
    } else {
        report::text(&reports, out)?;
    }
    Ok(reports.iter().all(FileReport::good))
}

fn report(path: &Path) -> io::Result<FileReport> {
    let file = path.display().to_string();
    match mount(path, &file) {
        Ok((mirror, questions)) => {
            let answers = mirror.answers(&questions)?;
            let answers = questions.into_iter().zip(answers).map(|(question, answer)| Answered { question, answer });
            Ok(FileReport { file, answers: answers.collect(), problems: None })
        }
        Err(problems) => Ok(FileReport { file, answers: Vec::new(), problems: Some(problems.to_string()) }),
    }
}

/// A case file's studio, mirrored, and its questions.
fn mount(path: &Path, file: &str) -> Result<(Mirror, Vec<Question>), Problems> {
    let root = parse(file, &load(path, file)?)?;
    let mut problems = Problems::new(file);
    let Some(cases) = format::read(&root, &mut problems) else { return Err(problems) };
    let mirror = problems.into_result(()).and_then(|()| Mirror::new(file, path.parent().unwrap_or(path), &cases))?;
    Ok((mirror, cases.questions))
}

/// The text of a file, or the complaint that it cannot be read.
fn load(path: &Path, name: &str) -> Result<String, Problems> {
    std::fs::read_to_string(path).map_err(|error| {
        let mut problems = Problems::new(name);
        problems.add(Place::default(), error.to_string());
        problems
    })
}

impl Question {
    /// The question as a sentence.
    pub(self) fn words(&self) -> String {
        let Self { subject, action, field, value, kind, id, project, properties, context, .. } = self;
        let mut words = format!("may {subject} {action} {kind}");
        let mut add = |word: &str, text: &str| {
            if !text.is_empty() {
                words.push_str(word);
                words.push_str(text);
            }
        };
        add(" ", id);
        add(", field ", field);
        add(", value ", &value.as_ref().map(report::plain).unwrap_or_default());
        add(", in project ", project.as_deref().unwrap_or_default());
        add(", being ", &properties.as_ref().map(report::plain).unwrap_or_default());
        add(", given ", &context.as_ref().map(report::plain).unwrap_or_default());
        words.push('?');
        words
    }
}
