//! The cluster that an event came from, as bridges annotate it.

use std::borrow::Cow;

use audit_event::Event;

/// A part of the identity of a cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// AWS account, Google project or Azure subscription.
    Account,
    /// AWS region or Google location; an Azure resource id has none.
    Region,
}

/// The annotation that holds a cluster's id.
pub(crate) const ID: &str = "cluster_id";

/// A part of the annotation `cluster_id`, which is an EKS ARN (`arn:aws:eks:REGION:ACCOUNT:cluster/NAME`),
/// `PROJECT/LOCATION/NAME`, or an Azure resource id (`/subscriptions/SUBSCRIPTION/resourceGroups/...`).
pub(crate) fn part<'a>(event: &Event<'a>, part: Part) -> Option<Cow<'a, str>> {
    let id = event.annotation(ID)?;
    let found = find(&id, part)?.to_owned();
    Some(Cow::Owned(found))
}

fn find(id: &str, part: Part) -> Option<&str> {
    let mut steps;
    let (account, region) = if let Some(arn) = id.strip_prefix("arn:") {
        steps = arn.split(':');
        let region = steps.nth(2);
        (steps.next(), region)
    } else if let Some(resource) = id.strip_prefix('/') {
        steps = resource.split('/');
        (steps.next().filter(|key| key.eq_ignore_ascii_case("subscriptions")).and(steps.next()), None)
    } else {
        steps = id.split('/');
        let account = steps.next();
        let region = steps.next();
        (account.filter(|_| region.is_some() && steps.next().is_some()), region)
    };
    let found = match part {
        Part::Account => account,
        Part::Region => region,
    };
    found.filter(|found| !found.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_every_provider() {
        let both = |id| (find(id, Part::Account), find(id, Part::Region));
        assert_eq!(both("arn:aws:eks:eu-west-1:123:cluster/prod"), (Some("123"), Some("eu-west-1")));
        assert_eq!(both("proj/europe-west1/prod"), (Some("proj"), Some("europe-west1")));
        assert_eq!(both("/subscriptions/abc/resourceGroups/rg"), (Some("abc"), None));
        assert_eq!(both("/SUBSCRIPTIONS/ABC/RESOURCEGROUPS/RG"), (Some("ABC"), None));
        assert_eq!(both("something"), (None, None));
    }
}
