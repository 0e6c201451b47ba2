//! What keeps the app's notify unit from being started. Never whether it reached anybody.

use std::path::Path;

use super::{Area, Depth, Finding};
use crate::config::Config;
use crate::failure::Next;
use crate::observed::Observed;
use crate::plan::notify::{Lack, lacks};

pub(super) fn findings(config: &Config, observed: &Observed) -> Vec<Finding> {
    let finding = |lack: Lack| {
        let finding =
            Finding::warning(Area::Host, Depth::Later, lack.what()).why("nobody is notified when a switch ends");
        match lack {
            Lack::Template(_) => {
                let install = config.host.as_root("unit install");
                let template = config.notify.as_ref().map_or("", |template| template.as_str());
                let mut generate = Next::shipit("unit generate --only").arg(template);
                let dir = &config.units.dir;
                if dir.strip_prefix(&config.dir).unwrap_or(dir) != Path::new("deploy/units") {
                    generate = generate.arg("--out").arg(dir);
                }
                finding.next(generate.then("&&", install))
            }
            Lack::Setup(_) => finding.next(config.host.as_root("setup")).by_setup(),
        }
    };
    lacks(config, observed).into_iter().map(finding).collect()
}
