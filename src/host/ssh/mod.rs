//! (stub)
#![allow(missing_docs, unused)]
use crate::{failure::Failure, interrupt::Interrupts};
#[derive(Clone)]
pub struct Login {
    pub user: Option<String>,
    pub host: String,
    pub port: Option<u16>,
    pub pin: Option<String>,
    pub trust: Trust,
    pub config_file: Option<std::path::PathBuf>,
    pub identity: Option<std::path::PathBuf>,
    pub known_hosts: Option<std::path::PathBuf>,
}
#[derive(Clone, Copy)]
pub enum Trust {
    Strict,
    AcceptNew,
    Ask,
}
pub trait Ask {
    fn passphrase(&mut self, prompt: &str) -> Option<String>;
    fn yes(&mut self, q: &str) -> bool;
}
pub fn terminal() -> Box<dyn Ask> {
    struct N;
    impl Ask for N {
        fn passphrase(&mut self, _: &str) -> Option<String> {
            None
        }
        fn yes(&mut self, _: &str) -> bool {
            false
        }
    }
    Box::new(N)
}
pub struct Ssh;
impl crate::host::Host for Ssh {
    fn exec(
        &mut self,
        _: crate::host::Exec<'_>,
        _: &mut dyn FnMut(crate::host::Heard<'_>),
    ) -> Result<crate::host::Ended, crate::host::Lost> {
        panic!()
    }
    fn traffic(&self) -> (u64, u64) {
        (0, 0)
    }
}
pub fn connect(
    login: &Login,
    i: &Interrupts,
    ask: &mut dyn Ask,
    notice: &mut dyn FnMut(String),
) -> Result<Ssh, Failure> {
    panic!()
}
