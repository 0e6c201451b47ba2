//! Memory, tasks, files, CPU: limits that protect the host from the app, and limits that hurt the app.

use super::runtime::{self, Runtime};
use super::{Severity, rules};
use crate::unit::value::{self, Size};

/// A size setting in bytes; a percentage and infinity have none.
fn bytes(view: &super::View<'_>, key: &str) -> Option<u64> {
    match value::size(view.unit.service(key)) {
        Some(Size::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The heap size on the command line or in `Environment=`, in bytes, if it is plausible.
fn heap(view: &super::View<'_>) -> Option<u64> {
    let environment = view.unit.words("Service", "Environment");
    let (command, _) = view.start()?;
    let variables = environment.iter().map(|(word, _)| word.as_str());
    runtime::heap(command.words().chain(variables)).filter(|heap| (1 << 20..1 << 50).contains(heap))
}

fn mebibytes(bytes: u64) -> String {
    format!("{}M", bytes >> 20)
}

rules! {
    /// MemoryMax= without MemoryHigh=
    ///
    /// When the service reaches `MemoryMax=`, the kernel kills it. A lower `MemoryHigh=` first slows the service down
    /// and reclaims memory.
    ///
    /// In production: the kernel kills the app in the middle of its requests. With `MemoryHigh=` the app would slow
    /// down first, and your graphs would show it.
    ///
    /// ```ini
    /// [Service]
    /// MemoryHigh=400M
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.resource-control(5), `MemoryHigh=`.
    "memory-high" Info Service memory_high(view, found) {
        let Some(max) = view.unit.get("Service", "MemoryMax").filter(|entry| entry.value != "infinity") else {
            return;
        };
        let top = bytes(view, "MemoryMax");
        let finding = match view.unit.get("Service", "MemoryHigh") {
            None => found.at(
                max,
                "MemoryMax= without MemoryHigh=: a service that uses too much memory is killed without warning",
            ),
            Some(high) if bytes(view, "MemoryHigh").zip(top).is_some_and(|(low, top)| low >= top) => {
                found.at(high, "MemoryHigh= is not below MemoryMax=, so it never slows the service down")
            }
            Some(_) => return,
        };
        if let Some(top) = top {
            finding.suggest("Service", "MemoryHigh", format!("{}M", (top >> 20) * 4 / 5));
        }
    }

    /// No memory limit
    ///
    /// Without a limit, a memory leak can use up the whole host. The kernel then chooses which process to kill: often
    /// the database.
    ///
    /// In production: ssh stops answering, and only the provider's reset button helps.
    ///
    /// ```ini
    /// [Service]
    /// MemoryHigh=400M
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.resource-control(5).
    "memory-unlimited" Info Service memory_unlimited(view, found) {
        let limited = view.unit.sets("Service", ["MemoryMax", "MemoryHigh", "MemoryLimit"]);
        if view.stays() && view.is_app() && !limited {
            // The rest of a virtual machine (code, threads, buffers) is seldom more than its heap.
            let (high, max) = heap(view).map_or((400 << 20, 512 << 20), |heap| (heap * 8 / 5, heap * 2));
            found
                .missing("Service", "no MemoryMax=: a memory leak can use up the whole host")
                .suggest("Service", "MemoryHigh", mebibytes(high))
                .suggest("Service", "MemoryMax", mebibytes(max));
        }
    }

    /// A memory limit that is too low for the runtime
    ///
    /// If the limit is below what the runtime itself needs, the service is killed at startup. If it is no larger than
    /// the configured heap (`-Xmx`, `--max-old-space-size=`), the service is killed later, when the heap fills up.
    ///
    /// In production: the kernel kills the service in a loop, with `Result=oom-kill`.
    ///
    /// ```ini
    /// [Service]
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.resource-control(5), `MemoryMax=`.
    "memory-tiny" Warning Service memory_tiny(view, found) {
        let least: u64 = match view.runtime() {
            Runtime::Node | Runtime::Java | Runtime::Dotnet => 64 << 20,
            Runtime::Gunicorn | Runtime::Puma | Runtime::Python | Runtime::Ruby => 32 << 20,
            _ => 4 << 20,
        };
        for (key, fifths) in [("MemoryMax", 10), ("MemoryHigh", 8)] {
            let (Some(entry), Some(bytes)) = (view.unit.get("Service", key), bytes(view, key)) else {
                continue;
            };
            if bytes < least {
                found.at(entry, format!("{key}={} is less than the runtime itself needs", entry.value));
            } else if let Some(heap) = heap(view).filter(|heap| bytes <= *heap) {
                let message = format!(
                    "{key}={} is no larger than the heap of {}, and the process needs more than its heap",
                    entry.value, mebibytes(heap)
                );
                found.at(entry, message).suggest("Service", key, format!("{}M", (heap >> 20) * fifths / 5));
            }
        }
    }

    /// TasksMax= that is too low, or unlimited
    ///
    /// Threads count as tasks. node starts about 12, puma and the JVM start dozens, and every child process adds more.
    /// Without any limit, a fork bomb can take down the whole host.
    ///
    /// In production: `Resource temporarily unavailable`, but only under load.
    ///
    /// ```ini
    /// [Service]
    /// TasksMax=512
    /// ```
    ///
    /// See systemd.resource-control(5), `TasksMax=`.
    "tasks-max" Warning Service tasks_max(view, found) {
        let Some(entry) = view.unit.get("Service", "TasksMax") else {
            return;
        };
        let least = match view.runtime() {
            Runtime::Java | Runtime::Puma | Runtime::Node | Runtime::Beam | Runtime::Dotnet => 64,
            _ => 8,
        };
        if entry.value.parse::<u32>().is_ok_and(|tasks| tasks < least) {
            found
                .at(entry, format!("TasksMax={} also limits threads: they fail to start under load", entry.value))
                .suggest("Service", "TasksMax", "512");
        } else if entry.value == "infinity" && view.is_app() {
            found
                .at(entry, "TasksMax=infinity: a fork bomb can take down the whole host")
                .severity(Severity::Info)
                .suggest("Service", "TasksMax", "512");
        }
    }

    /// An open file limit that is too low or too high
    ///
    /// systemd's defaults are 1024 (soft) and 524288 (hard). Go, node and the JVM raise the soft limit themselves;
    /// Python, Ruby and many C programs do not. `infinity` can mean a billion, and some programs loop over all possible
    /// descriptors at startup.
    ///
    /// In production: `Too many open files` at the thousandth connection, or a startup that takes minutes.
    ///
    /// ```ini
    /// [Service]
    /// LimitNOFILE=65536
    /// ```
    ///
    /// See systemd.exec(5), "Process properties"; systemd's NEWS for 240.
    "limit-nofile" Info Service limit_nofile(view, found) {
        let Some(entry) = view.unit.get("Service", "LimitNOFILE") else {
            let runtimes = [Runtime::Gunicorn, Runtime::Puma, Runtime::Python, Runtime::Ruby];
            if view.is_app() && view.stays() && runtimes.contains(&view.runtime()) {
                let message = "LimitNOFILE= is not set: the soft limit is 1024, and this runtime does not raise it";
                found.missing("Service", message).suggest("Service", "LimitNOFILE", "65536");
            }
            return;
        };
        let top = entry.value.rsplit(':').next().unwrap_or(entry.value);
        let count = top.parse::<u64>().ok();
        let message = if top == "infinity" || count.is_some_and(|count| count > 1 << 20) {
            "programs that close every possible descriptor at startup take minutes to start"
        } else if count.is_some_and(|count| count < 1024) && view.is_app() {
            "less than the default"
        } else {
            return;
        };
        found
            .at(entry, format!("LimitNOFILE={}: {message}", entry.value))
            .severity(Severity::Warning)
            .suggest("Service", "LimitNOFILE", "65536");
    }

    /// LimitNPROC= counts the user's processes, not the service's
    ///
    /// The limit applies to all processes of the user, across all its services and sessions.
    ///
    /// In production: two services run as the same user, and the second cannot fork because of the first.
    ///
    /// ```ini
    /// [Service]
    /// TasksMax=512
    /// ```
    ///
    /// See systemd.exec(5), "Process properties"; setrlimit(2).
    "limit-nproc" Info Service limit_nproc(view, found) {
        if let Some(entry) = view.unit.get("Service", "LimitNPROC").filter(|entry| entry.value != "infinity") {
            found
                .at(entry, "LimitNPROC= counts all processes of the user; TasksMax= counts only the service's")
                .remove()
                .suggest("Service", "TasksMax", "512");
        }
    }

    /// CPUQuota= that has no effect, or is too low
    ///
    /// The value is a percentage of one processor: 50% is half of one, 200% is two. It must be above zero and end in
    /// `%` (or ‰, ‱).
    ///
    /// In production: systemd ignores `0%` and values without `%`. Below 10%, garbage collection takes seconds and
    /// health checks fail. A quota above what the host has limits nothing.
    ///
    /// ```ini
    /// [Service]
    /// CPUQuota=150%
    /// ```
    ///
    /// See systemd.resource-control(5), `CPUQuota=`.
    "cpu-quota" Warning Service cpu_quota(view, found) {
        let Some(entry) = view.unit.get("Service", "CPUQuota") else {
            return;
        };
        let quota = entry.value;
        let of = |(sign, part): (char, f64)| Some(quota.strip_suffix(sign)?.parse::<f64>().ok()? / part);
        let Some(percent) = [('%', 1.0), ('‰', 10.0), ('‱', 100.0)].into_iter().find_map(of) else {
            found
                .at(entry, format!("CPUQuota={quota} has no % sign: systemd ignores it"))
                .severity(Severity::Error)
                .suggest("Service", "CPUQuota", format!("{quota}%"));
            return;
        };
        if percent <= 0.0 {
            found
                .at(entry, format!("CPUQuota={quota} is not above zero: systemd ignores it and limits nothing"))
                .severity(Severity::Error);
        } else if percent < 10.0 && view.stays() {
            let message = "startup and garbage collection take so long that health checks fail";
            found.at(entry, format!("CPUQuota={quota}: {message}"));
        }
        let processors = view.host().and_then(|host| host.processors);
        if let Some(processors) = processors.filter(|n| percent > f64::from(*n) * 100.0) {
            found
                .at(entry, format!("CPUQuota={quota} limits nothing on {processors} processors"))
                .severity(Severity::Info);
        }
    }

    /// The service is killed last when memory runs out
    ///
    /// `OOMScoreAdjust=-1000` exempts the service from the kernel's out-of-memory killer. The kernel then kills
    /// everything else first, including ssh and the database.
    ///
    /// In production: the app leaks memory, and everything but the app is killed.
    ///
    /// ```ini
    /// [Service]
    /// # instead of OOMScoreAdjust=, limit the service itself:
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.exec(5), `OOMScoreAdjust=`.
    "oom-score" Warning Service oom_score(view, found) {
        if let Some(entry) = view.unit.get("Service", "OOMScoreAdjust")
            && entry.value.parse::<i32>().is_ok_and(|score| score <= -900)
        {
            let finding = found.at(
                entry,
                format!("OOMScoreAdjust={}: the kernel kills everything else first", entry.value),
            );
            finding.remove();
            if view.unit.sets("Service", "Delegate") {
                finding.severity(Severity::Info); // a container manager
            }
        }
    }
}
