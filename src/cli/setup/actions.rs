//! What `setup` will change on the host, as it is shown before the question: a line for each act, and none for what is
//! already as `setup` leaves it. What this login cannot read is named as that. Never here: the acts themselves.

use crate::engine::setup::{Layout, former};
use crate::observed::{Answers, Observed, Root};
use crate::plan::root_files::{OnHost, RULE, not_roots, root_files};
use crate::plan::units::{HELPERS, lets};
use crate::text::shown;

/// How much of what root would write is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Detail {
    /// Each file by its name and what it is for; the sudo rule whole, as that is what is granted.
    Names,
    /// Every line of every file.
    Whole,
}

/// What root will change. `seen`: what is there, where the host was asked.
pub(in crate::cli) fn actions(layout: &Layout<'_>, seen: Option<(&Observed, &Answers)>, detail: Detail) -> String {
    let Layout { config, guard, .. } = layout;
    let mut out = account(layout, seen) + &tree(layout, seen);
    let mut hidden = false;
    let mut in_place = Vec::new();
    let lends = !guard.sudo_rule.is_empty() || guard.notify.is_some();
    if let Some((_, answers)) = seen.filter(|_| lends) {
        out.push_str(&directories(config.app.as_str(), answers));
    }
    for file in root_files(config, guard) {
        let found = match seen {
            Some((observed, answers)) => file.on_host(observed, answers),
            None if file.text.is_empty() => continue,
            None => OnHost::Missing,
        };
        let path = &file.path;
        let user = seen.map_or("", |(observed, _)| observed.user.as_str());
        let line = match (found, file.text.is_empty()) {
            (OnHost::InPlace, is_gone) => {
                in_place.extend((!is_gone).then(|| path.clone()));
                continue;
            }
            (OnHost::Differs(other), true) => format!("remove {path}, which {other}"),
            (_, true) => format!("remove {path}, if it exists: {} cannot read it", shown(user.as_bytes())),
            (OnHost::Missing, _) => format!("write {path}"),
            (OnHost::Differs(other), _) => format!("replace {path}, which {other}"),
            (OnHost::Unknown, _) => {
                format!("write {path}, if it differs: {} cannot read it", shown(user.as_bytes()))
            }
        };
        if file.text.is_empty() {
            out.push_str(&format!("  {line}\n"));
        } else if detail == Detail::Whole || file.name == RULE {
            out.push_str(&whole(&line, file.text));
        } else {
            hidden = true;
            out.push_str(&format!("  {line}\n      {}\n", file.what));
        }
        if file.name == RULE && !file.text.is_empty() {
            out.push_str(&granted(layout));
        }
    }
    if let Some((observed, _)) = seen {
        out.push_str(&guards(observed, &in_place));
    }
    if out.is_empty() {
        out = "  change nothing: all that setup installs is in place (the guard is restarted anyway)\n".into();
    } else if !in_place.is_empty() {
        let files = if in_place.len() == 1 { "file is" } else { "files are" };
        out.push_str(&format!(
            "  leave the rest: {} root-owned {files} in place\n",
            in_place.len()
        ));
    }
    if !guard.sudo_rule.is_empty() {
        for one in &layout.withheld {
            out.push_str(&format!("  write no sudo line for {}:\n      {}\n", one.unit, one.why));
        }
    }
    if hidden {
        out.push_str("  (-v or --print shows every line of these files)\n");
    }
    out
}

fn whole(line: &str, text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| format!("{}\n", format!("      {line}").trim_end()));
    format!("  {line}:\n{}", lines.collect::<String>())
}

/// The deploy user and how it logs in.
fn account(layout: &Layout<'_>, seen: Option<(&Observed, &Answers)>) -> String {
    let user = &layout.user;
    let is_login = seen.is_some_and(|(observed, _)| observed.user == *user);
    let has = |fact: &dyn Fn(&Answers) -> bool| is_login || seen.is_some_and(|(_, answers)| fact(answers));
    let mut out = String::new();
    if !has(&|answers| answers.named.users.get(user) == Some(&true)) {
        out.push_str(&format!("  create the user {user}, if it does not exist\n"));
    }
    if !has(&|answers| answers.with_keys.contains(user)) {
        out.push_str(&format!(
            "  give {user} this login's authorized keys, if it has neither keys nor a password\n"
        ));
    }
    out
}

