//! How far a rule reaches where a provider leaves fields out.

use super::{Check, Condition, Test};
use crate::fields::{Carried, Provider, Reference};

/// What becomes of a rule with a provider's events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Every field that it reads is carried.
    Whole,
    /// It can fire, but fields that it reads are carried in part only; each with what is missing.
    Partial(Vec<(String, &'static str)>),
    /// It can fire, but some of its checks look at fields that are never there; each with the reason.
    Blind(Vec<(String, &'static str)>),
    /// It can not fire, because of these fields that are never there.
    Never(Vec<(String, &'static str)>),
}

impl Condition {
    /// How far the condition reaches with events of a provider.
    pub fn reach(&self, provider: Provider) -> Reach {
        let (mut partly, mut never) = (Vec::new(), Vec::new());
        for field in self.fields() {
            let (list, reason) = match provider.carries(field.field) {
                Carried::Fully => continue,
                Carried::Partly(reason) => (&mut partly, reason),
                Carried::Never(reason) => (&mut never, reason),
            };
            let entry = (field.to_string(), reason);
            if !list.contains(&entry) {
                list.push(entry);
            }
        }
        match (self.can(provider), never.is_empty(), partly.is_empty()) {
            ((false, _), ..) => Reach::Never(never),
            (_, false, _) => Reach::Blind(never),
            (_, true, false) => Reach::Partial(partly),
            (_, true, true) => Reach::Whole,
        }
    }

    /// The fields that the condition reads, in order, repeated where it does.
    pub fn fields(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(condition) = open.pop() {
            match condition {
                Self::And(parts) | Self::Or(parts) => open.extend(parts.iter().rev()),
                Self::Not(inner) => open.push(inner),
                Self::Check(check) => check.fields(&mut found),
            }
        }
        found
    }

    /// Whether the condition can be true, and whether it can be false, when fields that are never carried are missing.
    fn can(&self, provider: Provider) -> (bool, bool) {
        match self {
            Self::And(parts) => parts.iter().fold((true, false), |(holds, fails), part| {
                let part = part.can(provider);
                (holds && part.0, fails || part.1)
            }),
            Self::Or(parts) => parts.iter().fold((false, true), |(holds, fails), part| {
                let part = part.can(provider);
                (holds || part.0, fails && part.1)
            }),
            Self::Not(inner) => {
                let (holds, fails) = inner.can(provider);
                (fails, holds)
            }
            Self::Check(check) => {
                let mut fields = Vec::new();
                check.fields(&mut fields);
                let missing =
                    fields.iter().any(|field| matches!(provider.carries(field.field), Carried::Never(_)));
                (!missing, true)
            }
        }
    }
}

impl Check {
    fn fields<'a>(&'a self, found: &mut Vec<&'a Reference>) {
        self.left.fields(found);
        if let Test::Against(_, right) = &self.test {
            right.fields(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, parse};

    #[test]
    fn rules_that_look_at_what_a_provider_lacks() {
        let reach = |condition: &str, provider: Provider| {
            check::condition(&parse::condition(condition).unwrap()).unwrap().reach(provider)
        };
        assert_eq!(reach("ka.user.name = x and ka.target.name = y", Provider::Gke), Reach::Whole);
        let Reach::Never(never) =
            reach("ka.user.name = x and ka.user.groups intersects (dev)", Provider::Gke)
        else {
            panic!("groups are never there")
        };
        assert_eq!(never.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), ["ka.user.groups"]);
        assert!(matches!(
            reach("ka.user.name = x and not ka.user.groups in (dev)", Provider::Gke),
            Reach::Blind(_)
        ));
        assert!(matches!(
            reach("ka.user.name = x or ka.user.groups in (dev)", Provider::Gke),
            Reach::Blind(_)
        ));
        assert!(matches!(reach("ka.user.groups in (dev)", Provider::Eks), Reach::Whole));
        assert!(matches!(reach("ka.verb = val(ka.useragent)", Provider::Admission), Reach::Never(_)));
        assert!(matches!(reach("ka.req.pod.host_network = true", Provider::Aks), Reach::Partial(_)));
    }
}
