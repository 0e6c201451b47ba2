//! Memory, tasks, files, CPU: limits that protect the host from the app, and limits that hurt the app.

use super::runtime::{self, Runtime};
use super::{Severity, rules};
use crate::unit::value::{self, Size};

/// A size setting in bytes; per cent and infinity have none.
fn bytes(view: &super::View<'_>, key: &str) -> Option<u64> {
    match view
        .unit
        .get("Service", key)
        .and_then(|entry| value::size(entry.value))
    {
        Some(Size::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

/// The heap that the command line or `Environment=` gives, in bytes, as far as a size of it makes sense.
fn heap(view: &super::View<'_>) -> Option<u64> {
    let environment = view.unit.words("Service", "Environment");
    let (command, _) = view.start()?;
    let texts = command
        .words()
        .chain(environment.iter().map(|(word, _)| word.as_str()));
    runtime::heap(texts).filter(|heap| (1 << 20..1 << 50).contains(heap))
}

rules! {
    /// MemoryMax= without MemoryHigh=
    ///
    /// At `MemoryMax=` the kernel kills. `MemoryHigh=` below it slows the service down first and gives memory back.
    ///
    /// In production: the app is killed in the middle of its requests, instead of being slow and seen in the graphs.
    ///
    /// ```ini
    /// [Service]
    /// MemoryHigh=400M
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.resource-control(5), `MemoryHigh=`.
    "memory-high" Warning Service memory_high(view, found) {
        let Some(max) = view
            .unit
            .get("Service", "MemoryMax")
            .filter(|entry| entry.value != "infinity")
        else {
            return;
        };
        let half = |bytes: u64| format!("{}M", (bytes >> 20) * 4 / 5);
        match view.unit.get("Service", "MemoryHigh") {
            None => {
                let finding = found.at(
                    max,
                    "MemoryMax= without MemoryHigh=: the first sign of too much memory is the kill",
                );
                if let Some(bytes) = bytes(view, "MemoryMax") {
                    finding.set("Service", "MemoryHigh", half(bytes));
                }
            }
            Some(high) => {
                if let (Some(low), Some(top)) =
                    (bytes(view, "MemoryHigh"), bytes(view, "MemoryMax"))
                    && low >= top
                {
                    found
                        .at(
                            high,
                            "MemoryHigh= is not below MemoryMax=: it never slows anything down",
                        )
                        .set("Service", "MemoryHigh", half(top));
                }
            }
        }
    }

    /// No limit for memory
    ///
    /// Without one a leak takes the whole host, and the kernel chooses whom to kill: often the database.
    ///
    /// In production: ssh does not answer; the provider's reset button does.
    ///
    /// ```ini
    /// [Service]
    /// MemoryHigh=400M
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.resource-control(5).
    "memory-unlimited" Info Service memory_unlimited(view, found) {
        let set = ["MemoryMax", "MemoryHigh", "MemoryLimit"]
            .iter()
            .any(|key| view.unit.get("Service", key).is_some());
        if view.stays() && view.is_app() && !set {
            // The rest of a virtual machine (code, threads, buffers) is seldom more than its heap.
            let (high, max) = match heap(view) {
                Some(heap) => (heap * 8 / 5, heap * 2),
                None => (400 << 20, 512 << 20),
            };
            found
                .missing("Service", "no MemoryMax=: a leak takes the whole host")
                .suggest("Service", "MemoryHigh", format!("{}M", high >> 20))
                .suggest("Service", "MemoryMax", format!("{}M", max >> 20));
        }
    }

    /// So little memory that it cannot start
    ///
    /// A limit below what the runtime itself needs kills it at start; one that is no larger than the heap it was given
    /// (`-Xmx`, `--max-old-space-size=`) kills it later, when the heap is full.
    ///
    /// In production: killed by the kernel, `Result=oom-kill`, in a loop.
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
        for key in ["MemoryMax", "MemoryHigh"] {
            if let (Some(entry), Some(bytes)) = (view.unit.get("Service", key), bytes(view, key))
                && bytes < least
            {
                found.at(
                    entry,
                    format!("{key}={}: less than the runtime itself needs", entry.value),
                );
            } else if let (Some(entry), Some(bytes), Some(heap)) =
                (view.unit.get("Service", key), bytes(view, key), heap(view))
                && bytes <= heap
            {
                let message = format!("{key}={}: no more than its heap of {}M, and it needs more than that", entry.value, heap >> 20);
                found.at(entry, message).suggest("Service", key, format!("{}M", (heap >> 20) * if key == "MemoryMax" { 10 } else { 8 } / 5));
            }
        }
    }

    /// TasksMax= so low that threads fail
    ///
    /// Threads count. node starts about 12, puma and the JVM dozens, every child more.
    ///
    /// In production: `Resource temporarily unavailable` under load, and only then.
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
        let least = if matches!(
            view.runtime(),
            Runtime::Java | Runtime::Puma | Runtime::Node | Runtime::Beam | Runtime::Dotnet
        ) {
            64
        } else {
            8
        };
        if entry.value.parse::<u32>().is_ok_and(|tasks| tasks < least) {
            found
                .at(
                    entry,
                    format!(
                        "TasksMax={}: threads count too, and fail under load",
                        entry.value
                    ),
                )
                .suggest("Service", "TasksMax", "512");
        } else if entry.value == "infinity" && view.is_app() {
            found
                .at(entry, "TasksMax=infinity: a fork bomb takes the whole host")
                .severity(Severity::Info)
                .suggest("Service", "TasksMax", "512");
        }
    }

    /// The limit of open files
    ///
    /// systemd gives 1024 (soft) and 524288 (hard). Go, node and the JVM raise the soft one by themselves; Python, Ruby and
    /// many C programs do not. `infinity` is a billion for some programs, which then loop over all of them at start.
    ///
    /// In production: `Too many open files` at the thousandth connection; or a start that takes minutes.
    ///
    /// ```ini
    /// [Service]
    /// LimitNOFILE=65536
    /// ```
    ///
    /// See systemd.exec(5), "Process properties"; systemd's NEWS for 240.
    "limit-nofile" Info Service limit_nofile(view, found) {
        match view.unit.get("Service", "LimitNOFILE") {
            None if view.is_app()
                && view.stays()
                && matches!(
                    view.runtime(),
                    Runtime::Gunicorn | Runtime::Puma | Runtime::Python | Runtime::Ruby
                ) =>
            {
                found
                    .missing(
                        "Service",
                        "LimitNOFILE= is left at 1024 (soft), and this runtime does not raise it",
                    )
                    .set("Service", "LimitNOFILE", "65536");
            }
            Some(entry) => {
                let top = entry.value.rsplit(':').next().unwrap_or(entry.value);
                let count = top.parse::<u64>();
                if top == "infinity" || count.as_ref().is_ok_and(|count| *count > 1 << 20) {
                    found.at(entry, format!("LimitNOFILE={}: programs that close every possible file at start take minutes", entry.value)).severity(Severity::Warning).suggest("Service", "LimitNOFILE", "65536");
                } else if count.is_ok_and(|count| count < 1024) && view.is_app() {
                    found
                        .at(
                            entry,
                            format!("LimitNOFILE={} is less than the default", entry.value),
                        )
                        .severity(Severity::Warning)
                        .suggest("Service", "LimitNOFILE", "65536");
                }
            }
            None => {}
        }
    }

    /// LimitNPROC= counts the user's processes, not the service's
    ///
    /// It is a limit for the user in all its services and sessions together.
    ///
    /// In production: two services of one user, and the second cannot fork because of the first.
    ///
    /// ```ini
    /// [Service]
    /// TasksMax=512
    /// ```
    ///
    /// See systemd.exec(5), "Process properties"; setrlimit(2).
    "limit-nproc" Info Service limit_nproc(view, found) {
        if let Some(entry) = view
            .unit
            .get("Service", "LimitNPROC")
            .filter(|entry| entry.value != "infinity")
        {
            found.at(entry, "LimitNPROC= counts all processes of the user; TasksMax= counts those of the service").remove().suggest("Service", "TasksMax", "512");
        }
    }

    /// CPUQuota= that is no quota
    ///
    /// It is per cent of one processor: 50% is half of one, 200% two. It needs the sign (or ‰, ‱), and more than nothing.
    ///
    /// In production: without the sign, or with 0%, it is ignored; below 10 % a garbage collection takes seconds and health checks fail;
    /// above what the host has it limits nothing.
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
        let of = |(sign, part): (char, f64)| {
            let number = entry.value.strip_suffix(sign)?.parse::<f64>().ok()?;
            Some(number / part)
        };
        let Some(percent) = [('%', 1.0), ('‰', 10.0), ('‱', 100.0)].into_iter().find_map(of) else {
            found
                .at(
                    entry,
                    format!("CPUQuota={} has no % sign: systemd ignores it", entry.value),
                )
                .severity(Severity::Error)
                .suggest("Service", "CPUQuota", format!("{}%", entry.value));
            return;
        };
        if percent <= 0.0 {
            found
                .at(
                    entry,
                    format!("CPUQuota={} is no quota: systemd ignores it, and nothing is limited", entry.value),
                )
                .severity(Severity::Error);
        } else if percent < 10.0 && view.stays() {
            found.at(entry, format!("CPUQuota={}: a start or a garbage collection takes so long that health checks fail", entry.value));
        }
        if let Some(processors) = view
            .host()
            .and_then(|host| host.processors)
            .filter(|n| percent > f64::from(*n) * 100.0)
        {
            found
                .at(
                    entry,
                    format!(
                        "CPUQuota={} limits nothing on {processors} processors",
                        entry.value
                    ),
                )
                .severity(Severity::Info);
        }
    }

    /// It is killed last when memory is short
    ///
    /// `OOMScoreAdjust=-1000` makes it immortal; the kernel then kills everything else first, ssh and the database too.
    ///
    /// In production: a leak in the app ends everything but the app.
    ///
    /// ```ini
    /// [Service]
    /// # no OOMScoreAdjust=, but a limit of its own:
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
                format!(
                    "OOMScoreAdjust={}: the kernel kills everything else first",
                    entry.value
                ),
            );
            finding.remove();
            if !view.is_app() {
                finding.severity(Severity::Info);
            }
        }
    }
}
