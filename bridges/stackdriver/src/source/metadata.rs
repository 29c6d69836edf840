//! Where this process runs, as the metadata server of Google Cloud says.

use std::time::Duration;

use crate::config::Source;

/// Where the metadata server is, unless `GCE_METADATA_HOST` says otherwise.
const SERVER: &str = "http://metadata.google.internal";

/// Why something is not known.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// Nobody answers: this is not Google Cloud.
    #[error("the metadata server at `{server}` does not answer: {reason}")]
    Unreachable {
        /// Its address.
        server: String,
        /// What the client said.
        reason: String,
    },
    /// It has no such value.
    #[error("the metadata server at `{server}` answers {status} to `{path}`")]
    Refused {
        /// Its address.
        server: String,
        /// What was asked.
        path: &'static str,
        /// The HTTP status.
        status: u16,
    },
}

impl Unknown {
    /// Whether asking again would change nothing.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

/// The metadata server.
#[derive(Clone, Debug)]
pub struct Metadata {
    client: reqwest::Client,
    server: String,
}

impl Metadata {
    /// At `url`, else where `GCE_METADATA_HOST` says, else where it always is.
    pub fn new(client: reqwest::Client, url: Option<&str>) -> Self {
        let host = || std::env::var("GCE_METADATA_HOST").ok().map(|host| format!("http://{host}"));
        let server = url.map(str::to_owned).or_else(host).unwrap_or_else(|| SERVER.to_owned());
        Self { client, server: server.trim_end_matches('/').to_owned() }
    }

    /// Fills in what `source` leaves open: project, and without a cluster the one that this process runs in.
    ///
    /// # Errors
    /// When it is not said here and nobody knows it.
    pub async fn complete(&self, mut source: Source) -> Result<Source, Unknown> {
        if source.project.is_none() {
            source.project = Some(self.get("project/project-id").await?);
        }
        if source.cluster.is_none() {
            source.cluster = Some(self.get("instance/attributes/cluster-name").await?);
            if source.location.is_none() {
                source.location = Some(self.get("instance/attributes/cluster-location").await?);
            }
        }
        Ok(source)
    }

    async fn get(&self, path: &'static str) -> Result<String, Unknown> {
        let unreachable = |error: reqwest::Error| Unknown::Unreachable {
            server: self.server.clone(),
            reason: audit_service::exit::chain(&error.without_url()),
        };
        let request = self.client.get(format!("{}/computeMetadata/v1/{path}", self.server));
        let request = request.header("Metadata-Flavor", "Google").timeout(Duration::from_secs(5));
        let response = request.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            let status = response.status().as_u16();
            return Err(Unknown::Refused { server: self.server.clone(), path, status });
        }
        Ok(response.text().await.map_err(unreachable)?.trim().to_owned())
    }
}
