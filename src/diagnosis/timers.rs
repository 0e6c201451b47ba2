//! Timers of the app whose last run failed, or that did not run when they were due. Whether they are enabled is judged by
//! the rules of units.

use super::{Area, Depth, Evidence, Finding};
use crate::failure::Next;
use crate::observed::Observed;
use crate::text::lapse;
use crate::unit::rules::Severity;

/// What is wrong with them; not what another error about the same unit reports already.
pub(super) fn findings(observed: &Observed, evidence: &Evidence, known: &[Finding]) -> Vec<Finding> {
    let Some(status) = &evidence.timers else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (timer, properties) in &status.timers {
        let unit = properties.text("Unit");
        let journal = Next::shell(format!("sudo journalctl -u {unit} -n 50"));
        let result = properties.text("Result");
        let said = |finding: &Finding| finding.severity == Severity::Error && finding.unit.as_deref() == Some(unit);
        if !matches!(result, "" | "success") && !known.iter().any(said) {
            let what = format!("{timer}: the last run of {unit} failed ({result})");
            found.push(
                Finding::error(Area::Unit, Depth::State, what)
                    .of(unit)
                    .next(journal.clone()),
            );
        }
        let Some(ago) = status
            .missed(observed, timer)
            .and_then(|due| Some(observed.time? - due))
        else {
            continue;
        };
        let what = format!("{timer}: the run that was due {} ago was missed", lapse(ago));
        let finding = Finding::warning(Area::Unit, Depth::State, what).of(timer);
        found.push(if status.is_running(timer) {
            finding
                .why(format!(
                    "{unit} is still running, and a timer does not start a second run"
                ))
                .next(journal)
        } else {
            finding
                .why("the timer was stopped, or the host was down, at that time")
                .next(Next::shell(format!("sudo systemctl start {unit}")).remark("runs it now"))
        });
    }
    found
}
