//! What is wrong with a unit: each rule is one function, and its doc comment is what `shipit unit explain` prints.
//! Rules are pure: text in, and facts when a host was asked. Never reaches a host. Start reading at [`lint`].

mod command_line; // how the program is started: wrappers, releases, reload
mod drift; // the running host against the text
mod exec; // command lines
mod facts; // what a running host reports about one unit
mod finding; // what a rule reports, and how it reports it
mod forking; // Type=forking, PIDFile=
mod hardening; // sandboxing, and what it breaks
mod identity; // users
mod job; // migrations and the jobs of timers
mod levels; // when a finding is more or less severe
mod masked; // secrets in what is printed
mod misread; // lines that systemd reads in another meaning
mod old; // old names of keys
mod order; // dependencies, [Install], templates, migrations
mod process_state; // what became of its processes
mod program; // the programs that a service runs
mod resources; // memory, tasks, files, CPU
mod restart; // Restart= and start limits
mod root_env; // commands that run as root with variables of the deploy user
mod root_path; // paths that systemd itself opens as root
mod runtime; // which program it is, and what it is known to do
mod sandbox; // the directives of `systemd-analyze security`
mod sd_notify; // Type=notify
mod secrets; // environment files and credentials
mod sequence; // which unit waits for which
mod shell_dollar; // the $ in scripts of shells
mod socket; // .socket units and the services behind them
mod socket_address; // what a socket listens on
mod stop; // how it ends
mod syntax; // lines that systemd ignores or refuses
mod timer; // .timer units and the services behind them
mod type_; // Type=
mod view; // a unit with what is known around it
mod watchdog; // the watchdog, exit codes
mod whole; // units that systemd refuses as a whole

pub use facts::{Calendar, Facts, FileFact, Named, Way};
pub use finding::{Cause, Depth, Edit, Finding, Fix, Found, Severity};
pub use root_path::{NAME as ROOT_PATH, root_paths};
pub use runtime::{Runtime, of as runtime_of};
pub use sandbox::{DIRECTIVES, Directive, directive};
pub use secrets::environment_file;
pub use socket::service_of;
pub use view::{Context, View};

pub use masked::masked as without_secrets;

use super::merge::Unit;
use super::parse::Kind;
use super::{accepts, keys};

/// The types of units that a rule checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Service,
    Socket,
    Timer,
    Any,
    /// No unit, but the files in `EnvironmentFile=`, which [`environment_file`] checks.
    EnvironmentFile,
}

impl On {
    fn takes(self, kind: &str) -> bool {
        match self {
            On::Service => kind == "service",
            On::Socket => kind == "socket",
            On::Timer => kind == "timer",
            On::Any => true,
            On::EnvironmentFile => false,
        }
    }
}

#[derive(Clone, Copy)]
pub struct Rule {
    /// `type-forking-pidfile`
    pub name: &'static str,
    /// Unless the rule overrides it for a case.
    pub severity: Severity,
    /// Counts for errors; a rule may override it for a case.
    pub depth: Depth,
    pub on: On,
    /// Its doc comment: title, reason, what happens in production, the lines to write, the man page.
    doc: &'static str,
    check: fn(&View<'_>, &mut Found<'_>),
}

impl Rule {
    pub fn title(&self) -> &'static str {
        self.doc.lines().next().unwrap_or_default().trim()
    }

    /// The paragraph "In production:" of its text, on one line.
    pub fn in_production(&self) -> String {
        let lines = self.doc.lines().map(str::trim);
        let from = lines.skip_while(|line| !line.starts_with("In production:"));
        let paragraph: Vec<&str> = from.take_while(|line| !line.is_empty()).collect();
        let text = paragraph.join(" ").replace('`', "");
        text.trim_start_matches("In production:").trim().to_owned()
    }

    /// Its text as `shipit unit explain` prints it: code blocks are indented.
    pub fn explanation(&self) -> String {
        let mut out = format!("{} ({})\n\n", self.name, self.severity);
        let mut fenced = false;
        for line in self.doc.lines() {
            let line = line.strip_prefix(' ').unwrap_or(line);
            if line.starts_with("```") {
                fenced = !fenced;
                continue;
            }
            let levels = levels::explanation(self);
            if line.starts_with("See ") && !levels.is_empty() {
                out.push_str(&levels);
                out.push('\n');
            }
            let indent = if fenced { "    " } else { "" };
            out.push_str(format!("{indent}{line}").trim_end());
            out.push('\n');
        }
        out
    }
}

