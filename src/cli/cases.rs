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
/// Where the report cannot be written.
pub fn run(files: &[PathBuf], json: bool, out: &mut dyn Write) -> io::Result<bool> {
    let reports: Vec<FileReport> = files.iter().map(|file| report(file)).collect();
    if json {
        report::json(&reports, out)?;
    } else {
        report::text(&reports, out)?;
    }
    Ok(reports.iter().all(FileReport::good))
}

fn report(path: &Path) -> FileReport {
    let file = path.display().to_string();
    match ask_all(path, &file) {
        Ok(answers) => FileReport { file, answers, problems: None },
        Err(problems) => FileReport { file, answers: Vec::new(), problems: Some(problems.to_string()) },
    }
}

fn ask_all(path: &Path, file: &str) -> Result<Vec<Answered>, Problems> {
    let root = parse(file, &load(path, file)?)?;
    let mut problems = Problems::new(file);
    let cases = format::read(&root, &mut problems);
    let Some(cases) = problems.into_result(cases)? else { return Ok(Vec::new()) };
    let near = path.parent().unwrap_or(Path::new(""));
    let mirror = Mirror::new(file, near, &cases)?;
    let answers = mirror.answers(&cases.questions);
    Ok(cases.questions.into_iter().zip(answers).map(|(question, answer)| Answered { question, answer }).collect())
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
