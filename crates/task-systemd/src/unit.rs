//! The unit of a service, with numbers that fit the service's own.

use std::{
    fmt::{Display, Write as _},
    time::Duration,
};

use task_core::scope::guarded_name;

use crate::error::{ErrorKind, SystemdError};

/// What a stop may take beyond the service's own limit: the hard exit, and a second.
const BEYOND: Duration = Duration::from_secs(2);
/// The default of `shutdown_timeout` in `task-manager`.
const SHUTDOWN: Duration = Duration::from_secs(25);
const START: Duration = Duration::from_secs(90);
/// The least time of a watchdog: shorter ones end services on machines that are merely busy.
const MIN_WATCHDOG: Duration = Duration::from_secs(1);

/// The lines that take from the service what it does not need.
const HARDENING: &str = "\
NoNewPrivileges=yes
CapabilityBoundingSet=
LockPersonality=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
";

/// The unit files of a service, with numbers that fit the service's own: print them from a
/// subcommand, with the same constants that the service runs by.
///
/// | line | why |
/// |---|---|
/// | `Type=notify`, or `notify-reload` | readiness comes from the service; by [`notify_reload`](Self::notify_reload) also the end of a reload |
/// | `NotifyAccess=main` | no child process reports for the service |
/// | `TimeoutStopSec` | the limit of the shutdown, and 2 s for the hard exit: systemd kills only what missed its own deadline |
/// | `WatchdogSec` | as [set](Self::watchdog) |
/// | `KillMode=mixed` | `SIGTERM` goes to the service alone, and what it leaves behind is killed |
/// | `Restart=on-failure`, `RestartSec=1`, `StartLimitIntervalSec=0` | a service that fails is started for as long as it takes; by default systemd gives in after 5 starts in 10 s |
/// | `RestartPreventExitStatus=78` | but not one whose configuration is wrong |
/// | `DynamicUser=yes` | unless a [user](Self::user) is set |
/// | `StateDirectory`, `WorkingDirectory` | the one place that it can write to, besides `/tmp` of its own |
/// | the hardening | no privileges, devices, kernel settings or homes; only sockets of IP and Unix |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use task_systemd::Unit;
///
/// # fn main() -> Result<(), task_systemd::SystemdError> {
/// let unit = Unit::new("orders", "/usr/local/bin/orders")
///     .shutdown_timeout(Duration::from_secs(25))
///     .watchdog(Duration::from_secs(10))
///     .socket("http", "0.0.0.0:8080");
/// let text = unit.print()?;
/// assert!(text.contains("TimeoutStopSec=27\n"));
/// assert!(text.contains("# orders-http.socket\n"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a unit has to be printed"]
pub struct Unit {
    name: String,
    description: Option<String>,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    shutdown_timeout: Duration,
    start_timeout: Duration,
    watchdog: Option<Duration>,
    notifies_reloads: bool,
    user: Option<String>,
    sockets: Vec<(String, String)>,
    stored_sockets: u32,
    credentials: Vec<(String, String)>,
}

