//! Configuration: defaults < YAML file < environment < flags, and every mistake at once.
//!
//! All layers become one tree in which each value keeps its text and where it came from. The fields then say what
//! a text is to mean: `0123` is an account id for a text field and 123 for a number, in a file as in the environment.
//! After a mistake the offending value is put back to its default and reading starts over, until nothing is
//! left to complain of. (General layering crates stop at the first mistake, read `0123` from the environment as a
//! number, and know no lines.)
//!
//! - A map is merged key by key, a list is replaced as a whole, an empty section of the file changes nothing.
//! - `KAB_RECEIVER__URL` is `receiver.url`. A list or a section in one variable (or flag) is written as YAML
//!   (`[a, b]`, `{url: x}`), a plain list also as `a,b`.
//! - In a struct of flags every field is an `Option` or a list, so that what was not given says nothing.
//! - A key that no field bears is a mistake, in every layer: structs use `#[serde(deny_unknown_fields)]`, and
//!   neither `flatten` nor untagged or internally tagged enums, which hide from a deserializer what they ask for.

mod bytes;
mod file;
mod layers;
mod listen;
mod mistakes;
mod read;
mod secret;
mod span;
mod tree;

use std::ffi::OsString;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use bytes::Bytes;
pub use listen::Listen;
pub use mistakes::Mistakes;
pub(crate) use mistakes::unknown;
pub use secret::{Secret, SecretFile, Unread};
pub use span::Span;

use tree::Node;

/// The prefix of environment variables that are configuration. Kubernetes injects names like it only for a Service
/// that is called `kab`; those are then reported as unknown keys.
pub const PREFIX: &str = "KAB_";

/// What a type cannot say of its values, often because it takes two fields to tell.
///
/// ```
/// use audit_service::config::{Check, Mistakes};
/// struct Config { listen: Option<String>, auth: bool }
/// impl Check for Config {
///     fn check(&self, mistakes: &mut Mistakes) {
///         if self.listen.is_some() && !self.auth {
///             mistakes.add("auth", "must be given when `listen` is");
///         }
///     }
/// }
/// ```
pub trait Check {
    /// Adds what is wrong, by the key as one writes it: `sources[0].cluster`. Where the value came from is
    /// found by `load`.
    fn check(&self, mistakes: &mut Mistakes);
}

/// Reads the configuration of a process. `flags` serialises to the same nested keys as `T`; nulls, empty lists
/// and empty maps in it are flags that were not given.
///
/// # Errors
/// All mistakes: a file that cannot be read, unknown keys, values of the wrong kind, and what [`Check`] finds.
pub fn load<T>(defaults: T, file: Option<&Path>, flags: impl Serialize) -> Result<T, Mistakes>
where
    T: Serialize + DeserializeOwned + Check,
{
    load_from(defaults, file, std::env::vars_os(), flags)
}

/// As [`load`], with the environment given: for tests.
///
/// # Errors
/// As [`load`].
pub fn load_from<T>(
    defaults: T,
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    flags: impl Serialize,
) -> Result<T, Mistakes>
where
    T: Serialize + DeserializeOwned + Check,
{
    let mut mistakes = Mistakes::default();
    let defaults = layers::serialized(&defaults, &tree::Origin::Default, &mut mistakes);
    let mut root = defaults.clone();
    let mut complete = true;
    if let Some(path) = file {
        match file::read(path, &mut mistakes) {
            Some(node) => root.merge(node),
            None => complete = false,
        }
    }
    for node in layers::environment(environment, &mut mistakes) {
        root.merge(node);
    }
    root.merge(layers::serialized(&flags, &tree::Origin::Flag, &mut mistakes).given());

    let given = root.clone();
    let value: Option<T> = read::all(root, &defaults, &mut mistakes);
    if let (Some(value), true) = (&value, complete) {
        let mut found = Mistakes::default();
        value.check(&mut found);
        mistakes.absorb(found, &given);
    }
    match value {
        Some(value) if mistakes.is_empty() => Ok(value),
        _ => Err(mistakes),
    }
}

impl Node {
    /// Without what stands for a flag that was not given.
    fn given(mut self) -> Self {
        self.prune();
        self
    }
}

#[cfg(test)]
mod tests;
