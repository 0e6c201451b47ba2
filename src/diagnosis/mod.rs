//! From all that was seen to what is wrong, causes before their consequences, and what each service can do today. Pure:
//! [`Evidence`] in, [`Diagnosis`] out. Never reaches a host, never prints. Start reading at [`diagnose`].

mod access; // what a service's user meets: closed directories, read-only paths, scripts that cannot start
mod commands; // what build and prepare run
mod drain; // what drain trials proved
mod files; // shared files that the app cannot read
mod finding; // a finding, and how near to the root of things it is
mod health; // who listens, and whether the health address answers
mod laptop; // the laptop and the link
mod machine; // the host: needs, clock, switches
mod notify; // what keeps the notify unit from being started
mod packages; // which Debian package brings a program
mod remedy; // the lines to type for a rule's finding
mod room; // full disks
mod router; // what stands in front of the app
mod strategies; // which strategies each service can use
mod timers; // timers that failed or did not run
mod units; // the app's units: rules, states

use std::collections::BTreeMap;

pub use commands::{Missing, Need, needs, of_unit};
pub use drain::{Drained, Drains, Trial, Tried};
pub use finding::{Area, Depth, Finding};
pub use health::Probed;
pub use machine::LastSwitch;
pub use strategies::{Deploy, Usable};

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::host::ssh::LoginPreview;
use crate::observed::Observed;
use crate::observed::access::Obstacle;
use crate::observed::status::StatusReport;
use crate::observed::{Listening, Live};
use crate::router::Routers;
use crate::unit::rules::Severity;

/// All that was seen, as far as it could be. What was not reached is `None`, and nothing is said of it.
#[derive(Debug, Default)]
pub struct Evidence {
    /// What the laptop would log in with.
    pub login: Option<LoginPreview>,
    /// Why the host was not reached, or was lost while it was looked at.
    pub link: Option<Failure>,
    pub observed: Option<Observed>,
    /// What root found that may keep the deploy user out; only where the deploy user could not log in.
    pub access: Vec<Obstacle>,
    /// Why the units of the repository could not be used.
    pub repository: Option<Failure>,
    /// What `build`, `prepare` and units that the host does not have yet run, where it was not found.
    pub missing: Vec<Missing>,
    pub live: Option<Live>,
    /// What the health addresses answered, by service.
    pub probes: BTreeMap<String, Probed>,
    pub listening: Option<Vec<Listening>>,
    /// What stands in front of the app.
    pub routers: Option<Routers>,
    /// The last lines of the journal, of the services that are not well.
    pub journals: BTreeMap<String, Vec<String>>,
    /// The newest line of the journal that reports a read-only file system, by service.
    pub read_only: BTreeMap<String, String>,
    /// The environment file of which systemd ignored lines at the newest start, by service.
    pub ignored_lines: BTreeMap<String, String>,
    pub last: Option<LastSwitch>,
    /// The app's timers.
    pub timers: Option<StatusReport>,
    /// Seconds that the host's clock is ahead of this machine's.
    pub skew: Option<i64>,
    /// How instances stopped, where that was asked for.
    pub trials: Vec<Trial>,
}

/// What is wrong, and what can be done today.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The findings: the worst first, and among equals causes before their consequences.
    pub findings: Vec<Finding>,
    /// What each service can use; empty when the host was not reached.
    pub strategies: Vec<Usable>,
    /// Whether a deploy could be carried out now.
    pub deploy: Deploy,
    /// `systemd-analyze security` of each service: 0 (safe) to 10.
    pub exposure: BTreeMap<String, f32>,
    /// What drain trials proved, where they were asked for.
    pub drained: Vec<Drained>,
    /// How doctor leaves: 0, 1 when there is an error, 4 when the host is degraded, 6 when it was not reached.
    pub exit: Exit,
}

