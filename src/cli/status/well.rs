//! A host where all is well, and the one line that is printed about it. Never here: what is printed otherwise.

use super::View;
use crate::config::{Instance, Service};
use crate::observed::Root;
use crate::observed::ledger::{PastOutcome, State};
use crate::plan::units::{Purpose, units};
use crate::step::Lever;
use crate::text;

/// Between a service and how long it is active.
pub(super) const HEALTHY: &str = " healthy, ";

impl View<'_> {
    /// Nothing to look at: what is live is verified, runs and is healthy, and the last switch and every timer went well.
    pub(super) fn is_well(&self) -> bool {
        let observed = self.observed;
        let live = observed.live().and_then(|id| observed.ledger.state(id));
        let state = |unit: &str| observed.unit(unit).active_state();
        let unit = |unit: &str| {
            let known = observed.unit(unit).text("LoadState") == "loaded";
            let result = matches!(observed.unit(unit).text("Result"), "" | "success");
            let listens = !unit.ends_with(".socket") || state(unit) == "active";
            known && result && listens && state(unit) != "failed"
        };
        let service = |one: Instance<'_>| {
            let sound = state(one.unit) == "active"
                && matches!(observed.unit(one.unit).text("NRestarts"), "" | "0")
                && self
                    .status
                    .release(observed, one.unit)
                    .is_some_and(|id| Some(id.as_str()) == observed.live())
                && !matches!(self.status.health.get(one.unit), Some(Err(_)));
            if observed.is_idle(&one) {
                state(one.unit) == "inactive"
            } else {
                sound
            }
        };
        live == Some(State::Verified)
            && observed.root == Root::Ready
            && observed.request.is_none()
            && observed.odd_request.is_none()
            && !observed.is_degraded()
            && self.unreadable().is_empty()
            && units(self.config, Purpose::Observe).into_iter().all(unit)
            && self.config.instances().all(service)
            && self.config.services.iter().all(|service| self.is_reached(service))
            && state(&format!("shipit-{}.path", self.app())) == "active"
            && self.status.timers.keys().all(|timer| self.is_due(timer))
            && self
                .pasts()
                .first()
                .is_none_or(|past| past.outcome == PastOutcome::Done || past.is_canceled())
    }

    /// Whether one of its instances runs, and gets the requests as far as that was observed.
    fn is_reached(&self, service: &Service) -> bool {
        let awake = || service.instances().filter(|one| !self.observed.is_idle(one));
        let led = |one: &Instance<'_>| {
            let lever = service.lever(one);
            let observed = lever.as_ref().and_then(|lever| self.observed.routers.get(&lever.key()));
            observed.is_none_or(|seen| match &lever {
                Some(Lever::Link { .. }) => seen.link.is_some() && seen.link == service.place(one),
                Some(Lever::Parts(_)) => {
                    let place = service.place(one);
                    seen.parts.values().all(|to| Some(to) == place.as_ref())
                }
                _ => true,
            })
        };
        // Of instances that take turns one is awake; of several each has requests of its own.
        let all = awake().all(|one| led(&one)) || service.strategy.needs_router() && awake().any(|one| led(&one));
        awake().next().is_some() && all
    }

    /// Whether a timer went well and will start its unit again; while that runs, the next time need not be set yet.
    pub(super) fn is_due(&self, timer: &str) -> bool {
        let of = |key: &str| self.status.timers.get(timer).map_or("", |timer| timer.text(key));
        let next = self.status.is_running(timer) || self.status.next(self.observed, timer).is_some();
        let missed = self.status.missed(self.observed, timer).is_some();
        of("Result") == "success" && of("ActiveState") == "active" && next && !missed
    }

    /// `acme runs 20261121-054349 (verified): acme.service healthy, active for 2 h; 1a2b3c4 Fix the login (main)`.
    pub(super) fn in_short(&self) -> String {
        let awake: Vec<_> = self
            .config
            .instances()
            .filter(|one| !self.observed.is_idle(one))
            .collect();
        let who = match awake.as_slice() {
            [] => return self.live(),
            [one] => one.unit.to_owned(),
            all => format!("{} services", all.len()),
        };
        let checked = awake.iter().all(|one| self.status.health.contains_key(one.unit));
        let since = awake.iter().filter_map(|one| self.since(one.unit)).min();
        let since = since
            .map(|seconds| format!(" for {}", text::lapse(seconds)))
            .unwrap_or_default();
        let commit = self.commit().map(|commit| format!("; {commit}")).unwrap_or_default();
        let healthy = if checked { HEALTHY } else { " " };
        format!("{}: {who}{healthy}active{since}{commit}", self.live())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::paper::Paper;
    use crate::failure::Typed;
    use crate::observed::Observed;
    use crate::observed::status::StatusReport;
    use expect_test::expect;

    const FACTS: &str = "systemd 252\nroot ready\ntime 1793700000\nuser deploy\nuid 1000\ncurrent link releases/r1\nrelease r1\n\
        unit shipit-acme.path ActiveState=active\nunit acme.service LoadState=loaded\nunit acme.service ActiveState=active\n\
        unit acme.service SubState=running\nunit acme.service Result=success\nunit acme.service NRestarts=0\n\
        unit acme.service ActiveEnterTimestamp=Tue 2026-11-03 08:40:00 UTC\n\
        info r1 revision=1a2b3c4d5e6f\ninfo r1 subject=Greet\\0040twice\ninfo r1 branch=main\n\
        ledger 2026-11-03T08:00:00Z 1 r staged r1\nledger 2026-11-03T08:00:01Z 1 r begin r1\nledger 2026-11-03T08:00:09Z 1 r verified r1\n";

    const ONE: &str =
        "services: [{unit: acme.service, strategy: restart, health: {url: 'http://127.0.0.1:8080/healthz'}}]";

    /// What is printed of a host with these facts more, on a screen of that many columns.
    fn printed(more: &str, health: &str, columns: usize) -> String {
        of(ONE, more, health, columns)
    }

    /// The same for an app with these services.
    fn of(services: &str, more: &str, health: &str, columns: usize) -> String {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        std::fs::write(&file, format!("app: acme\nhost: h\nsource: .\n{services}\n")).unwrap();
        let view = View {
            config: &crate::config::load(&file, None).unwrap(),
            observed: &Observed::parse(format!("{FACTS}{more}").as_bytes()),
            status: &StatusReport::parse(
                format!("uptime 9000\nfrom acme.service r1\nhealth acme.service {health}\n").as_bytes(),
            ),
        };
        view.printed(&Typed::default(), Paper::plain(Some(columns)), false)
    }

    #[test]
    fn a_host_where_all_is_well_is_one_line() {
        expect![[r#"
            acme runs r1 (verified) on h:
              acme.service healthy, active for 80
              min; 1a2b3c4 Greet twice (main)
        "#]]
        .assert_eq(&printed("", "ok", 40));
        expect![[r#"
            acme runs r1 (verified) on h: acme.service healthy, active for 80 min; 1a2b3c4
              Greet twice (main)
        "#]]
        .assert_eq(&printed("", "ok", 80));
        expect![[r#"
            acme runs r1 (verified) on h: acme.service healthy, active for 80 min; 1a2b3c4 Greet twice (main)
        "#]]
        .assert_eq(&printed("", "ok", 120));
    }

    #[test]
    fn anything_that_is_not_well_shows_all_of_it() {
        let bad = "bad http://127.0.0.1:8080/healthz answered 503, not 200";
        expect![[r#"
            acme runs r1 (verified) on h
              commit 1a2b3c4 Greet twice (main)
              acme.service: active (running) for 80
                min
                runs from r1
                not healthy:
                  http://127.0.0.1:8080/healthz
                  answered 503, not 200
              shipit-acme.path: active
            last deploys
              119 min ago: r1 deployed
            next: shipit doctor
                  # prints the reason
        "#]]
        .assert_eq(&printed("", bad, 40));
        expect![[r#"
            acme runs r1 (verified) on h
              commit 1a2b3c4 Greet twice (main)
              acme.service: active (running) for 80 min
                runs from r1
                not healthy: http://127.0.0.1:8080/healthz answered 503, not 200
              shipit-acme.path: active
            last deploys
              119 min ago: r1 deployed
            next: shipit doctor    # prints the reason
        "#]]
        .assert_eq(&printed("", bad, 80));
        expect![[r#"
            acme runs r1 (verified) on h
              commit 1a2b3c4 Greet twice (main)
              acme.service: active (running) for 80 min
                runs from r1
                not healthy: http://127.0.0.1:8080/healthz answered 503, not 200
              shipit-acme.path: active
            last deploys
              119 min ago: r1 deployed
            next: shipit doctor    # prints the reason
        "#]]
        .assert_eq(&printed("", bad, 120));
        let one = |more: &str| printed(more, "ok", 120).lines().count() == 1;
        assert!(one(""));
        for more in [
            "unit acme.service NRestarts=3\n",
            "unit acme.service ActiveState=failed\n",
            "unit shipit-acme.path ActiveState=inactive\n",
            "ledger 2026-11-03T09:00:00Z 2 s staged r2\nledger 2026-11-03T09:00:01Z 2 s begin r2\nledger 2026-11-03T09:00:09Z 2 s failed r2\nledger 2026-11-03T09:00:09Z 2 s reverted r2\n",
            "unreadable sudo\n",
            "root readonly\n",
        ] {
            assert!(!one(more), "{more}");
        }
    }

    #[test]
    fn a_process_of_another_release_has_its_command_on_a_line_of_its_own() {
        let shown = printed("", "ok\nfrom acme.service r0", 40);
        assert!(
            shown.contains("    runs from r0, which is not live\n    next: shipit restart acme.service\n"),
            "{shown}"
        );
        let unknown = printed("", "ok\nfrom acme.service ", 120);
        assert!(unknown.lines().count() > 1, "{unknown}");
    }

    #[test]
    fn sockets_timers_and_idle_instances_are_looked_at_too() {
        let one = |services: &str, more: &str, status: &str| of(services, more, status, 200).lines().count() == 1;
        let timer = |next: &str, pid: &str, state: &str| {
            let line = |property: &str| format!("timer acme-b.timer {property}\n");
            ["Result=success", pid, state, next].map(line).concat()
        };
        let status = |timer: String| one(ONE, "", &format!("ok\n{timer}"));
        let next = "NextElapseUSecRealtime=Wed 2026-11-04 08:00:00 UTC";
        assert!(status(timer(next, "MainPID=0", "ActiveState=active")));
        assert!(status(timer(
            "NextElapseUSecRealtime=",
            "MainPID=7",
            "ActiveState=active"
        )));
        assert!(!status(timer(
            "NextElapseUSecRealtime=",
            "MainPID=0",
            "ActiveState=active"
        )));
        assert!(!status(timer(next, "MainPID=0", "ActiveState=inactive")));

        let socket =
            "services: [{unit: acme.service, strategy: socket, health: {url: 'http://127.0.0.1:8080/healthz'}}]";
        let listens =
            |state: &str| format!("unit acme.socket LoadState=loaded\nunit acme.socket ActiveState={state}\n");
        assert!(one(socket, &listens("active"), "ok"));
        assert!(!one(socket, &listens("inactive"), "ok"));

        let pair = "routers: {web: {kind: nginx, url: 'http://127.0.0.1:8080/healthz'}}\n\
            services: [{unit: acme@.service, strategy: blue-green, router: web, health: {unix: {socket: '/run/acme/{instance}.sock', path: /healthz}}}]";
        let pair_of = |blue: &str, green: &str, link: &str, slots: &str| {
            let unit = |name: &str, state: &str| {
                format!(
                    "unit acme@{name}.service LoadState=loaded\nunit acme@{name}.service ActiveState={state}\n\
                     unit acme@{name}.service ActiveEnterTimestamp=Tue 2026-11-03 08:40:00 UTC\n"
                )
            };
            let key = "link=/opt/acme/live.sock";
            let more = unit("blue", blue) + &unit("green", green) + slots + &format!("router {key} link {link}\n");
            of(
                pair,
                &more,
                "ok\nfrom acme@blue.service r1\nhealth acme@blue.service ok",
                200,
            )
        };
        let well =
            |blue: &str, green: &str, link: &str, slots: &str| pair_of(blue, green, link, slots).lines().count() == 1;
        let (blue, slot) = ("/run/acme/blue.sock", "slot blue link ../releases/r1\n");
        assert!(
            well("active", "inactive", blue, slot),
            "{}",
            pair_of("active", "inactive", blue, slot)
        );
        assert!(!well("active", "active", blue, slot), "an idle one that runs");
        assert!(
            !well("active", "inactive", "/run/acme/green.sock", slot),
            "the router asks the idle one"
        );
        assert!(!well("inactive", "inactive", blue, ""), "none runs");
    }

    #[test]
    fn several_services_are_healthy_only_if_each_has_a_check() {
        let two = "services: [{unit: acme.service, strategy: restart, health: {url: 'http://127.0.0.1:8080/healthz'}}, {unit: b.service, strategy: restart}]";
        let more = "unit b.service LoadState=loaded\nunit b.service ActiveState=active\n";
        let shown = of(two, more, "ok\nfrom b.service r1", 200);
        assert_eq!(
            shown,
            "acme runs r1 (verified) on h: 2 services active for 80 min; 1a2b3c4 Greet twice (main)\n"
        );
    }

    #[test]
    fn an_unreadable_current_is_not_a_host_without_a_live_release() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        std::fs::write(&file, format!("app: acme\nhost: h\nsource: .\n{ONE}\n")).unwrap();
        let config = &crate::config::load(&file, None).unwrap();
        for (current, live, known) in [
            ("link releases/r1", Some("r1"), true),
            ("absent", None, true),
            ("link unreadable", None, false),
            ("directory", None, false),
            ("link releases/r1\ncurrent dangling", None, false),
        ] {
            let view = View {
                config,
                observed: &Observed::parse(format!("{FACTS}current {current}\n").as_bytes()),
                status: &StatusReport::default(),
            };
            let object = view.object();
            assert_eq!(object["live"].as_str(), live, "{current}");
            assert_eq!(object["live_known"], known, "{current}");
        }
    }
}