/// The app's root, and whose it was.
fn tree(layout: &Layout<'_>, seen: Option<(&Observed, &Answers)>) -> String {
    let Layout { config, user, .. } = layout;
    let (app, root) = (config.app.as_str(), config.root.as_str());
    let group = shown(layout.group.as_bytes());
    let mut taken = String::new();
    if let Some(former) = seen.and_then(|(observed, _)| former(config, observed, user)) {
        let former = shown(former.as_bytes());
        taken.push_str(&format!(
            "  hand {app} over from {former} to {user}: remove the sudo rule of {former}, change the owner of its files in {root}\n"
        ));
    }
    if let Some(owner) = seen.and_then(|(observed, _)| layout.adopts(observed)) {
        let owner = shown(owner.as_bytes());
        taken.push_str(&format!(
            "  give {root}, a deploy tree that belongs to {owner}, to {user}\n"
        ));
    }
    if seen.is_some_and(|(observed, _)| observed.root == Root::Bare) {
        taken.push_str(&format!(
            "  adopt the releases that another tool created in {root}, and make current a relative symlink\n"
        ));
    }
    let fixes = seen.and_then(|(_, answers)| fixes(layout, answers, !taken.is_empty()));
    let own = match fixes.as_deref() {
        None => format!("  create {root} (owner {user}) with releases/, shared/ (group {group}) and .shipit/\n"),
        Some([]) => String::new(),
        Some(fixes) => format!("  fix in {root}: {}\n", fixes.join(", ")),
    };
    own + &taken
}

/// What is not as `setup` leaves it in an app's root that was set up, beside its owner; `None` for any other, and if not
/// all of it can be read.
fn fixes(layout: &Layout<'_>, answers: &Answers, is_taken: bool) -> Option<Vec<String>> {
    let Layout {
        config, user, group, ..
    } = layout;
    let part = |name: &str| answers.file(&format!("{}/{name}", config.root.as_str()));
    let (releases, shared, state) = (part("releases")?, part("shared")?, part(".shipit")?);
    if !releases.directory || !state.directory {
        return None;
    }
    // A group that does not exist yet is given nothing.
    let is_grouped = group == user
        || answers.named.users.get(group) == Some(&false)
        || (shared.group == *group && shared.mode == 0o2775);
    let shares = shared.directory && is_grouped;
    let keeps = state.mode == 0o700 && (is_taken || state.owner == *user);
    let shares = (!shares).then(|| format!("shared/ (group {})", shown(group.as_bytes())));
    let keeps = (!keeps).then(|| format!(".shipit/ (owner {user}, mode 0700)"));
    Some(shares.into_iter().chain(keeps).collect())
}

/// The directories of the helpers, where they are not root's own.
fn directories(app: &str, answers: &Answers) -> String {
    let dirs = [HELPERS.trim_end_matches('/').to_owned(), format!("{HELPERS}{app}")];
    let fix = |dir: &String| {
        let fact = answers.file(dir).filter(|fact| fact.exists)?;
        Some(format!("  fix {dir}, which {}\n", not_roots(&fact, 0o755)?))
    };
    dirs.iter().filter_map(fix).collect()
}

/// What the rule lets the deploy user do with units that a package brings.
fn granted(layout: &Layout<'_>) -> String {
    let is_let = |unit: &str| layout.withheld.iter().all(|one| one.unit != unit);
    let line = |(unit, file): &(&str, String)| {
        let may = lets(layout.config, unit);
        // A unit that is granted has at least two.
        let (last, rest) = may.split_last()?;
        Some(format!(
            "  let {} {} and {last} {unit}, which is not the app's own: a package installed {file}\n",
            layout.user,
            rest.join(", ")
        ))
    };
    let packaged = layout.of_packages.iter().filter(|(unit, _)| is_let(unit));
    packaged.filter_map(line).collect()
}

/// The guard's units whose files stay as they are, and which systemd would not start.
fn guards(observed: &Observed, in_place: &[String]) -> String {
    let line = |path: &String| {
        let unit = path.strip_prefix("/etc/systemd/system/")?;
        let (starts, boots) = (unit.ends_with(".path"), unit.ends_with("-boot.service"));
        let properties = observed.unit(unit);
        let is_enabled = properties.unit_file_state() == Some("enabled");
        match (starts, boots) {
            (true, _) if !is_enabled || !properties.is_active() => Some(format!("  enable and start {unit}\n")),
            (_, true) if !is_enabled => Some(format!("  enable {unit}\n")),
            _ => None,
        }
    };
    in_place.iter().filter_map(line).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::engine::withheld::Withheld;

    #[test]
    fn what_a_package_installed_is_let_in_the_words_of_the_rule_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        let yml = "app: acme\nhost: deploy@h\nsource: .\nservices:\n  - unit: php-fpm.service\n    strategy: reload\n    \
                   health: {url: 'http://127.0.0.1:8080/'}\n";
        std::fs::write(&file, yml).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let shown = |withheld| {
            let mut layout = Layout::new(&config, "deploy".into(), "deploy".into(), withheld);
            layout.of_packages = vec![("php-fpm.service", "/usr/lib/x".into())];
            actions(&layout, None, Detail::Names)
        };
        let text = shown(Vec::new());
        let line =
            "  let deploy start, stop, restart, reload and kill php-fpm.service, which is not the app's own: a package";
        assert!(text.contains(line), "{text}");
        let text = shown(vec![Withheld {
            unit: "php-fpm.service".into(),
            why: "x".into(),
        }]);
        assert!(!text.contains("let deploy"), "{text}");
        assert!(text.contains("write no sudo line for php-fpm.service"), "{text}");
    }
}
