//! The check of each request against the settings of an [`Access`].
//!
//! The networks are checked before the credentials, so that a client outside of them learns nothing
//! about the validity of what it presents.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use hyper::HeaderMap;
use task_listen::reload::Reload;

use super::{
    Access,
    credential::{Credential, Presented},
    network::Network,
};
use crate::config::{Endpoint, HttpError};

/// Loaded access control.
#[derive(Debug)]
pub(crate) struct Gate {
    credentials: Vec<Arc<Credential>>,
    networks: Vec<Network>,
    open: Vec<Endpoint>,
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The client is in none of the networks.
    Forbidden,
    /// The request presents no credential that is admitted.
    Unauthorized { challenges: BTreeSet<&'static str> },
}

impl Gate {
    /// Reads the files of an [`Access`], and checks everything in it.
    pub(crate) fn load(access: Access) -> Result<Self, HttpError> {
        let Access { credentials, networks, open } = access;
        let credential =
            |(scheme, source)| Ok::<_, HttpError>(Arc::new(Credential::load(scheme, source)?));
        Ok(Self {
            credentials: credentials.into_iter().map(credential).collect::<Result<_, _>>()?,
            networks: networks.iter().map(|text| Network::parse(text)).collect::<Result<_, _>>()?,
            open,
        })
    }

    /// Checks one request. `endpoint` is `None` for user routes and for paths that are not found;
    /// `client` is `None` on a Unix socket.
    pub(crate) fn check(
        &self,
        endpoint: Option<Endpoint>,
        client: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if endpoint.is_some_and(|endpoint| self.open.contains(&endpoint)) {
            return Ok(());
        }
        let is_inside = |client| self.networks.iter().any(|network| network.contains(client));
        if !self.networks.is_empty() && !client.is_none_or(is_inside) {
            return Err(Refusal::Forbidden);
        }
        let is_admitted =
            || Presented::from_headers(headers).is_some_and(|presented| self.admits(&presented));
        if self.credentials.is_empty() || is_admitted() {
            return Ok(());
        }
        let challenges = self.credentials.iter().map(|credential| credential.challenge());
        Err(Refusal::Unauthorized { challenges: challenges.collect() })
    }

    /// Returns the credentials that are read again from time to time.
    pub(crate) fn reloads(&self) -> impl Iterator<Item = Arc<dyn Reload>> {
        let of_files = self.credentials.iter().filter(|credential| credential.has_file());
        of_files.map(|credential| Arc::clone(credential) as Arc<dyn Reload>)
    }

    /// Compares with every credential, also after a match: the time that it takes does not depend
    /// on which one matched.
    fn admits(&self, presented: &Presented) -> bool {
        self.credentials
            .iter()
            .fold(subtle::Choice::from(0), |admitted, credential| {
                admitted | credential.matches(presented)
            })
            .into()
    }
}
