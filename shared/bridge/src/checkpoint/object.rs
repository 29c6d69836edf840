//! Checkpoints in an object store, by its conditional writes. Credentials are found as the cloud's own tools find them:
//! environment, web identity, pod identity, metadata server.

use std::sync::Arc;
use std::time::Duration;

use audit_service::exit::chain;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig,
    UpdateVersion,
};

use super::address::{Options, UnknownStore};
use super::{CheckpointStore, Document, Expected, Pending, StoreFailed, Version, slug};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A place in an object store.
#[derive(Debug)]
struct ObjectCheckpoints {
    address: String,
    prefix: Path,
    expiry: Duration,
    objects: Arc<dyn ObjectStore>,
}

type Opened = Result<Arc<dyn CheckpointStore>, UnknownStore>;

#[cfg(feature = "s3")]
pub(super) fn s3(bucket: &str, prefix: &str, options: Options) -> Opened {
    let builder = object_store::aws::AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_skip_signature(options.anonymous)
        .with_client_options(client(&options))
        .with_retry(retry());
    let builder = match &options.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint),
        None => builder,
    };
    opened(format!("s3://{bucket}/{prefix}"), prefix, &options, builder.build())
}

#[cfg(feature = "gs")]
pub(super) fn gs(bucket: &str, prefix: &str, options: Options) -> Opened {
    use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};
    let builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(bucket)
        .with_client_options(client(&options))
        .with_retry(retry());
    let builder = if options.anonymous {
        let nobody = object_store::StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
        builder.with_credentials(Arc::new(nobody))
    } else {
        builder
    };
    let builder = match &options.endpoint {
        Some(endpoint) => builder.with_config(GoogleConfigKey::BaseUrl, endpoint),
        None => builder,
    };
    opened(format!("gs://{bucket}/{prefix}"), prefix, &options, builder.build())
}

#[cfg(feature = "az")]
pub(super) fn az(account: &str, container: &str, prefix: &str, options: Options) -> Opened {
    let builder = object_store::azure::MicrosoftAzureBuilder::from_env()
        .with_account(account)
        .with_container_name(container)
        .with_skip_signature(options.anonymous)
        .with_client_options(client(&options))
        .with_retry(retry());
    let builder = match &options.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint.clone()),
        None => builder,
    };
    opened(format!("az://{account}/{container}/{prefix}"), prefix, &options, builder.build())
}

fn client(options: &Options) -> ClientOptions {
    let plain = options.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    ClientOptions::new().with_timeout(TIMEOUT).with_connect_timeout(TIMEOUT / 2).with_allow_http(plain)
}

/// Whoever asks tries again anyhow, and must know soon whether it is still the owner.
fn retry() -> RetryConfig {
    RetryConfig { max_retries: 1, retry_timeout: TIMEOUT, backoff: BackoffConfig::default() }
}

fn opened<S: ObjectStore>(
    address: String,
    prefix: &str,
    options: &Options,
    objects: object_store::Result<S>,
) -> Opened {
    match objects {
        Ok(objects) => Ok(Arc::new(ObjectCheckpoints {
            address: address.trim_end_matches('/').to_owned(),
            prefix: Path::from(prefix),
            expiry: options.expiry,
            objects: Arc::new(objects),
        })),
        Err(error) => Err(UnknownStore::Unusable { place: address, reason: chain(&error) }),
    }
}

impl ObjectCheckpoints {
    fn path(&self, unit: &str) -> Path {
        self.prefix.clone().join(format!("{}.json", slug(unit)))
    }

    fn place(&self, unit: &str) -> String {
        format!("{}/{}.json", self.address, slug(unit))
    }

    fn unavailable(&self, unit: &str, what: &'static str, error: &Error) -> StoreFailed {
        StoreFailed::Unavailable { place: self.place(unit), what, reason: chain(error) }
    }

    async fn load_now(&self, unit: &str) -> Result<Option<(Document, Version)>, StoreFailed> {
        let unread = |error| self.unavailable(unit, "read", &error);
        let found = match self.objects.get(&self.path(unit)).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(unread(error)),
        };
        let version = version(found.meta.e_tag.clone(), found.meta.version.clone());
        let text = found.bytes().await.map_err(unread)?;
        Ok(Some((Document::parse(&text, &self.place(unit))?, version)))
    }

    async fn store_now(&self, document: &Document, expected: Expected) -> Result<Version, StoreFailed> {
        let unit = &document.unit;
        let updates = matches!(expected, Expected::Version(_));
        let mode = match expected {
            Expected::Anything => PutMode::Overwrite,
            Expected::Absent => PutMode::Create,
            Expected::Version(version) => PutMode::Update(update(&version)),
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.objects.put_opts(&self.path(unit), document.text().into(), options).await {
            Ok(put) => Ok(version(put.e_tag, put.version)),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                Err(StoreFailed::Conflict(self.place(unit)))
            }
            // What is to be updated was there; where something is to be made, its bucket is what is not there.
            Err(Error::NotFound { .. }) if updates => Err(StoreFailed::Conflict(self.place(unit))),
            Err(error) => Err(self.unavailable(unit, "written", &error)),
        }
    }
}

/// Which of the two counts depends on the cloud: S3 and Azure compare the entity tag, Google Cloud the generation.
fn version(e_tag: Option<String>, version: Option<String>) -> Version {
    Version(format!("{}\n{}", e_tag.unwrap_or_default(), version.unwrap_or_default()))
}

fn update(version: &Version) -> UpdateVersion {
    let (e_tag, version) = version.0.split_once('\n').unwrap_or((&version.0, ""));
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    UpdateVersion { e_tag: given(e_tag), version: given(version) }
}

impl CheckpointStore for ObjectCheckpoints {
    fn expiry(&self) -> Duration {
        self.expiry
    }

    fn hold<'a>(&'a self, _: &'a str) -> Pending<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn load<'a>(&'a self, unit: &'a str) -> Pending<'a, Option<(Document, Version)>> {
        Box::pin(self.load_now(unit))
    }

    fn store<'a>(&'a self, document: &'a Document, expected: Expected) -> Pending<'a, Version> {
        Box::pin(self.store_now(document, expected))
    }
}
