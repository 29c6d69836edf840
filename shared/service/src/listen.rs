//! Binding a port and saying so.

use std::io::{self, Write};
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Binds `address` (port 0: one that the system picks) and prints `listening NAME ADDRESS` on stderr, a line of
/// its own in every log format: it is for programs that must know the port.
///
/// # Errors
/// The system's error, with the name and the address before it.
pub async fn bind(name: &str, address: impl Into<SocketAddr>) -> io::Result<TcpListener> {
    let address = address.into();
    let refused = |error: io::Error| {
        io::Error::new(error.kind(), format!("{name} cannot listen on `{address}`: {error}"))
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    // Whoever closed our stderr does not read the line either.
    let _ = io::stderr().write_all(format!("listening {name} {bound}\n").as_bytes());
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    #[tokio::test]
    async fn a_taken_port_names_the_listener_and_the_address() {
        let first = super::bind("intake", SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let taken = first.local_addr().unwrap();
        let error = super::bind("admin", taken).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("admin cannot listen on `{taken}`: ")), "{error}");
    }
}
