//! Ranges of IP addresses.

use std::{fmt, net::IpAddr};

use crate::config::{HttpError, HttpErrorKind};

/// All addresses that begin with the same `bits` bits.
#[derive(Clone, Copy)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Parses `10.0.0.0/8`, `fd00::/8`, or an address alone. Bits after the prefix are ignored.
    pub(super) fn parse(text: &str) -> Result<Self, HttpError> {
        Self::try_parse(text).ok_or_else(|| HttpErrorKind::Network(text.to_owned()).into())
    }

    /// Parses; `None` if the text is neither an address nor a network.
    fn try_parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        // `parse` accepts a sign, too, which a prefix length cannot have.
        let is_plain = |bits: &str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            Some(bits) if is_plain(bits) => bits.parse().ok().filter(|bits| *bits <= most)?,
            Some(_) => return None,
            None => most,
        };
        Some(Self { address, bits })
    }

    /// Returns whether an address is in the network. An IPv4 address that an IPv6 listener reports
    /// in its mapped form counts as the IPv4 address.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differs = network.to_bits() ^ address.to_bits();
                differs.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differs = network.to_bits() ^ address.to_bits();
                differs.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}
