//! The settings of access control: tokens, passwords and networks.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::config::Endpoint;

mod credential;
pub(crate) mod gate;
mod network;
mod secret;

/// Access control for an [`HttpTask`](crate::HttpTask): credentials and networks.
///
/// By default there is none: every client that reaches the address may read everything. Two
/// independent conditions can be added, and a request must meet both:
///
/// - With one or more tokens or passwords, a request must present one of them. If it does not, it
///   gets 401 with one `WWW-Authenticate` challenge for each scheme.
/// - With one or more networks, the client's address must be in one of them. If it is not, the
///   request gets 403, whatever it presents.
///
/// The conditions hold for user routes and for paths that are not found, too, so a client without
/// access does not learn which paths exist. The probes are exempt by default, since a kubelet has
/// no credentials: see [`open`](Self::open).
///
/// # Files
///
/// The setters only record what is wanted. Files are read, and everything is checked, when the
/// task is built ([`HttpTaskBuilder`](crate::HttpTaskBuilder)). While the task runs, files are
/// read again at the [reload interval](crate::Limits::reload_interval). A secret that changed is
/// used from then on. If a file is missing, empty or not fit, the last good secret stays in use,
/// so that an error in a deployment does not lock clients out; this is logged, and counted as
/// `task_http_reloads_total{what="credentials",outcome="failed"}`. A file holds 64 KiB at most.
///
/// # Security
///
/// - Secrets are compared in constant time with respect to their content, though not their length,
///   and are in no log line, no error and no `Debug` output.
/// - Secrets pass through the network as they are. Without TLS (feature `tls`), a listener on the
///   network path can read them.
/// - There is no limit on how often a client may guess. Use secrets that are long enough.
///
/// # Examples
///
/// ```
/// use task_http::{Access, HttpTask};
/// # fn main() -> Result<(), task_http::HttpError> {
/// # let token_file = std::env::temp_dir().join("task-http-doc-token");
/// # std::fs::write(&token_file, "s3cret\n").expect("the folder for temporary files is writable");
///
/// let access = Access::default().bearer_file(token_file).network("10.0.0.0/8");
/// let http = HttpTask::builder().access(access).bind("127.0.0.1:0")?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "access control takes effect with `HttpTaskBuilder::access`"]
pub struct Access {
    credentials: Vec<(Scheme, SecretSource)>,
    networks: Vec<String>,
    open: Vec<Endpoint>,
}

/// How a client presents a credential.
#[derive(Clone)]
enum Scheme {
    Bearer,
    Basic { user: String },
}

/// Where a secret comes from.
#[derive(Clone)]
enum SecretSource {
    Text(String),
    File(PathBuf),
}

impl Access {
    /// Admits requests with this token: `Authorization: Bearer TOKEN`. Default: none.
    ///
    /// The token must be visible ASCII and not empty, or building the task fails. White space
    /// around it is removed. May be called several times: each token is admitted, so that a client
    /// can change from one to another without a gap.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::{Access, HttpTask};
    ///
    /// let access = Access::default().bearer("two words");
    /// let error = HttpTask::builder().access(access).bind("127.0.0.1:0").unwrap_err();
    /// assert_eq!(error.to_string(), "the token is not visible ASCII");
    /// ```
    pub fn bearer(self, token: impl Into<String>) -> Self {
        self.with(Scheme::Bearer, SecretSource::Text(token.into()))
    }

    /// Admits requests with the token in a file, as [`bearer`](Self::bearer) does. Default: none.
    ///
    /// The file is read again while the task runs: see [Files](#files).
    pub fn bearer_file(self, path: impl AsRef<Path>) -> Self {
        self.with(Scheme::Bearer, SecretSource::File(path.as_ref().to_owned()))
    }

    /// Admits requests with this user and password: `Authorization: Basic …`, for which browsers
    /// show a dialog. Default: none.
    ///
    /// The user must not have a colon, the password must not be empty, and neither may have control
    /// characters, or building the task fails. May be called several times.
    pub fn basic(self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.with(Scheme::Basic { user: user.into() }, SecretSource::Text(password.into()))
    }

    /// Admits requests with this user and the password in a file, as [`basic`](Self::basic) does.
    /// Default: none.
    ///
    /// Line breaks at the end of the file are removed. The file is read again while the task runs:
    /// see [Files](#files).
    pub fn basic_file(self, user: impl Into<String>, path: impl AsRef<Path>) -> Self {
        let source = SecretSource::File(path.as_ref().to_owned());
        self.with(Scheme::Basic { user: user.into() }, source)
    }

    /// Admits clients from an address, such as `"192.0.2.7"`, or a network, such as `"10.0.0.0/8"`
    /// or `"fd00::/8"`. Default: all clients.
    ///
    /// If the text is neither, building the task fails. May be called several times. The address of
    /// the connection counts, and no header: behind a proxy it is the address of the proxy. Clients
    /// of a Unix socket have no address, and are admitted: the permissions of its file are their
    /// access control.
    pub fn network(mut self, network: impl Into<String>) -> Self {
        self.networks.push(network.into());
        self
    }

    /// Sets the endpoints that are exempt from access control. User routes never are. Default:
    /// `Livez`, `Readyz` and `Startupz`.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_http::{Access, Endpoint};
    ///
    /// // The probes and the metrics for all clients; the task table for those with the token.
    /// let open = [Endpoint::Livez, Endpoint::Readyz, Endpoint::Startupz, Endpoint::Metrics];
    /// let access = Access::default().bearer("s3cret").open(open);
    /// ```
    pub fn open(self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { open: endpoints.into_iter().collect(), ..self }
    }

    fn with(mut self, scheme: Scheme, source: SecretSource) -> Self {
        self.credentials.push((scheme, source));
        self
    }
}

impl Default for Access {
    fn default() -> Self {
        let open = vec![Endpoint::Livez, Endpoint::Readyz, Endpoint::Startupz];
        Self { credentials: Vec::new(), networks: Vec::new(), open }
    }
}

/// Without the secrets.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("credentials", &self.credentials.len())
            .field("networks", &self.networks)
            .field("open", &self.open)
            .finish()
    }
}
