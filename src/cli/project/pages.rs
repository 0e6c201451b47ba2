//! Pages that are there already: an index.html, and nothing that would build it.

use super::{Project, Seen, Serves};
use crate::unit::generate::Program;

pub(super) fn recognise(seen: &Seen) -> Option<Project> {
    let (file, source) = [("index.html", "."), ("public/index.html", "public")]
        .into_iter()
        .find(|(file, _)| seen.has(file))?;
    let mut project = Project::new(format!("pages ({file})"));
    project.source = source.into();
    project.serves = Serves::Files;
    project.program = Some(Program::Static);
    Some(project)
}
