//! A temporary PostgreSQL server: created by `initdb` in a temporary folder, on a free loopback
//! port.

use std::{
    env,
    ffi::OsStr,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use anyhow::{Context as _, Result};
use rustix::process::geteuid;

use crate::program::run;

/// The account of the server if this process is root: PostgreSQL does not run as root.
const ACCOUNT: &str = "postgres";

#[derive(Debug)]
pub(super) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Server {
    pub(super) fn start() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let programs = programs().context("no PostgreSQL: `apt-get install postgresql`")?;
        let number = COUNT.fetch_add(1, Relaxed);
        // Not below target/: the account of the server may have no access to it.
        let folder = env::temp_dir().join(format!("churn-postgres-{}-{number}", process::id()));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { programs, folder, port };
        let folder = server.folder.as_os_str();
        if geteuid().is_root() {
            run(Command::new("install").args(["-d", "-m", "700", "-o", ACCOUNT]).arg(folder))?;
        } else {
            fs::create_dir(folder)?;
        }
        let data = server.data();
        let arguments: [&OsStr; 8] = [
            "-D".as_ref(),
            data.as_os_str(),
            "-A".as_ref(),
            "trust".as_ref(),
            "-U".as_ref(),
            ACCOUNT.as_ref(),
            "-E".as_ref(),
            "UTF8".as_ref(),
        ];
        run(server.command("initdb").args(arguments).arg("--no-sync"))?;
        server.restart()?;
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://{ACCOUNT}@127.0.0.1:{}/postgres", self.port)
    }

    /// Stops the server without a checkpoint and closes every connection.
    pub(super) fn crash(&self) -> Result<()> {
        self.control(&["stop", "-m", "immediate"])
    }

    /// Starts the server and waits until it responds.
    pub(super) fn restart(&self) -> Result<()> {
        // `fsync` protects from a crash of the machine; here only the server crashes.
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories= -c fsync=off",
            self.port
        );
        let log = self.folder.join("log");
        self.control(&["start", "-l", &log.to_string_lossy(), "-o", &options])
    }

    fn control(&self, arguments: &[&str]) -> Result<()> {
        run(self.command("pg_ctl").arg("-w").arg("-D").arg(self.data()).args(arguments)).map(drop)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if geteuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", ACCOUNT, "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // A folder that the account may read.
        command.current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Errors are ignored: the server may be down, and the folder is a temporary one.
        let _ = self.crash();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Returns the folder of the server's programs, which Debian does not put into `PATH`.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let mut folders = env::split_paths(&path).chain(debian);
    folders.find(|folder| has(folder, "initdb") && has(folder, "pg_ctl"))
}

fn has(folder: &Path, program: &str) -> bool {
    folder.join(program).is_file()
}
