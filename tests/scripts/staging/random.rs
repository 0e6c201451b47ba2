//! Random trees, staged one after the other, also over one that was cut off. Never a tree that is written by hand.

use super::*;

/// How many of them took files from one that was cut.
fn rounds(shell_words: &'static [&'static str], seed: u64, rounds: usize) -> usize {
    let mut staging = Staging::new(shell_words, seed);
    let (mut base, mut resumed): (Option<String>, _) = (None, 0);
    for round in 0..rounds {
        for _ in 0..staging.dice.roll(12) {
            staging.edit();
        }
        let id = format!("r{round}");
        let link = ["hard", "hard", "copy"][staging.dice.roll(3)];
        let before = base.as_ref().map(|base| shell(&staging.release(base), STATE));
        if staging.dice.roll(2) == 0 {
            // Killed somewhere on its way: nothing is published, and nothing of the base is touched.
            let next = staging.next(base.as_deref(), "dead");
            let child = staging.receive(&next, link);
            let dead = staging.release(".in-dead");
            let arrived = || shell(&dead, "find . -type f -size +0 -links 1 2>/dev/null || :");
            let enough = staging.dice.roll(60);
            if staging.dice.roll(3) == 0 {
                std::thread::sleep(Duration::from_micros(staging.dice.roll(40_000) as u64));
            } else {
                // Not by a wait: its number stays its own until the group is killed.
                let stat = format!("/proc/{}/stat", child.id());
                let ended = || fs::read_to_string(&stat).unwrap().contains(") Z ");
                bounds::wait_for("files that arrive", || arrived().len() > enough || ended());
            }
            let group = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            drop(child.ends());
            bounds::wait_for_end_of_group(group.as_raw_pid().unsigned_abs());
            let verified = staging.verify(&next);
            // As if it had died just before.
            drop(fs::remove_file(staging.at("root/.shipit/releases/.in-dead/digest")));
            if verified.status.success() {
                let there = shell(&staging.release(".in-dead"), CONTENT);
                assert_eq!(
                    there,
                    shell(&staging.at("source"), CONTENT),
                    "seed {seed} round {round}"
                );
            }
        }
        // What arrived is not sent again. As hold.sh, which removes it where nothing of it is wanted.
        let delta = staging.stage(base.as_deref(), &id, link);
        resumed += usize::from(delta.cut.is_some());
        for left in [
            staging.release(".in-dead"),
            staging.at("root/.shipit/releases/.in-dead"),
        ] {
            assert!(delta.cut.is_none() || !left.exists(), "seed {seed} round {round}");
            drop(fs::remove_dir_all(left));
        }
        staging.assert_published(&id);
        if let (Some(base), Some(before)) = (&base, before) {
            assert_eq!(
                shell(&staging.release(base), STATE),
                before,
                "seed {seed} round {round}: the base changed"
            );
            fs::remove_dir_all(staging.release(base)).unwrap();
            staging.assert_published(&id);
        }
        base = Some(id);
    }
    resumed
}

#[test]
fn random_trees_arrive_whole_and_leave_the_release_before_as_it_was() {
    let runs = SHELLS.into_iter().enumerate();
    let resumed: usize = runs.map(|(at, shell)| rounds(shell, 11 + at as u64, 15)).sum();
    assert!(resumed > 0);
}

#[test]
#[ignore = "takes long"]
fn random_trees_arrive_whole_for_two_thousand_rounds() {
    for seed in 0..40 {
        rounds(SHELLS[seed as usize % 2], 1000 + seed, 50);
    }
}
