//! Another switch is in progress: who, since when, at which step; or another command holds the host. As failures.

use crate::failure::{Exit, Failure, Next};
use crate::observed::Request;
use crate::step::event_in_words;
use crate::text;

/// Who holds the host, as a failure.
pub fn held(request: &Request, host: &str) -> Failure {
    let holder = if request.by.is_empty() {
        "an unknown user".to_owned()
    } else {
        text::shown(request.by.as_bytes())
    };
    let mut failure = Failure::new(Exit::Locked, format!("another switch is in progress: {holder}")).host(host);
    // What the request doesn't say is left out: somebody may have written it by hand.
    let mut what = vec![];
    if !request.command.is_empty() {
        what.push(format!("{} to {}", request.command, request.next));
    }
    if !request.since.is_empty() {
        what.push(format!("since {}", request.since));
    }
    if !what.is_empty() {
        failure = failure.why(what.join(", "));
    }
    if !request.step.is_empty() {
        failure = failure.why(format!("at {}", text::shown(event_in_words(&request.step).as_bytes())));
    }
    failure
        .next(Next::shipit("attach").remark("follows it"))
        .next(Next::shipit("deploy --wait").remark("deploys after it ends"))
}

/// Another command holds the lock under which requests are made: a restart of a service that starts slowly, say.
pub fn locked() -> Failure {
    Failure::new(Exit::Locked, "another command on the host holds the request lock")
        .why("the host waited 30s for it")
        .host("nothing live changed")
        .next(Next::again("").remark("when that command has ended"))
}
