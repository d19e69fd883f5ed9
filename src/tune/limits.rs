//! The limits under which Pronk runs: those of a running one, or of the shell that would start it.

use super::finding::Verdict;
use super::host::Host;

/// Whose limits are judged.
struct Holder {
    /// None: the shell's.
    pid: Option<String>,
    limits: String,
}

/// A soft and a hard limit. Unlimited is u64::MAX.
#[derive(Clone, Copy)]
struct Limit {
    soft: u64,
    hard: u64,
}

pub(super) fn descriptors(host: &Host) -> Option<Verdict> {
    const WANTED: u64 = 1_048_576;
    let holder = Holder::find(host)?;
    let limit = holder.limit("Max open files")?;
    let value = holder.tell(limit.hard);
    if limit.hard >= WANTED {
        return Some(Verdict::Fits(value));
    }
    let shell = Holder::shell(host)?.limit("Max open files")?;
    Some(Verdict::Differs {
        value,
        wanted: format!("at least {WANTED}"),
        set: format!(
            "LimitNOFILE={WANTED} in the unit, or ulimit -Hn {WANTED} as root; then start Pronk anew"
        ),
        undo: format!(
            "{}, or ulimit -Hn {}",
            holder.former_line("LimitNOFILE", limit),
            shown(shell.hard, 1, "unlimited")
        ),
    })
}

