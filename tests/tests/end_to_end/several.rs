//! Clusters of several accounts and regions, read by one process.

use audit_fakes::aws::{Aws, AwsError, Fault, Operation, Place};
use audit_fakes::receiver::Receiver as Scripted;

use crate::harness::{Bridge, Cloud, becomes, eventually, seed};
use crate::pipeline::{STREAM, recent};

const SOURCES: &str = "
sources:
  - {cluster: shop, region: eu-central-1}
  - {cluster: bank, region: eu-central-1, log_group: /moved/audit}
  - {cluster: shop, region: us-east-1}
  - {cluster: edge, region: us-east-1, role: 'arn:aws:iam::444455556666:role/audit-reader', external_id: '0042'}
";

fn place(account: &str, region: &str) -> Place {
    Place { account: account.to_owned(), region: region.to_owned() }
}

/// How many events of each cluster have arrived, by the cluster's identity.
fn arrived(receiver: &Scripted) -> Vec<(String, usize)> {
    let mut clusters: Vec<_> = receiver
        .events()
        .iter()
        .map(|event| event["annotations"]["cluster_id"].as_str().unwrap_or_default().to_owned())
        .collect();
    clusters.sort();
    let mut counts: Vec<(String, usize)> = Vec::new();
    for cluster in clusters {
        match counts.last_mut().filter(|(last, _)| *last == cluster) {
            Some((_, count)) => *count += 1,
            None => counts.push((cluster, 1)),
        }
    }
    counts
}

fn cluster(place: &str, name: &str, count: usize) -> (String, usize) {
    (format!("arn:aws:eks:{place}:cluster/{name}"), count)
}

#[test]
fn each_log_is_read_by_itself_and_a_role_and_a_log_group_may_appear_later() {
    let seed = seed("several");
    let aws = Aws::start();
    aws.set_quota(None);
    let fill = |place: Place, group: &str, count: usize| {
        let stream = aws.group_in(place, group).stream(STREAM);
        recent(seed + count as u64, count).iter().for_each(|line| drop(stream.put(line.at_ms, &line.text)));
    };
    let (here, there) = (place("111122223333", "eu-central-1"), place("111122223333", "us-east-1"));
    fill(here.clone(), "/aws/eks/shop/cluster", 30);
    fill(there, "/aws/eks/shop/cluster", 40);
    let denied = AwsError::new(
        403,
        "AccessDenied",
        "User: a is not authorized to perform: sts:AssumeRole on resource: r",
    );
    aws.fail_always(Operation::AssumeRole, Some(Fault::Error(denied)));

    let receiver = Scripted::start();
    let cloud = Cloud { endpoint: aws.endpoint(), receiver: receiver.url() };
    let bridge = Bridge::new(&cloud).sources(SOURCES).started();
    let mut wanted =
        vec![cluster("eu-central-1:111122223333", "shop", 30), cluster("us-east-1:111122223333", "shop", 40)];
    becomes("events of the logs that can be read", &wanted, || arrived(&receiver));
    let told = eventually("what is missing, in readiness", || {
        let told = bridge.get("/readyz").body;
        (told.contains("`role` to assume must trust") && told.contains("log group `/moved/audit`"))
            .then_some(told)
    });
    assert!(!told.contains("/aws/eks/shop"), "{told}");

    aws.heal();
    fill(place("444455556666", "us-east-1"), "/aws/eks/edge/cluster", 50);
    fill(here, "/moved/audit", 60);
    wanted.push(cluster("us-east-1:444455556666", "edge", 50));
    wanted.push(cluster("eu-central-1:111122223333", "bank", 60));
    wanted.sort();
    becomes("events of all logs", &wanted, || arrived(&receiver));
    becomes("readiness", &200, || bridge.get("/readyz").status);
}
