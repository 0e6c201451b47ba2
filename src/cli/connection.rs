//! The way to the configured host, as the engine takes it: connect with what was typed and configured.

use super::args::Global;
use crate::config::{Config, Target};
use crate::engine::session::Link;
use crate::failure::Failure;
use crate::host::Host;
use crate::host::openssh;
use crate::host::ssh::{self, Ask, Login, Notice, Trust, Unattended};
use crate::interrupt::Interrupts;
use crate::report::event::Report;
use crate::text;

/// Connects over ssh, as often as asked.
pub struct SshLink {
    login: Login,
    interrupts: Interrupts,
    system: bool,
    /// Whether the user is asked for what a login may want: a passphrase, a password.
    asks: bool,
}

impl SshLink {
    /// The login that the configuration and the command line give.
    #[must_use]
    pub fn new(global: &Global, config: &Config, interrupts: Interrupts) -> Self {
        let mut link = Self::to(global, &config.host, interrupts);
        link.login.pin.clone_from(&config.host_key);
        link
    }

    /// The login for a host that no deploy.yml names yet. It never asks the user.
    #[must_use]
    pub fn unattended(global: &Global, target: &Target, interrupts: Interrupts) -> Self {
        Self::to(global, target, interrupts).unasked()
    }

    fn to(global: &Global, target: &Target, interrupts: Interrupts) -> Self {
        let login = Login {
            user: target.user.clone(),
            host: target.host.clone(),
            port: target.port,
            pin: None,
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
            asks: true,
        }
    }

    /// The same login, for a first visit: asks the user about an unknown host key.
    #[must_use]
    pub fn first(mut self) -> Self {
        if self.login.trust == Trust::Strict {
            self.login.trust = Trust::Ask;
        }
        self
    }

    /// The same login, which never asks the user.
    #[must_use]
    pub fn unasked(self) -> Self {
        Self { asks: false, ..self }
    }

    /// What it would log in with, without connecting. Fails on an invalid name, a configuration that cannot be read.
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
        // The ssh program may ask.
        if self.system && self.asks {
            return Ok(Box::new(openssh::connect(self.login.clone(), self.interrupts.clone())?));
        }
        let mut ask: Box<dyn Ask> = match self.asks {
            true => ssh::terminal(&self.interrupts),
            false => Box::new(Unattended),
        };
        let to = match &self.login.user {
            Some(user) => format!("{user}@{}", self.login.host),
            None => self.login.host.clone(),
        };
        report.busy(Some(&format!("connecting to {}", text::shown(to.as_bytes()))));
        let mut notice = |notice: Notice| report.warn(notice.to_string());
        let session = ssh::connect(&self.login, &self.interrupts, ask.as_mut(), &mut notice);
        report.busy(None);
        Ok(Box::new(session?))
    }
}
