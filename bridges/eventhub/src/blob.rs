//! The Blob container in which Microsoft's event processors keep their positions, read once for a start.
//!
//! A position is the metadata `offset` and `sequencenumber` of the empty blob
//! `NAMESPACE/HUB/GROUP/checkpoint/PARTITION`. The names are in lower case by contract; some SDKs wrote them as given
//! (Azure/azure-sdk-for-java #36325, Azure/azure-sdk-for-go #21352), so both are tried.

use std::collections::HashMap;
use std::fmt;

use audit_service::client::Client;
use audit_service::config::Unread;
use audit_service::exit;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderMap;
use ring::hmac;

use crate::config::{Config, StartCheckpoints, Target};
use crate::credentials::{Entra, NoToken};
use crate::source::Position;

/// The version of the Blob service's interface; any since 2017-11-09 takes Entra ID's tokens.
const VERSION: &str = "2021-08-06";

/// A container of positions.
#[derive(Debug)]
pub struct Container {
    client: Client,
    /// Without a slash at its end.
    url: String,
    access: Access,
}

enum Access {
    /// An account and its key, decoded.
    Key {
        account: String,
        key: Vec<u8>,
    },
    /// A query that is a shared access signature.
    Signature(String),
    Entra(Entra),
}

/// Why positions can't be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Unreadable {
    /// The file of the connection string.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// The variable of the connection string.
    #[error("the environment variable `{0}` must hold a connection string of the storage account")]
    Unset(String),
    /// The connection string, but never its content.
    #[error("the storage connection string cannot be used: {0}")]
    Malformed(&'static str),
    /// No token for the storage account.
    #[error(transparent)]
    Token(#[from] NoToken),
    /// The storage account does not answer.
    #[error("`{url}` does not answer: {reason}")]
    Unreachable { url: String, reason: String },
    /// It has no such container.
    #[error(
        "there is no container `{url}`: check `start_checkpoints`, or leave it out where there was no earlier reader"
    )]
    Missing { url: String },
    /// It says no.
    #[error(
        "`{url}` answers {status}: reading needs the role `Storage Blob Data Reader` on the container, or its account's key"
    )]
    Refused { url: String, status: u16 },
}

impl Container {
    /// The container of a configuration; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn open(config: &Config, options: &StartCheckpoints, target: &Target) -> Result<Self, Unreadable> {
        let client = target.client.clone();
        let string = match (&options.connection_string_file, &options.connection_string_variable) {
            (Some(file), _) => file.read()?.expose().to_owned(),
            (None, Some(name)) => {
                crate::config::variable(name).ok_or_else(|| Unreadable::Unset(name.clone()))?
            }
            (None, None) => {
                let entra = config.identity.entra(
                    "https://storage.azure.com",
                    client.clone(),
                    crate::config::variable,
                );
                let url = options.container.trim_end_matches('/').to_owned();
                return Ok(Self { client, url, access: Access::Entra(entra) });
            }
        };
        let (url, access) = account(&string)?;
        let name = options.container.rsplit('/').next().unwrap_or_default();
        Ok(Self { client, url: format!("{url}/{name}"), access })
    }

    /// The positions of those partitions, as far as there are any.
    ///
    /// # Errors
    /// [`Unreadable`]; a position that is not there is none.
    pub async fn positions(
        &self,
        target: &Target,
        group: &str,
        partitions: &[&str],
    ) -> Result<HashMap<String, Position>, Unreadable> {
        let namespace = &target.endpoint.namespace;
        let given = format!("{namespace}/{}/{group}/checkpoint", target.hub);
        let folders = [given.to_lowercase(), given];
        let mut positions = HashMap::new();
        for partition in partitions {
            for folder in &folders {
                if let Some(position) = self.position(&format!("{folder}/{partition}")).await? {
                    positions.insert((*partition).to_owned(), position);
                    break;
                }
            }
        }
        Ok(positions)
    }

    async fn position(&self, blob: &str) -> Result<Option<Position>, Unreadable> {
        let url = format!("{}/{blob}", self.url);
        let mut request = self.client.get().head(match &self.access {
            Access::Signature(query) => format!("{url}?{query}"),
            _ => url.clone(),
        });
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        request = request.header("x-ms-date", &date).header("x-ms-version", VERSION);
        match &self.access {
            Access::Key { account, key } => {
                let signature = signature(account, key, &url, &date);
                request = request.header("authorization", format!("SharedKey {account}:{signature}"));
            }
            Access::Signature(_) => {}
            Access::Entra(entra) => request = request.bearer_auth(entra.token().await?.value),
        }
        let answer = request.send().await.map_err(|error| Unreadable::Unreachable {
            url: self.url.clone(),
            reason: exit::chain(&error.without_url()),
        })?;
        match answer.status().as_u16() {
            200 => Ok(Some(of_metadata(answer.headers()))),
            404 if answer
                .headers()
                .get("x-ms-error-code")
                .is_some_and(|code| code == "ContainerNotFound") =>
            {
                Err(Unreadable::Missing { url: self.url.clone() })
            }
            404 => Ok(None),
            status => Err(Unreadable::Refused { url: self.url.clone(), status }),
        }
    }
}

