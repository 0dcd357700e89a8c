//! `process_*`, under the names that all Prometheus client libraries use. Linux only. A value that
//! cannot be read is left out.

use std::fs;

use crate::metrics::encode::{Encoder, Kind, Number};

/// Writes the families.
pub(super) fn encode(encoder: &mut Encoder<'_>) {
    let Some(stat) = fs::read_to_string("/proc/self/stat").ok().and_then(|text| Stat::parse(&text))
    else {
        return;
    };
    let vector = fs::read("/proc/self/auxv").unwrap_or_default();
    let ticks = auxiliary(&vector, AT_CLKTCK).map(|ticks| ticks as f64);
    let page = auxiliary(&vector, AT_PAGESZ);
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| boot_time(&text));

    let mut counter = |name, help, value: Option<f64>| {
        if let Some(value) = value {
            encoder.family(name, Kind::Counter, help).sample(&[], value);
        }
    };
    let cpu = ticks.map(|ticks| stat.cpu_ticks as f64 / ticks);
    counter("process_cpu_seconds", "User and system CPU time of the process.", cpu);

    let mut gauge = |name, help, value: Option<Number>| {
        if let Some(value) = value {
            encoder.family(name, Kind::Gauge, help).sample(&[], value);
        }
    };
    let open = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1));
    gauge("process_open_fds", "Open file descriptors.", open.map(Number::from));
    let files = soft_limit(&limits, "Max open files").map(Number::from);
    gauge("process_max_fds", "Maximum number of open file descriptors.", files);
    let size = Some(Number::from(stat.virtual_bytes));
    gauge("process_virtual_memory_bytes", "Virtual memory size.", size);
    let most = soft_limit(&limits, "Max address space").map(Number::from);
    gauge("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available.", most);
    let resident = page.and_then(|page| page.checked_mul(stat.resident_pages)).map(Number::from);
    gauge("process_resident_memory_bytes", "Resident memory size.", resident);
    let start =
        booted.zip(ticks).map(|(booted, ticks)| booted as f64 + stat.start_ticks as f64 / ticks);
    let help = "Start time of the process since the Unix epoch.";
    gauge("process_start_time_seconds", help, start.map(Number::from));
    gauge("process_threads", "Threads of the operating system.", Some(Number::from(stat.threads)));
}

/// The fields of `/proc/self/stat` that are used.
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    /// Parses the one line of `/proc/self/stat`; `None` if it has another form than expected.
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may itself contain blanks
        // and parentheses.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Numbered from 1 in proc(5); the first after the name is number 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.checked_add(field(15)?)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// Keys of the auxiliary vector, in which the kernel passes the page size and the clock ticks per
/// second to each process. `sysconf` has them too, but takes `unsafe`.
const AT_PAGESZ: u64 = 6;
const AT_CLKTCK: u64 = 17;

/// Returns a value from the auxiliary vector, which consists of pairs of native words.
fn auxiliary(vector: &[u8], key: u64) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| Some(usize::from_ne_bytes(bytes.try_into().ok()?) as u64);
    let mut pairs = vector.chunks_exact(2 * WORD).filter_map(|pair| {
        let (key, value) = pair.split_at(WORD);
        Some((word(key)?, word(value)?))
    });
    pairs.find(|(known, _)| *known == key).map(|(_, value)| value).filter(|value| *value > 0)
}

/// Returns the soft limit in a line of `/proc/self/limits`: `Max open files   1024   4096   files`.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Returns the boot time in `/proc/stat`, in seconds since the Unix epoch.
fn boot_time(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