/// Judges all that was seen.
pub fn diagnose(config: &Config, evidence: &Evidence) -> Diagnosis {
    let mut findings = laptop::findings(config, evidence);
    findings.extend(commands::findings(config, &evidence.missing));
    if let Some(observed) = &evidence.observed {
        findings.extend(machine::findings(config, observed, evidence));
        findings.extend(notify::findings(config, observed));
        if let Some(live) = &evidence.live {
            findings.extend(units::findings(config, observed, live, evidence));
            findings.extend(timers::findings(observed, evidence, &findings));
            findings.extend(access::findings(config, live, evidence));
            findings.extend(files::findings(config, live));
            findings.extend(health::findings(config, live, evidence));
            findings.extend(router::findings(config, live, evidence));
        }
    }
    let drained: Vec<Drained> = evidence.trials.iter().map(drain::judge).collect();
    findings.extend(drain::findings(config, evidence, &drained));
    let strategies = strategies::usable(config, evidence);
    findings.extend(strategies::findings(&strategies, &findings));
    // A stable sort: what is equally bad and equally deep stays in the order in which it was looked at.
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.depth));
    let broken = findings.iter().any(|f| f.severity == Severity::Error);
    let exit = match &evidence.link {
        Some(failure) => failure.exit,
        // As `status` leaves: the one state that must not be taken for a mere finding.
        None if evidence.observed.as_ref().is_some_and(Observed::is_degraded) => Exit::Degraded,
        None if broken => Exit::Untouched,
        None => Exit::Done,
    };
    let deploy = strategies::deploy(config, evidence, &strategies);
    let exposure = evidence.live.iter().flat_map(|live| &live.units);
    let exposure = exposure.filter_map(|(unit, facts)| Some((unit.name.to_string(), facts.exposure?)));
    Diagnosis {
        findings,
        strategies,
        deploy,
        exposure: exposure.collect(),
        drained,
        exit,
    }
}

