//! Addresses of checkpoint stores.

use std::sync::Arc;
use std::time::Duration;

use audit_service::config::Span;

use super::{CheckpointStore, ConfigMapStore, EXPIRY, FileStore};

/// A checkpoint address that can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnknownStore {
    /// None that this binary has.
    #[error("`{0}` is no checkpoint store; write {FORMS}")]
    Kind(String),
    /// Something behind the `?`.
    #[error("`{0}` is unknown to this checkpoint store; behind the `?` may stand {1}")]
    Option(String, &'static str),
    /// Too short to be renewed in time, or no length of time.
    #[error("the expiry `{0}` must be a length of time of at least `1s`")]
    Expiry(String),
    /// What the store's library says of it.
    #[error("the checkpoint store `{place}` can't be used: {reason}")]
    Unusable {
        /// The address.
        place: String,
        /// Why.
        reason: String,
    },
}

/// The forms of addresses in this binary.
const FORMS: &str = const_str();

const fn const_str() -> &'static str {
    match (cfg!(feature = "s3"), cfg!(feature = "gs"), cfg!(feature = "az")) {
        (true, ..) => "`file:FOLDER`, `configmap:NAMESPACE/NAME` or `s3://BUCKET/PREFIX`",
        (_, true, _) => "`file:FOLDER`, `configmap:NAMESPACE/NAME` or `gs://BUCKET/PREFIX`",
        (.., true) => "`file:FOLDER`, `configmap:NAMESPACE/NAME` or `az://ACCOUNT/CONTAINER/PREFIX`",
        _ => "`file:FOLDER` or `configmap:NAMESPACE/NAME`",
    }
}

/// What may stand behind the `?` of an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Options {
    /// After how long without a change an owner counts as gone.
    pub(super) expiry: Duration,
    /// Where the cloud is, when not where it always is.
    pub(super) endpoint: Option<String>,
    /// Without credentials, for emulators.
    pub(super) anonymous: bool,
}

/// The store at an address. It is not touched yet.
///
/// | address | a unit's document |
/// | --- | --- |
/// | `file:FOLDER` | a file |
/// | `configmap:NAMESPACE/NAME` | a key of the ConfigMap, in the cluster that the process runs in |
/// | `s3://BUCKET/PREFIX` | an object; feature `s3`, as the others theirs |
/// | `gs://BUCKET/PREFIX` | an object |
/// | `az://ACCOUNT/CONTAINER/PREFIX` | a blob |
///
/// Behind `?` all but `file:` take `expiry=SPAN`; object stores take `endpoint=URL`, and `credentials=none` for emulators.
///
/// # Errors
/// [`UnknownStore`] says what an address must look like.
pub fn open(address: &str) -> Result<Arc<dyn CheckpointStore>, UnknownStore> {
    let unknown = || UnknownStore::Kind(address.to_owned());
    let (kind, rest) = address.split_once(':').ok_or_else(unknown)?;
    if kind == "file" {
        let folder = rest.trim_start_matches("//");
        return if folder.is_empty() { Err(unknown()) } else { Ok(Arc::new(FileStore::new(folder))) };
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.trim_start_matches("//").trim_end_matches('/');
    let options = options(query, kind != "configmap")?;
    let (first, rest) = place.split_once('/').unwrap_or((place, ""));
    match kind {
        "configmap" if is_name(first) && is_name(rest) => {
            Ok(Arc::new(ConfigMapStore::new(first, rest, options.expiry)))
        }
        #[cfg(feature = "s3")]
        "s3" if !first.is_empty() => super::object::s3(first, rest, options),
        #[cfg(feature = "gs")]
        "gs" if !first.is_empty() => super::object::gs(first, rest, options),
        #[cfg(feature = "az")]
        "az" if !first.is_empty() && !rest.is_empty() => {
            let (container, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            super::object::az(first, container, prefix, options)
        }
        _ => Err(unknown()),
    }
}

fn options(query: &str, has_endpoint: bool) -> Result<Options, UnknownStore> {
    let mut options = Options { expiry: EXPIRY, endpoint: None, anonymous: false };
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("expiry", text)) => {
                let span = text.parse::<Span>().ok().filter(|span| *span >= Span::secs(1));
                options.expiry = span.ok_or_else(|| UnknownStore::Expiry(text.to_owned()))?.0;
            }
            Some(("endpoint", url)) if has_endpoint => options.endpoint = Some(url.to_owned()),
            Some(("credentials", "none")) if has_endpoint => options.anonymous = true,
            _ => {
                let all = "`expiry=SPAN`, `endpoint=URL` and `credentials=none`";
                let known = if has_endpoint { all } else { "`expiry=SPAN`" };
                return Err(UnknownStore::Option(option.to_owned(), known));
            }
        }
    }
    Ok(options)
}

/// Whether Kubernetes takes this as the name of an object; it becomes part of a path.
fn is_name(text: &str) -> bool {
    let plain =
        |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"-.".contains(&letter);
    !text.is_empty() && text.len() <= 253 && text.bytes().all(plain) && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for address in ["file:a", "file:///a", "configmap:audit/checkpoints", "configmap:a/b?expiry=1s"] {
            assert!(open(address).is_ok(), "{address}");
        }
        assert_eq!(open("configmap:a/b?expiry=90s").unwrap().expiry(), Duration::from_secs(90));
        assert_eq!(open("configmap:a/b").unwrap().expiry(), EXPIRY);
    }

    #[test]
    fn mistakes_say_what_is_right() {
        for (address, told) in [
            ("tape:x", "`file:FOLDER`"),
            ("file:", "`file:FOLDER`"),
            ("checkpoints", "`configmap:NAMESPACE/NAME`"),
            ("configmap:name", "`configmap:NAMESPACE/NAME`"),
            ("configmap:a/../b", "`configmap:NAMESPACE/NAME`"),
            ("configmap:a/B", "`configmap:NAMESPACE/NAME`"),
            ("configmap:a/b?expiry=1ms", "at least `1s`"),
            ("configmap:a/b?expiry=soon", "at least `1s`"),
            ("configmap:a/b?endpoint=http://x", "`expiry=SPAN`"),
        ] {
            let problem = open(address).unwrap_err().to_string();
            assert!(problem.contains(told), "{address}: {problem}");
        }
    }
}
