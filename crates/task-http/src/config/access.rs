//! Who may read what the server shows: tokens, passwords and networks.

use std::{collections::BTreeSet, fmt, net::IpAddr, path::Path, sync::Arc};

use hyper::{
    HeaderMap, StatusCode,
    header::{HeaderValue, WWW_AUTHENTICATE},
};

use crate::{
    config::{Endpoint, error::AccessError},
    message::reply::Reply,
    reload::Reload,
};

mod credential;
mod network;
mod secret;

use credential::{Credential, Presented, Scheme};
use network::Network;
use secret::Secret;

/// Who may read what an [`HttpTask`](crate::HttpTask) shows. By default everybody may read everything.
///
/// As soon as there is one token or password, a request must present one of them, or gets 401; as soon as there is one
/// network, its client must be in one of them, or gets 403. Paths that lead nowhere are guarded too: nobody learns which those are. The three probes stay open to all, since kubelets have no credentials: see
/// [`open`](Self::open).
///
/// ```
/// # use task_http::{Access, HttpTask};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # std::fs::write(std::env::temp_dir().join("task-http-doc-token"), "s3cret\n")?;
/// # let token_file = std::env::temp_dir().join("task-http-doc-token");
/// let access = Access::default().bearer_file(token_file)?.network("10.0.0.0/8")?;
/// let http = HttpTask::bind("127.0.0.1:0")?.access(access);
/// # Ok(()) }
/// ```
///
/// Comparisons take as long for a wrong secret as for a right one of the same length. Secrets are in no log line and in
/// no `Debug`. They pass through the network as they are: without TLS (feature `tls`), whoever listens there has them.
/// Nothing limits how often a client may guess, but the length of the secret.
#[derive(Clone)]
#[must_use = "hand it to `HttpTask::access`"]
pub struct Access {
    credentials: Vec<Arc<Credential>>,
    networks: Vec<Network>,
    open: Vec<Endpoint>,
}

impl Access {
    /// Admits those who present a token: `Authorization: Bearer TOKEN`. Default: none.
    ///
    /// # Errors
    ///
    /// If it is empty, or has characters that cannot be sent: it must be visible ASCII.
    pub fn bearer(self, token: impl AsRef<str>) -> Result<Self, AccessError> {
        let secret = Secret::token(token.as_ref().as_bytes()).map_err(AccessError::token)?;
        Ok(self.with(Credential::fixed(Scheme::Bearer, secret)))
    }

    /// As [`bearer`](Self::bearer), with a token from a file, without the white space around it. The file is read
    /// again [every few seconds](crate::Limits::reload_interval) while the task runs, and replaces the token when it
    /// has changed. One that is missing, empty or unfit then does not: the last good token remains, so that a slip in
    /// a deployment locks nobody out; it is logged, and counted as `task_http_reloads_total{outcome="failed"}`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, has more than 64 KiB, or holds no fit token.
    pub fn bearer_file(self, path: impl AsRef<Path>) -> Result<Self, AccessError> {
        Ok(self.with(Credential::of_file(Scheme::Bearer, path.as_ref())?))
    }

    /// Admits those who present a name and a password: `Authorization: Basic …`, which browsers ask for by themselves.
    /// Default: none.
    ///
    /// # Errors
    ///
    /// If the name has a colon, or either has control characters, or the password is empty.
    pub fn basic(
        self,
        user: impl AsRef<str>,
        password: impl AsRef<str>,
    ) -> Result<Self, AccessError> {
        let scheme = Scheme::basic(user.as_ref())?;
        let secret =
            Secret::password(password.as_ref().as_bytes()).map_err(AccessError::password)?;
        Ok(self.with(Credential::fixed(scheme, secret)))
    }

    /// As [`basic`](Self::basic), with the password from a file, without line breaks at its end. It is read again as
    /// that of [`bearer_file`](Self::bearer_file) is.
    ///
    /// # Errors
    ///
    /// As [`basic`](Self::basic), or if the file cannot be read or has more than 64 KiB.
    pub fn basic_file(
        self,
        user: impl AsRef<str>,
        path: impl AsRef<Path>,
    ) -> Result<Self, AccessError> {
        let scheme = Scheme::basic(user.as_ref())?;
        Ok(self.with(Credential::of_file(scheme, path.as_ref())?))
    }

    /// Admits clients from an address, such as `"192.0.2.7"`, or a network, such as `"10.0.0.0/8"` or `"fd00::/8"`. It
    /// is the connection's own address that counts, and no header's: behind a proxy it is the proxy's. Clients of a
    /// Unix socket have none, and are admitted: the permissions of its file are what keeps others out. Default: all.
    ///
    /// # Errors
    ///
    /// If it is neither.
    pub fn network(mut self, network: impl AsRef<str>) -> Result<Self, AccessError> {
        let network = network.as_ref();
        let parsed = Network::parse(network).ok_or_else(|| AccessError::network(network))?;
        self.networks.push(parsed);
        Ok(self)
    }

    /// Which endpoints are open to all, whatever else is set. Routes of your own never are. Default: `Livez`, `Readyz`
    /// and `Startupz`.
    pub fn open(self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { open: endpoints.into_iter().collect(), ..self }
    }

    /// Returns the refusal of a request, if it is one to refuse.
    pub(crate) fn refusal(
        &self,
        endpoint: Option<Endpoint>,
        client: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Option<Reply> {
        if endpoint.is_some_and(|endpoint| self.open.contains(&endpoint)) {
            return None;
        }
        let is_near = |client| self.networks.iter().any(|network| network.contains(client));
        if !self.networks.is_empty() && !client.is_none_or(is_near) {
            return Some(Reply::text(StatusCode::FORBIDDEN, "forbidden\n"));
        }
        let is_admitted =
            || Presented::of(headers).is_some_and(|presented| self.admits(&presented));
        if self.credentials.is_empty() || is_admitted() {
            return None;
        }
        let mut reply = Reply::text(StatusCode::UNAUTHORIZED, "unauthorized\n");
        let challenges: BTreeSet<_> = self.credentials.iter().map(|it| it.challenge()).collect();
        for challenge in challenges {
            reply.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        }
        Some(reply)
    }

    /// Returns what is to be read again from time to time.
    pub(crate) fn reloads(&self) -> impl Iterator<Item = Arc<dyn Reload>> {
        let of_files = self.credentials.iter().filter(|credential| credential.has_file());
        of_files.map(|credential| Arc::clone(credential) as Arc<dyn Reload>)
    }

    /// Looks at every credential, also after a match: how long that takes says nothing about which one it was.
    fn admits(&self, presented: &Presented) -> bool {
        self.credentials
            .iter()
            .fold(subtle::Choice::from(0), |admitted, credential| {
                admitted | credential.matches(presented)
            })
            .into()
    }

    fn with(mut self, credential: Credential) -> Self {
        self.credentials.push(Arc::new(credential));
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
