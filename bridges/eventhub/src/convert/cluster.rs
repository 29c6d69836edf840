//! Which cluster a record is of.

/// A cluster as Azure names it. Azure Monitor writes resource ids in upper case at some times and as given at others, and
/// they compare without case: both parts are in lower case, so that one cluster has one identity.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cluster {
    /// The resource id: `/subscriptions/S/resourcegroups/G/providers/microsoft.containerservice/managedclusters/N`.
    pub id: String,
    /// The cluster's own name, the last part that names a cluster.
    pub name: String,
}

impl Cluster {
    /// The cluster of a resource id, or `None` when it is no resource id.
    pub fn of(resource_id: &str) -> Option<Self> {
        let id = resource_id.trim_end_matches('/').to_lowercase();
        let parts: Vec<&str> = id.split('/').collect();
        let ["", "subscriptions", _, _, _, "providers", _, _, ..] = parts.as_slice() else { return None };
        // Types and names alternate: `managedclusters/N` for AKS, `connectedclusters/N` for AKS on Azure Local.
        let mut pairs = parts.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?)));
        let name = pairs
            .clone()
            .find(|(kind, name)| matches!(*kind, "managedclusters" | "connectedclusters") && !name.is_empty())
            .or_else(|| pairs.next_back())
            .map(|(_, name)| name.to_owned())?;
        Some(Self { name, id })
    }
}