/// Declares rules: the doc comment, a name, a severity (with a [`Depth`], where an error can be why a unit does not
/// run), the units it looks at, a function. The comment is both the function's documentation and what `explain` prints.
macro_rules! rules {
    (@depth) => { crate::unit::rules::Depth::Later };
    (@depth $depth:ident) => { crate::unit::rules::Depth::$depth };
    ($(
        $(#[doc = $doc:literal])+
        $name:literal $severity:ident $(($depth:ident))? $on:ident
        $function:ident($view:ident, $found:ident) $body:block
    )+) => {
        $(
            $(#[doc = $doc])+
            fn $function($view: &crate::unit::rules::View<'_>, $found: &mut crate::unit::rules::Found<'_>) $body
        )+
        pub(super) const RULES: &[crate::unit::rules::Rule] = &[$(crate::unit::rules::Rule {
            name: $name,
            severity: crate::unit::rules::Severity::$severity,
            depth: rules!(@depth $($depth)?),
            on: crate::unit::rules::On::$on,
            doc: concat!($($doc, "\n"),+),
            check: $function,
        }),+];
    };
}
use rules;

const GROUPS: [&[Rule]; 26] = [
    syntax::RULES,
    misread::RULES,
    old::RULES,
    whole::RULES,
    type_::RULES,
    forking::RULES,
    sd_notify::RULES,
    restart::RULES,
    watchdog::RULES,
    stop::RULES,
    exec::RULES,
    shell_dollar::RULES,
    program::RULES,
    command_line::RULES,
    identity::RULES,
    root_path::RULES,
    root_env::RULES,
    secrets::RULES,
    order::RULES,
    job::RULES,
    hardening::RULES,
    resources::RULES,
    socket::RULES,
    socket_address::RULES,
    timer::RULES,
    drift::RULES,
];

/// Every rule, in reading order.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    GROUPS.into_iter().flatten()
}

/// What `shipit unit explain NAME` prints, for a rule or a key: as it stands in a unit (`Type=`) or in a finding
/// (`[exec-dollar]`), in any case.
pub fn explain(name: &str) -> Option<String> {
    let name = name.trim().trim_start_matches('[').trim_end_matches(['=', ']']);
    let named = || {
        all()
            .map(|rule| rule.name)
            .chain(DIRECTIVES.iter().map(|directive| directive.key))
    };
    let mut known = named().chain(keys::names());
    let lower = |known: &&str| known.eq_ignore_ascii_case(name);
    let name = if keys::sections_of(name).is_empty() {
        known.find(lower)?
    } else {
        name
    };
    let rule = all().find(|rule| rule.name == name).map(Rule::explanation);
    rule.or_else(|| directive(name).map(Directive::explanation))
        .or_else(|| explain_key(name))
}

/// A key that is neither a rule nor a directive of the sandbox: what it does, what it takes, where it belongs.
fn explain_key(name: &str) -> Option<String> {
    let sections = keys::sections_of(name);
    let section = sections.first()?;
    let lines = include_str!("directives.txt").lines();
    let text_of = |name: &str| {
        let mut known = lines.clone().filter_map(|line| line.split_once(": "));
        known.find(|(key, _)| *key == name)?.1.split_once(": ")
    };
    // Of these, only the conditions have a text.
    let assert = name.strip_prefix("Assert").map(|rest| format!("Condition{rest}"));
    let known = text_of(assert.as_deref().unwrap_or(name));
    let (page, text) = match known {
        Some((page, text)) if assert.is_some() => (page, format!("{text} Otherwise the start fails.\n")),
        Some((page, text)) => (page, format!("{text}\n")),
        None => ("systemd.directives(7)", String::new()),
    };
    let takes = accepts::expected(section, name).map_or(String::new(), |takes| format!("It takes: {takes}.\n"));
    let since = keys::find(section, name).map_or(0, |key| key.since);
    let since = if since > 0 {
        format!("It needs systemd {since}.\n")
    } else {
        String::new()
    };
    let (sections, key) = (sections.join("] ["), format!("{name}="));
    let rules: Vec<&str> = all()
        .filter(|rule| rule.doc.contains(&key))
        .map(|rule| rule.name)
        .collect();
    let rules = if rules.is_empty() {
        String::new()
    } else {
        format!("Rules: {}\n", rules.join(", "))
    };
    Some(format!(
        "{name} in [{sections}]\n\n{text}{takes}{since}{rules}\nSee {page}, {name}=.\n"
    ))
}

/// Checks one unit with every rule. Findings are ordered by place, the worst first at each.
///
/// A comment `# shipit: allow RULE` anywhere in the unit's files silences that rule for the unit.
pub fn lint(unit: &Unit, context: &Context) -> Vec<Finding> {
    let view = View::new(unit, context);
    let mut findings = Vec::new();
    // A unit without files has no text to judge.
    let groups: &[&[Rule]] = if unit.files.is_empty() {
        &[drift::RULES]
    } else {
        &GROUPS
    };
    let rules = groups.iter().copied().flatten();
    for rule in rules.filter(|rule| rule.on.takes(unit.name.kind())) {
        let mut found = Found::new(rule, unit);
        (rule.check)(&view, &mut found);
        let found = found.into_findings();
        debug_assert!(
            found.iter().all(|one| levels::is_explained(rule, one.severity)),
            "`unit explain` does not say that it can be so severe: {found:?}"
        );
        findings.extend(found);
    }
    for finding in &mut findings {
        finding.message = without_secrets(&finding.message);
    }
    if !view.is_of_an_app() {
        levels::lower_choices(&mut findings);
    }
    if view.is_shared() {
        // The text is the package's. What the host reports of the unit, what it lacks, and a drop-in still count.
        let live = |rule: &str| drift::RULES.iter().any(|drift| drift.name == rule);
        let reported = |one: &Finding| one.cause.as_ref().is_some_and(|cause| *cause != Cause::Exposure);
        let secret = |rule: &str| rule.starts_with("secret-") || rule == "environment-file-mode";
        findings.retain(|one| {
            one.severity == Severity::Error
                || live(one.rule)
                || secret(one.rule)
                || reported(one)
                || !view::is_of_a_package(&one.file)
        });
    }
    let allowed = allowed(unit);
    findings.retain(|finding| !allowed.contains(&finding.rule));
    // What systemd refuses has no effect that another rule could judge.
    let refused: Vec<(String, u32)> = findings
        .iter()
        .filter(|finding| finding.rule == "bad-value" && finding.severity == Severity::Error)
        .map(|finding| (finding.file.clone(), finding.line))
        .collect();
    findings.retain(|one| {
        one.severity == Severity::Error
            || !refused
                .iter()
                .any(|(file, line)| *file == one.file && *line == one.line)
    });
    findings.sort_by(|a, b| (&a.file, a.line, b.severity).cmp(&(&b.file, b.line, a.severity)));
    findings
}

fn allowed(unit: &Unit) -> Vec<&str> {
    let comments = unit
        .files
        .iter()
        .flat_map(|file| &file.lines)
        .filter_map(|line| match &line.kind {
            Kind::Comment(text) => text.trim().strip_prefix("shipit: allow "),
            _ => None,
        });
    comments.filter_map(|rest| rest.split_whitespace().next()).collect()
}
