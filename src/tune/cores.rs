//! Files that every core has, and the commands that write to them: with the shell alone, since tools for it are
//! seldom installed.

use super::host::Host;

const CPUS: &str = "/sys/devices/system/cpu";

/// The cores that are there, as `cpu0`, in their order.
pub(super) fn all(host: &Host) -> Vec<String> {
    host.numbered(CPUS, "cpu")
}

/// A file or folder of a core.
pub(super) fn path(cpu: &str, file: &str) -> String {
    format!("{CPUS}/{cpu}/{file}")
}

/// Writes `value` to the file of these cores, of no other.
pub(super) fn write(host: &Host, value: &str, cores: &[String], file: &str) -> String {
    let having = all(host).into_iter().filter(|cpu| host.has(&path(cpu, file)));
    match having.eq(cores.iter().cloned()) {
        true => format!("echo {value} | tee {}", path("cpu[0-9]*", file)),
        false => format!("for cpu in {}; do echo {value} > {}; done", cores.join(" "), path("$cpu", file)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fake;
    use super::*;

    #[test]
    fn all_cores_are_written_to_at_once_and_some_by_name() {
        let (first, second) = (path("cpu0", "a/b"), path("cpu10", "a/b"));
        let fake = Fake::new(&[(&first, "x"), (&second, "x"), (&path("cpu3", "other"), "x")]);
        let cores = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            write(&fake.host(), "y", &cores(&["cpu0", "cpu10"]), "a/b"),
            "echo y | tee /sys/devices/system/cpu/cpu[0-9]*/a/b"
        );
        assert_eq!(
            write(&fake.host(), "y", &cores(&["cpu10"]), "a/b"),
            "for cpu in cpu10; do echo y > /sys/devices/system/cpu/$cpu/a/b; done"
        );
    }
}
