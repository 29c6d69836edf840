//! What a request was aimed at: verb, object and URI, from `methodName` and `resourceName`.
//!
//! The grammar of `resourceName` is `<group>/<version>[/namespaces/<ns>]/<resource>[/<name>[/<subresource>[/<path>]]]`,
//! with `core` for the empty group, or a bare path. Only the verb is taken from `methodName`, because its group is
//! written backwards and its words cannot be told apart safely; its resource word tells a Namespace from what is in it.

use super::uri::{Query, write_path};

#[cfg(test)]
mod tests;

/// The verb, the object and the path of a request.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Target<'a> {
    pub(super) verb: &'a str,
    /// `None` for a path that is no resource, or when the entry names nothing.
    pub(super) object: Option<Object<'a>>,
    /// As the API server writes it, without the query; empty when the entry names nothing.
    pub(super) path: String,
}

/// An `objectRef` of `audit.k8s.io/v1`.
#[derive(PartialEq, Eq, Debug, Default)]
pub(super) struct Object<'a> {
    pub(super) resource: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    /// `None` for the core group.
    pub(super) group: Option<&'a str>,
    pub(super) version: &'a str,
    pub(super) subresource: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(super) fn read(method: &'a str, resource_name: &'a str) -> Self {
        let verb = method.rsplit('.').next().unwrap_or(method);
        let words = method.split('.').count();
        let mut segments = resource_name.split('/');
        let (group, version, first) = (segments.next(), segments.next(), segments.next());
        match (group, version, first.filter(|first| !first.is_empty())) {
            // `io.k8s.get`: a verb and nothing it could be aimed at.
            (Some(group), Some(version), Some(first)) if words > 3 => {
                Self::resource(verb, method, group, version, first, segments.collect())
            }
            _ if words > 3 && resource_name.is_empty() => Self { verb, object: None, path: String::new() },
            _ => {
                let mut path = String::from("/");
                write_path(&mut path, resource_name.trim_start_matches('/'));
                Self { verb, object: None, path }
            }
        }
    }

    fn resource(
        verb: &'a str,
        method: &str,
        group: &'a str,
        version: &'a str,
        first: &'a str,
        rest: Vec<&'a str>,
    ) -> Self {
        let mut rest = rest.into_iter().filter(|segment| !segment.is_empty());
        let own_namespace = first == "namespaces" && is_namespace(method, group, version, rest.clone());
        let (scope, resource) = if first == "namespaces" && !own_namespace {
            (rest.next(), rest.next().unwrap_or(first))
        } else {
            (None, first)
        };
        let (name, subresource) = (rest.next(), rest.next());
        // Old clusters repeat the name behind exec and attach; behind proxy follows the path that is proxied.
        let path: Vec<&str> = rest.collect();
        let repeated = subresource != Some("proxy") && path.as_slice() == name.as_slice();
        let path = if repeated { Vec::new() } else { path };

        let creates = verb == "create" && subresource.is_none();
        let selects = selects(verb);
        let mut uri = String::from(if group == "core" { "/api" } else { "/apis" });
        let of_group = (group != "core").then_some(group);
        let in_scope = scope.map(|scope| ["namespaces", scope]);
        let to_name = name.filter(|_| !creates && !selects);
        for segment in of_group
            .into_iter()
            .chain([version])
            .chain(in_scope.into_iter().flatten())
            .chain([resource])
            .chain(to_name)
            .chain(subresource)
            .chain(path)
        {
            uri.push('/');
            write_path(&mut uri, segment);
        }
        // The API server takes a Namespace for its own namespace wherever the path names it, so not when creating it.
        let namespace = if own_namespace { to_name } else { scope };
        let object = Object { resource, namespace, name, group: of_group, version, subresource };
        Self { verb, object: Some(object), path: uri }
    }

    /// The query, as far as the entry gives it. Objects read by name through a collection were named by a selector.
    pub(super) fn query(&self, command: Option<&str>, dry_run: bool) -> Query {
        let mut query = Query::default();
        if let Some(command) = command {
            query.add("command", command);
        }
        if dry_run {
            query.add("dryRun", "All");
        }
        let name = self.object.as_ref().and_then(|object| object.name);
        if let Some(name) = name.filter(|_| selects(self.verb)) {
            query.add("fieldSelector", &format!("metadata.name={name}"));
        }
        if self.verb == "watch" {
            query.add("watch", "true");
        }
        query
    }

    pub(super) fn subresource(&self) -> Option<&'a str> {
        self.object.as_ref()?.subresource
    }
}

/// Verbs of a collection: a name, if there is one, comes from a field selector.
fn selects(verb: &str) -> bool {
    matches!(verb, "list" | "watch" | "deletecollection")
}

/// Whether `namespaces/<a>/<b>` is a part of the Namespace `a`, rather than the collection `b` in it.
fn is_namespace<'a>(
    method: &str,
    group: &str,
    version: &str,
    rest: impl Iterator<Item = &'a str> + Clone,
) -> bool {
    match method_resource(method, group, version) {
        Some(resource) => resource == "namespaces",
        None => match rest.clone().count() {
            0 | 1 => true,
            2 => matches!(rest.last(), Some("status" | "finalize")),
            _ => false,
        },
    }
}

/// The resource word of a method, behind the group (backwards; `io.k8s.` stands before one without a dot) and version.
fn method_resource<'m>(method: &'m str, group: &str, version: &str) -> Option<&'m str> {
    let mut words = method.split('.');
    if group.contains('.') {
        group.rsplit('.').all(|label| words.next() == Some(label)).then_some(())?;
    } else {
        ["io", "k8s", group].into_iter().all(|label| words.next() == Some(label)).then_some(())?;
    }
    (words.next() == Some(version)).then_some(())?;
    words.next()
}