impl Diagnosis {
    /// A diagnosis of nothing but one failure: a configuration that cannot be read.
    #[must_use]
    pub fn of_failure(failure: &Failure) -> Self {
        Self {
            findings: vec![Finding::of_failure(Area::Laptop, Depth::Laptop, failure)],
            strategies: Vec::new(),
            deploy: Deploy::Unknown,
            exposure: BTreeMap::new(),
            drained: Vec::new(),
            exit: failure.exit,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::observed::{Answers, HostUnits, questions};

    const YML: &str = "app: acme\nhost: deploy@example.org\nsource: .\nservices:\n  - unit: acme.service\n    strategy: restart\n    \
                       health: {url: 'http://127.0.0.1:8080/'}\n";
    const SEEN: &str = "systemd 252\nuid 1000\nuser deploy\ntime 1000\nroot ready\ncurrent link releases/a\nrelease a\nspare 1\n\
        free_kb 9000000\nunit shipit-acme.path ActiveState=active\nunit shipit-acme-boot.service UnitFileState=enabled\n\
        unit acme.service LoadState=loaded\nunit acme.service CanReload=no\n";

    fn config() -> Config {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        std::fs::write(&file, YML).unwrap();
        crate::config::load(&file, None).unwrap()
    }

    /// A host with one service, of these properties, and these answers to the questions about it.
    fn evidence(show: &str, answer: impl Fn(&str) -> Option<&'static str>) -> Evidence {
        use base64::Engine as _;
        let text = "[Service]\nUser=ghost\nExecStart=/opt/acme/current/run\n[Install]\nWantedBy=multi-user.target\n";
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        let host_units = HostUnits::parse(
            format!(
                "unit acme.service\nshow LoadState=loaded\n{show}\nfile {text} /etc/acme.service\nlistening asked\n"
            )
            .as_bytes(),
        );
        let asked = questions(&host_units);
        let said = asked.iter().enumerate().map(|(number, question)| {
            format!(
                "{number} {}\n",
                answer(&question.args().join(" ")).unwrap_or("unreadable")
            )
        });
        let answers = Answers::parse(&asked, said.collect::<String>().as_bytes());
        Evidence {
            observed: Some(Observed::parse(SEEN.as_bytes())),
            live: Some(Live::new(host_units, answers, "/opt/acme", &["acme.service"])),
            ..Evidence::default()
        }
    }

    fn errors(diagnosis: &Diagnosis) -> Vec<&str> {
        let errors = diagnosis.findings.iter().filter(|f| f.severity == Severity::Error);
        errors.map(|finding| finding.what.as_str()).collect()
    }

    #[test]
    fn a_cause_stands_before_what_follows_from_it() {
        let mut evidence = evidence(
            "show ActiveState=failed\nshow Result=exit-code\nshow ExecMainStatus=217",
            |question| (question == "user ghost").then_some("no"),
        );
        let diagnosis = diagnose(&config(), &evidence);
        let told = errors(&diagnosis);
        assert!(told[0].contains("User=ghost: does not exist on the host"), "{told:#?}");
        assert!(told[1].contains("217, USER"), "{told:#?}");
        assert_eq!((diagnosis.exit, diagnosis.deploy), (Exit::Untouched, Deploy::Possible));
        // A full disk comes before everything on the host.
        if let Some(observed) = &mut evidence.observed {
            observed.free_kb = Some(0);
        }
        let told = diagnose(&config(), &evidence);
        assert!(errors(&told)[0].contains("the disk is full"));
        assert!(errors(&told)[1].contains("User=ghost"));
    }

    #[test]
    fn what_was_not_seen_is_not_judged() {
        let well = evidence("show ActiveState=active\nshow MainPID=1", |_| None);
        assert_eq!(errors(&diagnose(&config(), &well)), [""; 0]);
        let nothing = Evidence {
            link: Some(Failure::new(Exit::Unreachable, "no route")),
            ..Evidence::default()
        };
        let told = diagnose(&config(), &nothing);
        assert_eq!(errors(&told), ["no route"]);
        assert_eq!((told.exit, told.deploy), (Exit::Unreachable, Deploy::Unknown));
        assert!(told.strategies.is_empty());
    }

    #[test]
    fn a_clock_that_is_off_is_told_with_its_direction() {
        let mut evidence = evidence("show ActiveState=active", |_| None);
        evidence.skew = Some(-95);
        let told = diagnose(&config(), &evidence);
        let clock = told.findings.iter().find(|f| f.what.contains("clock")).unwrap();
        assert!(clock.what.contains("95 s behind"), "{}", clock.what);
        evidence.skew = Some(2);
        assert!(
            !diagnose(&config(), &evidence)
                .findings
                .iter()
                .any(|f| f.what.contains("clock"))
        );
    }

    #[test]
    fn before_the_first_release_the_port_must_be_free() {
        let told = |ss: &str, unit: &str| {
            let mut evidence = evidence("show ActiveState=inactive", |_| None);
            let seen = SEEN.replace("current link releases/a", "current absent");
            evidence.observed = Some(Observed::parse(seen.as_bytes()));
            if let Some(live) = &mut evidence.live {
                live.listening =
                    HostUnits::parse(format!("tcp 0 5 {ss}:* cgroup:{unit}\nlistening asked\n").as_bytes()).listening;
            }
            let diagnosis = diagnose(&config(), &evidence);
            let told = diagnosis.findings.into_iter().find(|one| one.what.contains("8080"));
            told.map(|one| (one.stops_any_release(), one.what))
        };
        let held = |by: &str| {
            Some((
                true,
                format!("acme.service should listen on 127.0.0.1:8080, where {by} already listens"),
            ))
        };
        assert_eq!(
            told("127.0.0.1:8080 0.0.0.0", "/system.slice/beta.service"),
            held("beta.service")
        );
        assert_eq!(told("*:8080 *", "/init.scope"), held("a socket unit"));
        assert_eq!(told("*:8080 *", ""), held("another process"));
        // Somebody else's port or address, a router, the app itself.
        for (ss, unit) in [
            ("127.0.0.1:8081 0.0.0.0", "/system.slice/beta.service"),
            ("10.0.0.1:8080 0.0.0.0", "/system.slice/beta.service"),
            ("0.0.0.0:8080 0.0.0.0", "/system.slice/nginx.service"),
            ("0.0.0.0:8080 0.0.0.0", "/system.slice/acme.service"),
        ] {
            assert_eq!(told(ss, unit), None, "{ss} {unit}");
        }
    }

    #[test]
    fn the_state_of_the_host_itself_is_told() {
        let told = |more: &str| {
            let mut evidence = evidence("show ActiveState=active", |_| None);
            evidence.observed = Some(Observed::parse(format!("{SEEN}{more}").as_bytes()));
            let diagnosis = diagnose(&config(), &evidence);
            let whats = diagnosis.findings.into_iter().map(|one| (one.severity, one.what));
            (whats.collect::<Vec<_>>(), diagnosis.deploy)
        };
        let says = |more: &str, severity: Severity, words: &str, deploy: Deploy| {
            let (whats, can) = told(more);
            let said = whats.iter().any(|(how, what)| *how == severity && what.contains(words));
            assert!(said && can == deploy, "{more}: {can:?} {whats:#?}");
        };
        use Severity::{Error, Warning};
        says("degraded r7\n", Error, "run r7 could not revert", Deploy::Possible);
        says(
            "request run r\nrequest command deploy\nrequest next b\nrequest by ann\n",
            Warning,
            "deploy to b by ann",
            Deploy::Later,
        );
        says("root bare\n", Error, "is not set up for acme", Deploy::Refused);
        says("missing flock\n", Error, "no `flock`", Deploy::Refused);
        says(
            "sudo_tried 1 0\nsudo_output sudo: a password is required\n",
            Error,
            "restart acme.service`: sudo: a password is required, and ",
            Deploy::Refused,
        );
        says(
            "sudo_tried 0 21\nsudo_entry\nsudo_options !authenticate\nsudo_command ALL\n",
            Warning,
            "sudo takes 21s on this host",
            Deploy::Possible,
        );
        says("current directory\n", Error, "current is a directory", Deploy::Refused);
        says("free_inodes 3\n", Error, "3 inodes are free", Deploy::Possible);
        says(
            "unit acme.service LoadState=masked\n",
            Error,
            "acme.service is masked",
            Deploy::Refused,
        );
    }

    #[test]
    fn garbage_from_a_host_is_no_panic_and_no_fact() {
        let words = "unit|show|file|tcp|unix|listening|unreadable|systemd|uptime|acme.service|acme.socket|=|*|0|-1|\
             99999999999999999999|there|root|\u{1b}[2J|cgroup:|ino:|W10=|/|\n|\n| ";
        let words: Vec<&str> = words.split('|').collect();
        let mut state = 7u64;
        let mut next = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % n
        };
        for _ in 0..3000 {
            let mut text = String::from("unit acme.service\n");
            for _ in 0..next(60) {
                text.push_str(words[next(words.len())]);
                text.push_str([" ", "", "\n"][next(3)]);
            }
            let host_units = HostUnits::parse(text.as_bytes());
            let asked = questions(&host_units);
            let said: String = (0..asked.len())
                .map(|n| format!("{n} {}\n", words[next(words.len())]))
                .collect();
            let answers = Answers::parse(&asked, said.as_bytes());
            let evidence = Evidence {
                observed: Some(Observed::parse(text.as_bytes())),
                live: Some(Live::new(host_units, answers, "/opt/acme", &["acme.service"])),
                ..Evidence::default()
            };
            let _ = diagnose(&config_once(), &evidence);
        }
    }

    fn config_once() -> Config {
        static CONFIG: std::sync::OnceLock<Config> = std::sync::OnceLock::new();
        CONFIG.get_or_init(config).clone()
    }
}
