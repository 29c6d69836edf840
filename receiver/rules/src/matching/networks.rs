//! IP addresses and networks.

use std::net::IpAddr;

/// Networks of which one may hold an address.
#[derive(Clone, Debug)]
pub(crate) struct Networks(Vec<Network>);

#[derive(Clone, Debug)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Not an address and not a network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected an IP address or a network such as `10.0.0.0/8`, found `{0}`")]
pub(crate) struct BadNetwork(String);

impl Networks {
    /// Reads addresses and networks; an address is a network of its own.
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, BadNetwork> {
        let read = |text: &'a str| Network::parse(text).ok_or_else(|| BadNetwork(text.to_owned()));
        Ok(Self(texts.into_iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Whether `text` is an address in one of the networks.
    pub(crate) fn hold(&self, text: &[u8]) -> bool {
        let address = str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok());
        address.is_some_and(|address| {
            let address = address.to_canonical();
            self.0.iter().any(|network| network.holds(address))
        })
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse::<IpAddr>().ok()?, Some(prefix.parse::<u8>().ok()?)),
            None => (text.parse::<IpAddr>().ok()?.to_canonical(), None),
        };
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        (prefix <= longest).then_some(Self { address, prefix })
    }

    fn holds(&self, address: IpAddr) -> bool {
        let differing = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros(),
            _ => return false,
        };
        differing >= u32::from(self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_networks() {
        for (networks, address, expected) in [
            (&["10.0.0.0/8"][..], "10.255.0.1", true),
            (&["10.0.0.0/8"], "11.0.0.1", false),
            (&["10.1.2.3"], "10.1.2.3", true),
            (&["10.1.2.3"], "10.1.2.4", false),
            (&["10.1.2.3"], "::ffff:10.1.2.3", true),
            (&["0.0.0.0/0"], "192.0.2.1", true),
            (&["0.0.0.0/0"], "2001:db8::1", false),
            (&["2001:db8::/32", "10.0.0.0/8"], "2001:db8:1::2", true),
            (&["::/0"], "2001:db8::1", true),
            (&["10.0.0.0/8"], "unknown", false),
            (&[], "10.0.0.1", false),
        ] {
            let networks = Networks::new(networks.iter().copied()).unwrap();
            assert_eq!(networks.hold(address.as_bytes()), expected, "{networks:?} {address}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0.0/", "host", "::/129"] {
            assert!(Networks::new([bad]).is_err(), "{bad}");
        }
    }
}
