//! A unit under construction: sections, settings, and comments that say why.

use super::Written;

pub(super) struct Text {
    name: String,
    text: String,
}

impl Text {
    pub(super) fn new(name: &str) -> Self {
        let text = format!(
            "# {name}, written by shipit. Change it as you like: `shipit unit lint` says what a change costs.\n"
        );
        Self {
            name: name.to_owned(),
            text,
        }
    }

    pub(super) fn section(&mut self, name: &str) -> &mut Self {
        self.text += &format!("\n[{name}]\n");
        self
    }

    pub(super) fn set(&mut self, key: &str, value: impl AsRef<str>) -> &mut Self {
        self.text += &format!("{key}={}\n", value.as_ref());
        self
    }

    /// A comment for the settings that follow.
    pub(super) fn note(&mut self, note: &str) -> &mut Self {
        self.text += &format!("# {note}\n");
        self
    }

    pub(super) fn gap(&mut self) -> &mut Self {
        self.text.push('\n');
        self
    }

    pub(super) fn written(self) -> Written {
        Written {
            name: self.name,
            text: self.text,
        }
    }
}