impl Unit {
    /// Creates the unit of a service with this name, without `.service`, and this program, whose
    /// path is absolute.
    pub fn new(name: impl Into<String>, program: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: None,
            command: vec![program.into()],
            environment: Vec::new(),
            shutdown_timeout: SHUTDOWN,
            start_timeout: START,
            watchdog: None,
            notifies_reloads: false,
            user: None,
            sockets: Vec::new(),
            stored_sockets: 0,
            credentials: Vec::new(),
        }
    }

    /// Sets the description. Default: the name.
    pub fn description(self, description: impl Into<String>) -> Self {
        Self { description: Some(description.into()), ..self }
    }

    /// Adds an argument of the program. Default: none.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.command.push(argument.into());
        self
    }

    /// Adds a variable of the environment. Default: none.
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets the limit of the shutdown: that of the service's manager. Default: 25 s, as there.
    pub fn shutdown_timeout(self, shutdown_timeout: Duration) -> Self {
        Self { shutdown_timeout, ..self }
    }

    /// Sets the time within which the service has to be ready. Default: 90 s.
    pub fn start_timeout(self, start_timeout: Duration) -> Self {
        Self { start_timeout, ..self }
    }

    /// Sets the time of the watchdog: how long the service may give no sign of life. Default: no
    /// watchdog.
    pub fn watchdog(self, time: Duration) -> Self {
        Self { watchdog: Some(time), ..self }
    }

    /// Has `systemctl reload` send `SIGHUP` and wait until the service has [reported the
    /// end](crate::Notifier::reload). Takes systemd 253. Default: no reload.
    pub fn notify_reload(self) -> Self {
        Self { notifies_reloads: true, ..self }
    }

    /// Sets the user. Default: one that systemd makes up while the service runs.
    pub fn user(self, user: impl Into<String>) -> Self {
        Self { user: Some(user.into()), ..self }
    }

    /// Adds a socket unit for a stream socket, which [`Listeners`](crate::Listeners) has under this
    /// name. The address is as `ListenStream=` has it: `0.0.0.0:8080`, `[::]:8080`, a port alone,
    /// or a path. Default: none.
    pub fn socket(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.sockets.push((name.into(), address.into()));
        self
    }

    /// Sets how many sockets systemd keeps for the service. Default: none.
    pub fn stored_sockets(self, count: u32) -> Self {
        Self { stored_sockets: count, ..self }
    }

    /// Adds a credential, which [`credential`](crate::credential) reads, from a file. Default:
    /// none.
    pub fn credential(mut self, name: impl Into<String>, path: impl Into<String>) -> Self {
        self.credentials.push((name.into(), path.into()));
        self
    }

    /// Returns the files, each with its name and its text: the service first, then its sockets.
    ///
    /// # Errors
    ///
    /// If a name is not one, the path of the program or of a credential is not absolute, a text has
    /// a control character, a description, an address or the path of a credential ends with a
    /// backslash, a time is zero, or the watchdog's is below a second.
    pub fn files(&self) -> Result<Vec<(String, String)>, SystemdError> {
        self.check()?;
        let service = (format!("{}.service", self.name), self.service());
        let sockets = self
            .sockets
            .iter()
            .map(|(name, address)| (self.socket_file(name), self.socket_text(name, address)));
        Ok([service].into_iter().chain(sockets).collect())
    }

    /// Returns all files as one text, each below a comment with its name.
    ///
    /// # Errors
    ///
    /// As [`files`](Self::files).
    pub fn print(&self) -> Result<String, SystemdError> {
        let files = self.files()?;
        let texts: Vec<_> = files.iter().map(|(name, text)| format!("# {name}\n{text}")).collect();
        Ok(texts.join("\n"))
    }

    fn service(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn Display| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}={value}");
        };
        let description = self.description.as_ref().unwrap_or(&self.name);
        line("[Unit]\nDescription", &specifiers(description));
        line("Wants", &"network-online.target");
        line("After", &"network-online.target");
        line("StartLimitIntervalSec", &0);
        let kind = if self.notifies_reloads { "notify-reload" } else { "notify" };
        line("\n[Service]\nType", &kind);
        line("NotifyAccess", &"main");
        let command: Vec<_> = self.command.iter().map(|word| quoted(word, true)).collect();
        line("ExecStart", &command.join(" "));
        for (name, value) in &self.environment {
            line("Environment", &quoted(&format!("{name}={value}"), false));
        }
        line("TimeoutStartSec", &seconds(self.start_timeout));
        line("TimeoutStopSec", &seconds(self.shutdown_timeout.saturating_add(BEYOND)));
        if let Some(watchdog) = self.watchdog {
            line("WatchdogSec", &seconds(watchdog));
        }
        line("KillMode", &"mixed");
        line("Restart", &"on-failure");
        line("RestartSec", &1);
        line("RestartPreventExitStatus", &78);
        for (name, _) in &self.sockets {
            line("Sockets", &self.socket_file(name));
        }
        if self.stored_sockets > 0 {
            line("FileDescriptorStoreMax", &self.stored_sockets);
        }
        for (name, path) in &self.credentials {
            line("LoadCredential", &format_args!("{name}:{}", specifiers(path)));
        }
        match &self.user {
            Some(user) => line("User", user),
            None => line("DynamicUser", &"yes"),
        }
        line("StateDirectory", &self.name);
        line("WorkingDirectory", &format_args!("%S/{}", self.name));
        text + HARDENING + "\n[Install]\nWantedBy=multi-user.target\n"
    }

    fn socket_file(&self, socket: &str) -> String {
        format!("{}-{socket}.socket", self.name)
    }

    fn socket_text(&self, socket: &str, address: &str) -> String {
        let (name, address) = (&self.name, specifiers(address));
        format!(
            "[Unit]\nDescription=Socket {socket} of {name}\n\n[Socket]\nListenStream={address}\n\
             FileDescriptorName={socket}\nService={name}.service\n\n\
             [Install]\nWantedBy=sockets.target\n"
        )
    }

    fn check(&self) -> Result<(), ErrorKind> {
        let sockets = self.sockets.iter().map(|(name, _)| ("socket name", name));
        let credentials = self.credentials.iter().map(|(name, _)| ("credential name", name));
        let user = self.user.iter().map(|user| ("user", user));
        for (what, name) in
            [("unit name", &self.name)].into_iter().chain(sockets).chain(credentials).chain(user)
        {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if name.is_empty()
                || name.starts_with(['-', '.'])
                || name.len() > 200
                || !name.bytes().all(is_plain)
            {
                let fault = "is not made of letters, digits, `-`, `_` and `.`";
                return Err(setting(what, name, fault));
            }
        }
        for (name, _) in &self.environment {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty()
                || name.starts_with(|first: char| first.is_ascii_digit())
                || !name.bytes().all(is_plain)
            {
                return Err(setting(
                    "name of a variable",
                    name,
                    "is not made of letters, digits and `_`",
                ));
            }
        }
        let paths = self.credentials.iter().map(|(_, path)| ("path of a credential", path));
        for (what, path) in [("path of the program", &self.command[0])].into_iter().chain(paths) {
            if !path.starts_with('/') {
                return Err(setting(what, path, "is not absolute"));
            }
        }
        let addresses = self.sockets.iter().map(|(_, address)| address);
        let values = self.environment.iter().map(|(_, value)| value);
        let paths = self.credentials.iter().map(|(_, path)| path);
        let texts = self.command.iter().chain(&self.description).chain(addresses);
        for text in texts.chain(values).chain(paths) {
            if text.chars().any(char::is_control) {
                return Err(setting("text", text, "has a control character"));
            }
        }
        // These stand at the end of their lines, and without quotes.
        let addresses = self.sockets.iter().map(|(_, address)| address);
        let paths = self.credentials.iter().map(|(_, path)| path);
        for text in self.description.iter().chain(addresses).chain(paths) {
            if text.ends_with('\\') {
                return Err(setting("text", text, "ends with a backslash, which joins two lines"));
            }
        }
        for (_, address) in &self.sockets {
            if address.trim().is_empty() {
                return Err(setting("address of a socket", address, "is empty"));
            }
        }
        let times =
            [("shutdown timeout", self.shutdown_timeout), ("start timeout", self.start_timeout)];
        for (what, time) in times {
            if time.is_zero() {
                return Err(setting(what, &format!("{time:?}"), "is zero"));
            }
        }
        match self.watchdog {
            Some(time) if time < MIN_WATCHDOG => {
                Err(setting("watchdog", &format!("{time:?}"), "is below a second"))
            }
            _ => Ok(()),
        }
    }
}

fn setting(what: &'static str, value: &str, fault: &'static str) -> ErrorKind {
    ErrorKind::Setting { what, value: guarded_name(value), fault }
}

/// Whole seconds, rounded up, which any version reads; at most a century.
fn seconds(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    seconds.min(100 * 365 * 24 * 60 * 60)
}

/// `%` begins a specifier.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word of a list: in double quotes if anything in it has a meaning. In a command, `$` has one.
fn quoted(word: &str, is_command: bool) -> String {
    let mut word = specifiers(word);
    if is_command {
        word = word.replace('$', "$$");
    }
    let is_plain =
        |character: char| character.is_alphanumeric() || "-_./:=%$,+@".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word;
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}
