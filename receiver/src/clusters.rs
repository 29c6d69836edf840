//! Which cluster an event is from: what it says itself, as far as its sender may say so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use audit_event::Event;
use audit_service::config::Mistakes;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// The annotation that holds a cluster's name, which `ka.cluster.name` reads.
pub const CLUSTER_NAME: &str = "cluster_name";

/// The annotation that holds a cluster's id, unique in the world.
pub const CLUSTER_ID: &str = "cluster_id";

/// A cluster that the receiver is told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// Stands for it in identities.
    pub id: Arc<str>,
    /// For people, rules and filters.
    pub name: Arc<str>,
}

/// The ids of clusters by the names that they have here. With its id, a cluster's events have one identity whichever way they
/// come: by a bridge that writes the id into them, by a path or a binding that only names the cluster.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ids(BTreeMap<String, String>);

impl Ids {
    /// The cluster of that name or id. One that isn't known goes by its name alone.
    pub fn cluster(&self, name: &str) -> Cluster {
        let known = self.0.get_key_value(name).or_else(|| self.0.iter().find(|(_, id)| *id == name));
        let (name, id) = known.map_or((name, name), |(name, id)| (name, id));
        Cluster { id: id.into(), name: name.into() }
    }

    fn id<'a>(&'a self, name: &Cow<'a, str>) -> Cow<'a, str> {
        self.0.get(name.as_ref()).map_or_else(|| name.clone(), |id| id.into())
    }

    /// Two names for one cluster would be one too many.
    pub fn check(&self, mistakes: &mut Mistakes) {
        let mut names = BTreeMap::new();
        for (name, id) in &self.0 {
            if name.is_empty() || id.is_empty() {
                mistakes.add(format!("clusters.{name}"), "neither the name nor the id may be empty");
            } else if let Some(other) = names.insert(id, name) {
                mistakes.add(format!("clusters.{name}"), format!("`{other}` has this id already"));
            }
        }
    }
}

/// Names of clusters as they are written in a configuration: one, or a list.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
#[serde(transparent)]
pub struct Names(pub Vec<String>);

impl From<&str> for Names {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Names;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("the name of a cluster, or a list of names")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Names, E> {
                Ok(name.into())
            }

            // A name may look like a number.
            fn visit_u64<E: de::Error>(self, name: u64) -> Result<Names, E> {
                Ok(name.to_string().as_str().into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Names, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    all.push(name);
                }
                // An empty list would bind to nothing, which is not what leaving it out does.
                if all.is_empty() {
                    Err(de::Error::custom("at least one name must be given"))
                } else {
                    Ok(Names(all))
                }
            }
        }

        from.deserialize_any(OneOrMore)
    }
}

/// Which clusters the events of a body may be from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Those that they name.
    Any,
    /// This one, whatever they say.
    One(Cluster),
    /// Of these the one that each names.
    Several(Arc<[Cluster]>),
}

/// An event's cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    /// Stands for it in identities, when it is known.
    pub id: Option<Cow<'a, str>>,
    /// Empty when not known.
    pub name: Cow<'a, str>,
    /// Whether the event must be made to carry that name.
    pub renamed: bool,
}

/// Why it is not known which cluster an event is from.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unplaced {
    /// Of a cluster that its sender doesn't speak for.
    #[error("the event names the cluster `{0}`, and its sender is bound to others")]
    Foreign(String),
    /// Of none, where the sender speaks for several.
    #[error("the event names no cluster, and its sender is bound to several")]
    Nameless,
    /// What it names can't be the name of a cluster.
    #[error("the event names a cluster in {0} bytes; {LONGEST} are the most")]
    TooLong(usize),
}

/// Most bytes of a cluster's name or id: they are kept for each cluster. Those of clouds have less than half.
const LONGEST: usize = 1024;

impl Scope {
    /// The cluster that `event` is from.
    ///
    /// # Errors
    /// When its sender doesn't speak for the cluster that it names, or that can't be a name.
    pub fn place<'a>(&'a self, event: &'a Event<'_>, ids: &'a Ids) -> Result<Place<'a>, Unplaced> {
        let name = event.annotation(CLUSTER_NAME);
        let id = || {
            let id = event.annotation(CLUSTER_ID);
            let longest = [&id, &name].into_iter().flatten().map(|text| text.len()).max().unwrap_or_default();
            if longest > LONGEST { Err(Unplaced::TooLong(longest)) } else { Ok(id) }
        };
        let cluster = match self {
            Self::One(cluster) => cluster,
            Self::Any => {
                let id = id()?;
                let shown = name.clone().or_else(|| id.clone()).unwrap_or_default();
                let id = id.or_else(|| name.as_ref().map(|name| ids.id(name)));
                return Ok(Place { id, name: shown, renamed: false });
            }
            Self::Several(clusters) => {
                let id = id()?;
                let is_named = |cluster: &&Cluster| cluster.is_named(id.as_deref(), name.as_deref());
                match (clusters.iter().find(is_named), id.as_ref().or(name.as_ref())) {
                    (Some(cluster), _) => cluster,
                    (None, Some(other)) => return Err(Unplaced::Foreign(other.clone().into_owned())),
                    (None, None) => return Err(Unplaced::Nameless),
                }
            }
        };
        let renamed = name.as_deref() != Some(&*cluster.name);
        Ok(Place { id: Some((&*cluster.id).into()), name: (&*cluster.name).into(), renamed })
    }