fn of_metadata(headers: &HeaderMap) -> Position {
    let get =
        |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned).filter(|value| !value.is_empty());
    Position {
        // Absent or -1 where only the offset is known (geo-replication).
        sequence: get("x-ms-meta-sequencenumber")
            .and_then(|number| number.parse().ok())
            .filter(|number| *number >= 0),
        offset: get("x-ms-meta-offset"),
        since: None,
        ..Position::default()
    }
}

/// The account's URL and what opens it, of `DefaultEndpointsProtocol=https;AccountName=...;AccountKey=...` and its like.
fn account(string: &str) -> Result<(String, Access), Unreadable> {
    let fields: HashMap<String, &str> = string
        .trim()
        .split(';')
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let get = |name: &str| fields.get(name).copied();
    let url = match (get("blobendpoint"), get("accountname")) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some(name)) => {
            let scheme = get("defaultendpointsprotocol").unwrap_or("https");
            format!("{scheme}://{name}.blob.{}", get("endpointsuffix").unwrap_or("core.windows.net"))
        }
        (None, None) => {
            return Err(Unreadable::Malformed("neither `AccountName` nor `BlobEndpoint` is in it"));
        }
    };
    let access = match (get("sharedaccesssignature"), get("accountname"), get("accountkey")) {
        (Some(query), _, _) => Access::Signature(query.trim_start_matches('?').to_owned()),
        (None, Some(account), Some(key)) => {
            let key = BASE64_STANDARD
                .decode(key)
                .map_err(|_| Unreadable::Malformed("`AccountKey` is not base64"))?;
            Access::Key { account: account.to_owned(), key }
        }
        _ => return Err(Unreadable::Malformed("neither `AccountKey` nor `SharedAccessSignature` is in it")),
    };
    Ok((url, access))
}

/// The signature of a HEAD request without a body ("Authorize with Shared Key", Azure Storage).
fn signature(account: &str, key: &[u8], url: &str, date: &str) -> String {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let text =
        format!("HEAD\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:{VERSION}\n/{account}/{path}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts() {
        let url = |string| account(string).map(|(url, _)| url).map_err(|error| error.to_string());
        let portal = "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=a2V5;EndpointSuffix=core.chinacloudapi.cn";
        assert_eq!(url(portal).unwrap(), "https://shop.blob.core.chinacloudapi.cn");
        let local = "AccountName=dev;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:10000/dev/";
        assert_eq!(url(local).unwrap(), "http://127.0.0.1:10000/dev");
        assert_eq!(url("BlobEndpoint=https://a;SharedAccessSignature=?sv=1").unwrap(), "https://a");
        for wrong in ["", "AccountName=a", "AccountName=a;AccountKey=%", "AccountKey=a2V5"] {
            let error = url(wrong).unwrap_err();
            assert!(error.starts_with("the storage connection string"), "{error}");
        }
    }
}
