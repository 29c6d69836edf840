//! Where a field's value comes from, as data.

use audit_event::Field as Top;

use super::{Clock, cluster::Part};

/// Object keys below a field of the envelope.
pub(crate) type Path = &'static [&'static str];

/// How a value is found. Variants up to `NanosecondText` serve any event; those behind only events with an `auditID`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The event's running number.
    Number,
    /// The event's time in some form.
    Time(Clock),
    /// Always this text.
    Constant(&'static str),
    /// Always this.
    Always(bool),
    /// Never a value.
    Never,
    /// The name of the machine that evaluates.
    Hostname,
    /// The whole event without blanks.
    Compact,
    /// The whole event, indented.
    Indented,
    /// What a JSON pointer leads to.
    Pointer,
    /// The event's time as text of digits.
    NanosecondText,

    /// Always `true`.
    True,
    /// The text of the value there.
    At(Top, Path),
    /// The texts of the elements of the array there.
    Elements(Top, Path),
    /// The text of the value there, as a list of one.
    Single(Top, Path),
    /// The text of the member there that the argument names.
    Member(Top, Path),
    /// The elements of the array there that the argument names.
    MemberElements(Top, Path),
    /// The first value of a query parameter of the request URI.
    UriParameter,
    /// The name of a pod that the request is about itself, not a subresource of it.
    PodName,
    /// The names of a binding's subjects of one kind.
    Subjects(&'static str),
    /// `namespace:name` of a binding's service accounts.
    AccountsWithNamespace,
    /// An array that each rule of a role has under that key.
    RoleRules(&'static str),
    /// Of the containers in that list of the pod.
    Containers(&'static str, PerContainer),
    /// Of the first container.
    FirstContainer(PerContainer),
    /// Whether any container is privileged.
    AnyPrivileged,
    /// Whether a volume mounts a path of the host.
    MountsHostPath,
    /// The text found at that path in each volume.
    Volumes(Path),
    /// The kinds of volumes.
    VolumeTypes,
    /// A part of the cluster's identity.
    Cluster(Part),
}

impl Source {
    /// The places below fields of the envelope that it looks at first, as far as they don't depend on an argument.
    pub(crate) fn places(self) -> Vec<(Top, Vec<&'static str>)> {
        let of_request = |path: &[&'static str]| vec![(Top::RequestObject, path.to_vec())];
        match self {
            Self::At(top, path)
            | Self::Elements(top, path)
            | Self::Single(top, path)
            | Self::Member(top, path)
            | Self::MemberElements(top, path) => vec![(top, path.to_vec())],
            Self::PodName => vec![
                (Top::ObjectRef, vec!["resource"]),
                (Top::ObjectRef, vec!["subresource"]),
                (Top::ResponseObject, vec!["metadata", "name"]),
            ],
            Self::Subjects(_) | Self::AccountsWithNamespace => of_request(&["subjects"]),
            Self::RoleRules(_) => of_request(&["rules"]),
            Self::Containers(list, _) => of_request(&["spec", list]),
            Self::FirstContainer(_) | Self::AnyPrivileged => of_request(&["spec", "containers"]),
            Self::MountsHostPath | Self::Volumes(_) | Self::VolumeTypes => of_request(&["spec", "volumes"]),
            _ => Vec::new(),
        }
    }
}

/// What is read from one container.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PerContainer {
    /// The text under a key that every container must have.
    Required(&'static str),
    /// The image up to its first `:` and `@`.
    Repository,
    /// The image without tag and digest.
    FullRepository,
    /// An array of strings joined with blanks.
    Words(&'static str),
    /// The text at a path, if there.
    Optional(Path),
    /// Each element of the array at a path, if there.
    Each(Path),
    /// The ports on the host, else in the container.
    Ports,
    /// Under a key of the container itself, else of the pod's `spec`, else `0`.
    Effective(&'static str),
    /// Under a key of the container's `securityContext`, else of the pod's, else `0`.
    EffectiveSecurity(&'static str),
}
