//! Static pages: an index.html. Pages that a program generates are recognized by the program, never here.

use super::{Directory, Project, Serves};
use crate::unit::generate::Program;

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    let (file, source) = [("index.html", "."), ("public/index.html", "public")]
        .into_iter()
        .find(|(file, _)| dir.has(file))?;
    let mut project = Project::new(format!("pages ({file})"));
    project.source = source.into();
    project.serves = Serves::Files;
    project.program = Some(Program::Static);
    Some(project)
}
