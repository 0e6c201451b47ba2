//! A plan as text: what `shipit plan` prints and what plan snapshots compare. Pure.

use super::Plan;

/// The plan as a person reads it.
pub fn explain(plan: &Plan) -> String {
    let mut out = String::new();
    out.push_str(&format!(
        "{} {} -> {}\n",
        plan.change.command.word(),
        plan.change.previous.as_deref().unwrap_or("(nothing)"),
        plan.change.next
    ));
    for (title, steps) in [
        ("switch (the host runs it by itself)", &plan.switch),
        ("revert (if a step fails after the flip began)", &plan.revert),
        ("settle (after the confirmation)", &plan.settle),
    ] {
        out.push_str(&format!("\n{title}\n"));
        for step in steps {
            out.push_str(&format!("  {step}\n"));
        }
    }
    for advice in &plan.advice {
        out.push_str(&format!("\nadvice: {advice}\n"));
    }
    for warning in &plan.warnings {
        out.push_str(&format!("\nwarning: {warning}\n"));
    }
    out
}
