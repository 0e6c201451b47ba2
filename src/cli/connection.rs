//! The way to the configured host, as the engine takes it: connect with what was typed and configured.

use super::args::Global;
use crate::config::Config;
use crate::engine::session::Link;
use crate::failure::Failure;
use crate::host::Host;
use crate::host::openssh;
use crate::host::ssh::{self, Login, Notice, Trust};
use crate::interrupt::Interrupts;
use crate::report::event::{Event, Report};

/// Connects over ssh, as often as asked.
pub struct SshLink {
    login: Login,
    interrupts: Interrupts,
    system: bool,
}

impl SshLink {
    /// The login that the configuration and the command line give.
    #[must_use]
    pub fn new(global: &Global, config: &Config, interrupts: Interrupts) -> Self {
        let login = Login {
            user: config.host.user.clone(),
            host: config.host.host.clone(),
            port: config.host.port,
            pin: config.host_key.clone(),
            trust: if global.accept_new {
                Trust::AcceptNew
            } else {
                Trust::Strict
            },
            config_file: global.ssh_config.clone(),
            identity: global.identity.clone(),
            known_hosts: global.known_hosts.clone(),
        };
        Self {
            login,
            interrupts,
            system: global.system_ssh,
        }
    }

    /// What it would log in with, without connecting.
    ///
    /// # Errors
    /// An invalid name, a configuration that cannot be read.
    pub fn preview(&self) -> Result<ssh::LoginPreview, Failure> {
        ssh::preview(&self.login, &self.interrupts)
    }

    /// The same way, for another user or host (`setup --as`).
    #[must_use]
    pub fn with(mut self, user: Option<String>, host: String, port: Option<u16>) -> Self {
        self.login.user = user;
        self.login.host = host;
        self.login.port = port;
        self
    }
}

impl Link for SshLink {
    fn connect(&mut self, report: &mut dyn Report) -> Result<Box<dyn Host>, Failure> {
        if self.system {
            return Ok(Box::new(openssh::connect(self.login.clone(), self.interrupts.clone())?));
        }
        let mut ask = ssh::terminal(&self.interrupts);
        let mut notice = |notice: Notice| {
            report.event(&Event::Warning {
                text: notice.to_string(),
            });
        };
        let session = ssh::connect(&self.login, &self.interrupts, ask.as_mut(), &mut notice)?;
        Ok(Box::new(session))
    }
}