/// Linux 6.12 accounts registered buffers to the process's cgroup.
pub(super) fn locked_memory(host: &Host) -> Option<Verdict> {
    const WANTED: u64 = 64 << 20;
    let holder = Holder::find(host)?;
    let limit = holder.limit("Max locked memory")?;
    let release = host.text("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']).map_while(|word| word.parse::<u32>().ok());
    let newer = (numbers.next()?, numbers.next()?) >= (6, 12);
    let value = holder.tell(limit.soft);
    if newer || limit.soft >= WANTED {
        return Some(Verdict::Fits(value));
    }
    let shell = Holder::shell(host)?.limit("Max locked memory")?;
    let kib = |bytes| shown(bytes, 1024, "unlimited");
    Some(Verdict::Differs {
        value,
        wanted: "unlimited".to_owned(),
        set: "LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited as root; then start Pronk anew"
            .to_owned(),
        // The shell's command sets both limits, and the soft one cannot stay above the hard one.
        undo: format!(
            "{}, or ulimit -Sl {} && ulimit -Hl {}",
            holder.former_line("LimitMEMLOCK", limit),
            kib(shell.soft),
            kib(shell.hard)
        ),
    })
}

impl Holder {
    fn find(host: &Host) -> Option<Holder> {
        let of =
            |pid: String| Some(Holder { limits: host.text(&format!("/proc/{pid}/limits"))?, pid: Some(pid) });
        running(host).and_then(of).or_else(|| Holder::shell(host))
    }

    /// This process has them from there.
    fn shell(host: &Host) -> Option<Holder> {
        Some(Holder { pid: None, limits: host.text("/proc/self/limits")? })
    }

    /// A line holds the name, the soft and the hard limit.
    fn limit(&self, name: &str) -> Option<Limit> {
        let line = self.limits.lines().find_map(|line| line.strip_prefix(name))?;
        let mut words = line.split_whitespace().map(|word| word.parse().unwrap_or(u64::MAX));
        Some(Limit { soft: words.next()?, hard: words.next()? })
    }

    fn tell(&self, limit: u64) -> String {
        let limit = shown(limit, 1, "unlimited");
        match &self.pid {
            Some(pid) => format!("{limit} in the running Pronk (process {pid})"),
            None => format!("{limit} in this shell (a unit's may differ)"),
        }
    }

    /// What a unit is to say again.
    fn former_line(&self, name: &str, limit: Limit) -> String {
        let value = |limit| shown(limit, 1, "infinity");
        match &self.pid {
            Some(_) => format!(
                "remove the line (if the unit had one: {name}={}:{})",
                value(limit.soft),
                value(limit.hard)
            ),
            None => "remove the line (if the unit had one: what it said)".to_owned(),
        }
    }
}

/// The oldest process that is a gateway of this program: a master comes before its workers, and they have its limits.
fn running(host: &Host) -> Option<String> {
    let own = host.link("/proc/self");
    // A program that was replaced since is the same one.
    let program = |pid: &str| {
        let path = host.link(&format!("/proc/{pid}/exe"))?;
        Some(path.trim_end_matches(" (deleted)").to_owned())
    };
    let this = program("self");
    let is_gateway = |pid: &String| {
        // Everybody may read a name, but a link to the program gives another; the program itself only root.
        let named = host.text(&format!("/proc/{pid}/comm")).is_some_and(|name| name == "pronk");
        let same = this.is_some() && program(pid) == this;
        (named || same) && own.as_ref() != Some(pid) && !is_tool(host, pid)
    };
    host.numbered("/proc", "").into_iter().filter(is_gateway).min_by_key(|pid| started(host, pid))
}

/// `pronk top` and the like.
fn is_tool(host: &Host, pid: &str) -> bool {
    let line = host.text(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split('\0').nth(1).is_some_and(|word| ["top", "tune", "demo"].contains(&word))
}

/// In ticks since the host's start: the 22nd field, where the second is a name in parentheses.
fn started(host: &Host, pid: &str) -> u64 {
    let stat = host.text(&format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(u64::MAX)
}

fn shown(limit: u64, unit: u64, unlimited: &str) -> String {
    if limit == u64::MAX { unlimited.to_owned() } else { (limit / unit).to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fake;
    use super::*;

    fn limits(files: &str, locked: &str) -> String {
        format!(
            "Limit                     Soft Limit           Hard Limit           Units\n\
             Max open files            {files}                 files\n\
             Max locked memory         {locked}            bytes"
        )
    }

    /// Value, set, undo; the last two are empty where the value fits.
    fn said(verdict: Option<Verdict>) -> [String; 3] {
        match verdict.expect("a verdict") {
            Verdict::Fits(value) => [value, String::new(), String::new()],
            Verdict::Differs { value, set, undo, .. } => [value, set, undo],
            lacking @ Verdict::Lacks { .. } => panic!("{lacking:?}"),
        }
    }

    #[test]
    fn without_a_running_pronk_the_limits_are_the_shells() {
        let limits = limits("1024  4096", "8388608  unlimited");
        let old = [("/proc/self/limits", &*limits), ("/proc/sys/kernel/osrelease", "6.1.0-18-amd64")];
        let fake = Fake::new(&old);
        assert_eq!(
            said(descriptors(&fake.host())),
            [
                "4096 in this shell (a unit's may differ)",
                "LimitNOFILE=1048576 in the unit, or ulimit -Hn 1048576 as root; then start Pronk anew",
                "remove the line (if the unit had one: what it said), or ulimit -Hn 4096",
            ]
        );
        let [value, _, undo] = said(locked_memory(&fake.host()));
        assert_eq!(value, "8388608 in this shell (a unit's may differ)");
        assert!(undo.ends_with(", or ulimit -Sl 8192 && ulimit -Hl unlimited"), "{undo}");
        let new = [old[0], ("/proc/sys/kernel/osrelease", "6.12.3")];
        assert_eq!(said(locked_memory(&Fake::new(&new).host()))[1], "", "fits whatever it is");
    }

    /// `/proc` of a host, as far as it is read: this process is 90.
    fn host_of(processes: &[(&str, &str, &str, u32)]) -> Fake {
        let mut files = vec![
            ("/proc/90/comm".to_owned(), "pronk".to_owned()),
            ("/proc/90/limits".to_owned(), limits("1 2", "3 4")),
            ("/proc/sys/kernel/osrelease".to_owned(), "6.1.0".to_owned()),
        ];
        for (pid, comm, cmdline, start) in processes {
            let file = |name: &str| format!("/proc/{pid}/{name}");
            let zeros = "0 ".repeat(18);
            files.extend([
                (file("comm"), (*comm).to_owned()),
                (file("cmdline"), cmdline.replace(' ', "\0")),
                (file("stat"), format!("{pid} (a b) c) S {zeros}{start} 0 0")),
                (file("limits"), limits(&format!("1024 {pid}"), &format!("65536 {pid}00000"))),
            ]);
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        Fake::new(&files).with_link("/proc/self", "90").with_link("/proc/90/exe", "/usr/sbin/pronk")
    }

    fn found(fake: &Fake) -> Option<String> {
        running(&fake.host())
    }

    #[test]
    fn the_oldest_gateway_is_found() {
        let worker = ("95", "pronk", "pronk -Ws -f a", 700);
        let master = ("800", "pronk", "pronk -Ws -f a", 600);
        let top = ("80", "pronk", "pronk top /run/p", 500);
        let other = ("79", "haproxy", "haproxy -f b", 400);
        assert_eq!(found(&host_of(&[])), None, "not itself");
        assert_eq!(found(&host_of(&[top, other])), None);
        assert_eq!(found(&host_of(&[top, other, worker, master])).as_deref(), Some("800"));
        let by_program = host_of(&[other, worker]).with_link("/proc/79/exe", "/usr/sbin/pronk (deleted)");
        assert_eq!(found(&by_program).as_deref(), Some("79"), "under another name, and replaced");
    }

    #[test]
    fn the_running_ones_limits_count() {
        let fake = host_of(&[("800", "pronk", "pronk -Ws", 600)]);
        let [value, _, undo] = said(descriptors(&fake.host()));
        assert_eq!(value, "800 in the running Pronk (process 800)");
        assert_eq!(undo, "remove the line (if the unit had one: LimitNOFILE=1024:800), or ulimit -Hn 2");
        let [value, _, undo] = said(locked_memory(&fake.host()));
        assert_eq!(value, "65536 in the running Pronk (process 800)");
        assert!(undo.contains("LimitMEMLOCK=65536:80000000)"), "{undo}");
        assert!(undo.ends_with("ulimit -Sl 0 && ulimit -Hl 0"), "the shell's, in KiB: {undo}");
    }
}
