//! How often one client may ask.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Clients that are remembered; beyond that those that have been quiet are forgotten.
const MOST: usize = 10_000;

/// A bucket for each client, refilled at a rate, that holds what comes at that rate in a second.
#[derive(Debug)]
pub struct Pace {
    rate: f64,
    clients: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Pace {
    /// So many requests a second for each client.
    pub fn new(rate: u32) -> Self {
        Self { rate: f64::from(rate.max(1)), clients: Mutex::default() }
    }

    /// Whether a request of `client` may be taken at `now`.
    pub fn admit(&self, client: IpAddr, now: Instant) -> bool {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let refilled =
            |(left, since): (f64, Instant)| (left + (now - since).as_secs_f64() * self.rate).min(self.rate);
        if clients.len() >= MOST && !clients.contains_key(&client) {
            clients.retain(|_, bucket| refilled(*bucket) < self.rate);
            if clients.len() >= MOST {
                return false;
            }
        }
        let bucket = clients.entry(client).or_insert((self.rate, now));
        *bucket = (refilled(*bucket), now);
        let may = bucket.0 >= 1.0;
        if may {
            bucket.0 -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_client_has_its_own_rate() {
        let (pace, begun) = (Pace::new(3), Instant::now());
        let (one, two) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let taken = |client, millis| {
            (0..10).filter(|_| pace.admit(client, begun + Duration::from_millis(millis))).count()
        };
        assert_eq!((taken(one, 0), taken(one, 0), taken(two, 0)), (3, 0, 3));
        assert_eq!((taken(one, 700), taken(one, 100_000)), (2, 3));
    }

    #[test]
    fn many_clients_take_bounded_memory() {
        let (pace, begun) = (Pace::new(1), Instant::now());
        let client = |number: u32| IpAddr::from(number.to_be_bytes());
        let admitted = (0..20_000).filter(|number| pace.admit(client(*number), begun)).count();
        assert_eq!(admitted, MOST);
        assert!(
            pace.admit(client(30_000), begun + Duration::from_secs(2)),
            "those that were quiet make room"
        );
    }
}
