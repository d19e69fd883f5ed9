//! What is measured, in which unit, and which way is better.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
    /// Says something about the run, not about the proxy's quality.
    Neither,
}

macro_rules! metrics {
    ($($variant:ident $id:literal $label:literal $better:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric { $($variant),* }

        impl Metric {
            pub const ALL: &[Metric] = &[$(Metric::$variant),*];

            /// Its key in JSON.
            pub fn id(self) -> &'static str {
                match self { $(Metric::$variant => $id),* }
            }

            /// Its name and unit for people.
            pub fn label(self) -> &'static str {
                match self { $(Metric::$variant => $label),* }
            }

            pub fn better(self) -> Better {
                match self { $(Metric::$variant => Better::$better),* }
            }
        }
    };
}

metrics! {
    CpuPerGib "cpu_s_per_gib" "proxy CPU, s/GiB" Lower,
    Gbps "gbit_per_s" "throughput, Gbit/s" Higher,
    CpuPerTrip "cpu_us_per_trip" "proxy CPU, us/trip" Lower,
    TripRate "trips_per_s" "trips/s" Higher,
    CpuPerConnection "cpu_us_per_connection" "proxy CPU, us/connection" Lower,
    ConnectionRate "connections_per_s" "connections/s" Higher,
    P50 "p50_us" "p50, us" Lower,
    P99 "p99_us" "p99, us" Lower,
    UsualP99 "usual_p99_20ms_us" "p99 of a usual 20 ms, us" Lower,
    UsualP99Long "usual_p99_100ms_us" "p99 of a usual 100 ms, us" Lower,
    P999 "p999_us" "p99.9, us" Lower,
    SyscallsPerUnit "syscalls_per_unit" "system calls per unit" Lower,
    BusiestThread "busiest_thread_us_per_unit" "CPU of its busiest thread, us/unit" Lower,
    SwitchesPerUnit "switches_per_unit" "context switches per unit" Lower,
    SlabPerSession "proxy_slab_kib_per_session" "kernel slab for it per idle session, KiB" Lower,
    ResidentPerSession "rss_kib_per_session" "RSS per idle session, KiB" Lower,
    Resident "rss_mib" "RSS at work, MiB" Lower,
    Sessions "idle_sessions" "idle sessions held" Neither,
    Sockets "sockets_percent" "of its CPU in the kernel's sockets, %" Neither,
    OwnCode "own_code_percent" "of its CPU in its own code, %" Neither,
    ProxyBusy "proxy_core_percent" "proxy's core busy, %" Neither,
    LoadBusy "load_core_percent" "load at work, % of its core" Neither,
    ProxyWaited "proxy_waited_percent" "proxy kept from its core, at least, %" Neither,
    LoadWaited "load_waited_percent" "load kept from its core, %" Neither,
    ProxyStolen "proxy_stolen_percent" "proxy's core stolen by the host, %" Neither,
    LoadStolen "load_stolen_percent" "load's core stolen by the host, %" Neither,
    LogLines "log_lines_per_session" "log lines per session" Neither,
}

impl Metric {
    pub fn from_id(id: &str) -> Option<Metric> {
        Metric::ALL.iter().copied().find(|metric| metric.id() == id)
    }
}