    /// The name of the cluster that all is from, if it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::One(cluster) => Some(&cluster.name),
            Self::Any | Self::Several(_) => None,
        }
    }

    /// The name for what gives `name` as that of its cluster; empty where it may not.
    pub fn allowed<'a>(&'a self, name: &'a str) -> &'a str {
        match self {
            Self::Any => name,
            Self::One(cluster) => &cluster.name,
            Self::Several(clusters) => {
                let found = clusters.iter().find(|cluster| *cluster.name == *name || *cluster.id == *name);
                found.map_or("", |cluster| &cluster.name)
            }
        }
    }
}

impl Cluster {
    /// Whether events that carry this id and name are its own. Another id is another cluster, whatever its name; but where no
    /// id is configured the name decides.
    fn is_named(&self, id: Option<&str>, name: Option<&str>) -> bool {
        let has_id = self.id != self.name;
        id == Some(&*self.id) || (name == Some(&*self.name) && (id.is_none() || !has_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Ids {
        serde_json::from_str(r#"{"prod": "arn:1", "dev": "arn:2"}"#).unwrap()
    }

    fn place(scope: &Scope, annotations: &str) -> Result<(Option<String>, String, bool), String> {
        let event = format!(
            r#"{{"kind":"Event","auditID":"1","stage":"Panic","verb":"get","stageTimestamp":"2026-01-02T03:04:05Z","annotations":{{{annotations}}}}}"#
        );
        let (event, ids) = (Event::parse(&event).unwrap(), ids());
        let place = scope.place(&event, &ids).map_err(|foreign| foreign.to_string())?;
        Ok((place.id.map(Cow::into_owned), place.name.into_owned(), place.renamed))
    }

    fn is(id: &str, name: &str, renamed: bool) -> Result<(Option<String>, String, bool), String> {
        Ok((Some(id.to_owned()), name.to_owned(), renamed))
    }

    #[test]
    fn a_cluster_is_one_whichever_way_its_events_come() {
        let one = |name| Scope::One(ids().cluster(name));
        for (scope, annotations, renamed) in [
            (Scope::Any, r#""cluster_name":"prod","cluster_id":"arn:1""#, false),
            (Scope::Any, r#""cluster_name":"prod""#, false),
            (one("prod"), "", true),
            (one("arn:1"), r#""cluster_name":"dev","cluster_id":"arn:2""#, true),
            (one("prod"), r#""cluster_name":"prod","cluster_id":"arn:1""#, false),
        ] {
            assert_eq!(place(&scope, annotations), is("arn:1", "prod", renamed), "{scope:?} {annotations}");
        }
        assert_eq!(place(&Scope::Any, ""), Ok((None, String::new(), false)));
        assert_eq!(place(&Scope::Any, r#""cluster_id":"arn:9""#), is("arn:9", "arn:9", false));
    }

    #[test]
    fn of_several_clusters_an_event_names_one_and_leaves_none() {
        let several = Scope::Several(["prod", "edge"].map(|name| ids().cluster(name)).into());
        let place = |annotations| place(&several, annotations);
        assert_eq!(place(r#""cluster_name":"p","cluster_id":"arn:1""#), is("arn:1", "prod", true));
        assert_eq!(place(r#""cluster_name":"prod""#), is("arn:1", "prod", false));
        assert_eq!(place(r#""cluster_name":"edge","cluster_id":"arn:7""#), is("edge", "edge", false));
        let foreign = place(r#""cluster_name":"dev","cluster_id":"arn:2""#).unwrap_err();
        assert_eq!(foreign, "the event names the cluster `arn:2`, and its sender is bound to others");
        // Another cluster that has the same name.
        assert!(place(r#""cluster_name":"prod","cluster_id":"arn:3""#).is_err());
        assert!(place("").unwrap_err().contains("no cluster"));
        let long = format!(r#""cluster_name":"{}""#, "x".repeat(1025));
        assert!(place(&long).unwrap_err().contains("1025 bytes"));
        assert!(super::tests::place(&Scope::Any, &long).is_err());
        assert_eq!(["arn:1", "edge", "dev"].map(|name| several.allowed(name)), ["prod", "edge", ""]);
    }

    #[test]
    fn names_are_one_or_a_list() {
        let names = |json: &str| serde_json::from_str::<Names>(json).unwrap().0;
        assert_eq!((names(r#""a""#), names("7")), (vec!["a".to_owned()], vec!["7".to_owned()]));
        assert_eq!(names(r#"["a","b"]"#).len(), 2);
        assert!(serde_json::from_str::<Names>("[]").is_err());
    }

    #[test]
    fn an_id_belongs_to_one_name() {
        let ids: Ids = serde_json::from_str(r#"{"a": "x", "b": "x", "c": ""}"#).unwrap();
        let mut mistakes = Mistakes::default();
        ids.check(&mut mistakes);
        assert_eq!(mistakes.len(), 2, "{mistakes}");
    }
}
