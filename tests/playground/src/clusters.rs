//! The clusters that are played, each with its cloud and its bridge.

use std::fs;
use std::path::Path;
use std::sync::mpsc::Sender;

use audit_fakes::Random;
use audit_fakes::aws::{self, Aws, Stream};
use audit_fakes::azure::{self, EventHubs, Hub};
use audit_fakes::gcp::{self, Gcp};
use audit_fakes::traffic::Line;

use crate::parts::Part;
use crate::play::{Failure, News};

/// The log group of the EKS cluster.
pub(crate) const GROUP: &str = "/aws/eks/demo/cluster";
/// The event hub of the AKS cluster.
const HUB: &str = "audit";
/// Its partitions.
const PARTITIONS: usize = 4;

/// A cluster's log.
pub(crate) enum Log {
    /// What one API server of EKS writes into CloudWatch Logs.
    Eks(Stream),
    /// What GKE writes into Cloud Logging.
    Gke(Gcp),
    /// What a diagnostic setting of AKS sends to a partition of an event hub.
    Aks(Hub, usize),
}

impl Log {
    /// Puts an event in, as its cloud does.
    pub(crate) fn put(&self, line: &Line) {
        match self {
            Self::Eks(stream) => drop(stream.put(line.at_ms, &line.text)),
            // The traffic is JSON; an event that was not put would be missed.
            Self::Gke(gcp) => drop(serde_json::from_str(&line.text).map(|event| gcp.put(gcp::entry(&event)))),
            Self::Aks(hub, partition) => drop(hub.put(*partition, azure::message([line.text.as_str()]))),
        }
    }
}

/// The clouds. They end with this.
pub(crate) struct Clouds {
    aws: Aws,
    gcp: Gcp,
    azure: EventHubs,
}

impl Clouds {
    pub(crate) fn start() -> Self {
        Self { aws: Aws::start(), gcp: Gcp::start(), azure: EventHubs::start() }
    }

    /// Two API servers of EKS write a stream each; GKE is one log, AKS the partitions of a hub.
    pub(crate) fn logs(&self) -> Vec<Log> {
        let group = self.aws.group(GROUP);
        let stream = |number| {
            let name = format!("kube-apiserver-audit-{}", Random::new(number).hex(32));
            Log::Eks(group.stream(&name))
        };
        let hub = self.azure.hub(HUB, PARTITIONS);
        let partitions = (0..PARTITIONS).map(|partition| Log::Aks(hub.clone(), partition));
        [stream(1), stream(2), Log::Gke(self.gcp.clone())].into_iter().chain(partitions).collect()
    }

    /// Where each of them is, with the log that is read there.
    pub(crate) fn whereabouts(&self) -> [(&'static str, String); 3] {
        let cluster = format!("{}/{}/{}", gcp::PROJECT, gcp::LOCATION, gcp::CLUSTER);
        [
            ("CloudWatch Logs", format!("{}   {GROUP}", self.aws.endpoint())),
            ("Cloud Logging", format!("{}   {cluster}", self.gcp.endpoint())),
            ("Event Hubs", format!("amqp://{}   {HUB}, {PARTITIONS} partitions", self.azure.address())),
        ]
    }

    /// The bridges, which find in their clouds what they need to know.
    pub(crate) fn start_bridges(
        &self,
        intake: &str,
        folder: &Path,
        news: &Sender<News>,
    ) -> Result<Vec<Part>, Failure> {
        let (aws, gcp) = (self.aws.endpoint(), self.gcp.endpoint());
        let eks = ["--log-group", GROUP, "--region", aws::REGION, "--endpoint-url", &aws];
        let gke = ["--endpoint-url", &gcp, "--metadata-url", &gcp];
        // Younger than the defaults, so that alerts are soon seen, and within what Cloud Logging allows.
        let sweeps = ["--sweeps", "1s,10s,1m", "--poll-interval", "2s"];
        let string = folder.join("connection-string");
        fs::write(&string, self.azure.connection_string(HUB))
            .map_err(|error| Failure::new("cannot write the connection string".to_owned(), error))?;
        let string = string.display().to_string();
        let aks = ["--connection-string-file", &string];
        [
            (cloudwatch_bridge::NAME, [&eks[..], &sweeps].concat()),
            (stackdriver_bridge::NAME, [&gke[..], &sweeps].concat()),
            (eventhub_bridge::NAME, aks.to_vec()),
        ]
        .into_iter()
        .map(|(name, cloud)| {
            let receiver = format!("http://{intake}/k8s_audit");
            let checkpoint = format!("file:{}", folder.join("checkpoint").join(name).display());
            let rest = ["--receiver-url", &receiver, "--checkpoint", &checkpoint];
            let admin = ["--admin-listen", "127.0.0.1:0"];
            Part::start(name, &[&["run"], &cloud[..], &rest[..], &admin[..]].concat(), folder, news.clone())
        })
        .collect()
    }
}
