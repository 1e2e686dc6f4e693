//! The addresses under which others reach a listener.

use std::net::SocketAddr;

use super::ADDRESSES_MAX;

/// Every address of this machine under which `bound` is reached: itself where it is one address;
/// where it stands for all, one for each interface that is up, loopback last.
pub fn reachable(bound: SocketAddr) -> Vec<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let mut found: Vec<SocketAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .filter(|interface| !interface.is_link_local())
        .map(|interface| SocketAddr::new(interface.ip(), bound.port()))
        .filter(|address| address.is_ipv4() || bound.is_ipv6())
        .collect();
    found.sort_by_key(|address| (address.ip().is_loopback(), address.is_ipv6()));
    found.dedup();
    found.truncate(ADDRESSES_MAX);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_stands_for_itself() {
        let one: SocketAddr = "127.0.0.1:900".parse().unwrap();
        assert_eq!(reachable(one), [one]);
    }

    #[test]
    fn all_interfaces_are_listed_and_loopback_is_the_last() {
        let found = reachable("0.0.0.0:900".parse().unwrap());
        assert!(found.iter().all(|address| address.port() == 900 && address.is_ipv4()));
        assert!(found.last().is_some_and(|address| address.ip().is_loopback()), "{found:?}");
        assert!(!found.iter().any(|address| address.ip().is_unspecified()));
    }
}
