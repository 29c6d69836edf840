//! Blob storage, as far as one must know it to read the positions of Microsoft's event processors.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hyper::{Method, Request, Response};
use ring::hmac;

use crate::Answer;
use crate::http::Server;

/// The storage account.
pub const ACCOUNT: &str = "shopstorage";
/// Its key.
pub const KEY: &str = "dGhlIGtleSBvZiB0aGUgZmFrZSBzdG9yYWdlIGFjY291bnQ=";

/// The handle to a running storage account.
#[derive(Debug)]
pub struct Blobs {
    server: Server,
    blobs: Arc<Mutex<Checkpoints>>,
}

/// Offset and sequence number by path.
type Checkpoints = HashMap<String, (String, Option<i64>)>;

impl Blobs {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let blobs = Arc::new(Mutex::new(Checkpoints::new()));
        let served = Arc::clone(&blobs);
        let handler = move |request: Request<Bytes>| {
            let blobs = served.lock().unwrap_or_else(PoisonError::into_inner);
            Answer::Reply(answer(&request, &blobs))
        };
        let server = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), handler).expect("a free port");
        Self { server, blobs }
    }

    /// A connection string as the portal shows it, for this port.
    pub fn connection_string(&self) -> String {
        let endpoint = format!("http://{}/{ACCOUNT}", self.server.address());
        format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
        )
    }

    /// Puts a checkpoint as an event processor does: `path` is `CONTAINER/NAMESPACE/HUB/GROUP/checkpoint/PARTITION`.
    pub fn checkpoint(&self, path: &str, offset: &str, sequence: Option<i64>) {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.insert(format!("/{ACCOUNT}/{path}"), (offset.to_owned(), sequence));
    }
}

fn answer(request: &Request<Bytes>, blobs: &Checkpoints) -> Response<Bytes> {
    let status = |status: u16| Response::builder().status(status);
    let empty = |response: hyper::http::response::Builder| response.body(Bytes::new()).expect("a response");
    if request.method() != Method::HEAD || !is_signed(request) {
        return empty(status(403));
    }
    match blobs.get(request.uri().path()) {
        Some((offset, sequence)) => {
            let found = status(200).header("x-ms-meta-offset", offset).header("etag", "\"0x8DC\"");
            let number = sequence.map_or(String::new(), |number| number.to_string());
            empty(found.header("x-ms-meta-sequencenumber", number))
        }
        None => {
            // Containers are those that something is in.
            let container: String = request.uri().path().split_inclusive('/').take(3).collect();
            let exists = blobs.keys().any(|path| path.starts_with(&container));
            let code = if exists { "BlobNotFound" } else { "ContainerNotFound" };
            empty(status(404).header("x-ms-error-code", code))
        }
    }
}

/// Whether the request carries a Shared Key over its method, its `x-ms-` headers and its path.
fn is_signed(request: &Request<Bytes>) -> bool {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut names: Vec<&str> =
        request.headers().keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-ms-")).collect();
    names.sort_unstable();
    let signed: String = names.iter().map(|name| format!("{name}:{}\n", header(name))).collect();
    let path = request.uri().path();
    let text = format!("{}\n\n\n\n\n\n\n\n\n\n\n\n{signed}/{ACCOUNT}{path}", request.method());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(KEY).expect("base64"));
    let given = header("authorization").strip_prefix(&format!("SharedKey {ACCOUNT}:"));
    let given = given.and_then(|given| BASE64_STANDARD.decode(given).ok()).unwrap_or_default();
    hmac::verify(&key, text.as_bytes(), &given).is_ok() && !header("x-ms-date").is_empty()
}
