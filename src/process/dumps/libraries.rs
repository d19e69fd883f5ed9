//! The files that the kernel mapped to run this process.

/// One a line, the executable first.
pub(super) fn listing() -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let lines: String = executables(&maps).iter().map(|path| format!("{path}\n")).collect();
    format!("List of loaded object files:\n{lines}")
}

/// The paths behind executable mappings, each once (proc_pid_maps(5)).
fn executables(maps: &str) -> Vec<&str> {
    let mut paths: Vec<&str> = Vec::new();
    for line in maps.lines() {
        let executable = line.split_ascii_whitespace().nth(1).is_some_and(|rights| rights.contains('x'));
        let path = line.find('/').map(|at| &line[at..]);
        if let Some(path) = path.filter(|path| executable && !paths.contains(path)) {
            paths.push(path);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_executable_file_is_listed_once() {
        let maps = "55-56 r--p 0 08:01 7   /bin/p\n56-57 r-xp 0 08:01 7   /bin/p\n60-61 r-xp 0 08:01 8 /lib/a b.so\n\
                    61-62 r-xp 0 08:01 7 /bin/p\n70-71 r-xp 0 00:00 0 [vdso]\n80-81 rw-p 0 00:00 0 \n";
        assert_eq!(executables(maps), ["/bin/p", "/lib/a b.so"]);
        let own = std::env::current_exe().expect("a path").display().to_string();
        assert_eq!(listing().lines().nth(1), Some(own.as_str()));
    }
}
