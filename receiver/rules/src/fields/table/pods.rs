//! Fields of pods and their containers.

use audit_event::Field as Top;

use super::Argument::{Index, Key};
use super::{Field, PerContainer, Source, list, text};

/// A path below `requestObject.spec`.
const fn spec(
    name: &'static str,
    path: &'static str,
    doc: &'static str,
    keys: &'static [&'static str],
) -> Field {
    text(name, path, doc, Source::At(Top::RequestObject, keys))
}

const PORT: &str = "a registry with a port is cut before the port: `localhost:5000/a` is `localhost`";
const FIRST: &str = "requestObject.spec.containers[0]";

pub(super) const POD: &[Field] = &[
    text(
        "ka.req.container.image",
        FIRST,
        "image of the first container",
        Source::FirstContainer(PerContainer::Required("image")),
    ),
    text(
        "ka.req.container.image.repository",
        FIRST,
        "image of the first container up to its first `:` and `@`",
        Source::FirstContainer(PerContainer::Repository),
    )
    .quirk(PORT, "ka.req.pod.containers.image.full_repository"),
    spec(
        "ka.req.container.host_network",
        "requestObject.spec.hostNetwork",
        "whether the pod uses the network of its host, if it says so",
        &["spec", "hostNetwork"],
    ),
    text(
        "ka.req.container.privileged",
        "requestObject.spec.containers[].securityContext.privileged",
        "whether any container is privileged",
        Source::AnyPrivileged,
    ),
    spec(
        "ka.req.pod.host_network",
        "requestObject.spec.hostNetwork",
        "whether the pod uses the network of its host, if it says so",
        &["spec", "hostNetwork"],
    ),
    spec(
        "ka.req.pod.host_ipc",
        "requestObject.spec.hostIPC",
        "whether the pod uses the IPC namespace of its host, if it says so",
        &["spec", "hostIPC"],
    ),
    spec(
        "ka.req.pod.host_pid",
        "requestObject.spec.hostPID",
        "whether the pod uses the PID namespace of its host, if it says so",
        &["spec", "hostPID"],
    ),
    spec(
        "ka.req.pod.run_as_user",
        "requestObject.spec.securityContext.runAsUser",
        "user id for all containers",
        &["spec", "securityContext", "runAsUser"],
    ),
    spec(
        "ka.req.pod.run_as_group",
        "requestObject.spec.securityContext.runAsGroup",
        "group id for all containers",
        &["spec", "securityContext", "runAsGroup"],
    ),
    spec(
        "ka.req.pod.fs_group",
        "requestObject.spec.securityContext.fsGroup",
        "group id that owns the volumes",
        &["spec", "securityContext", "fsGroup"],
    ),
    list(
        "ka.req.pod.supplemental_groups",
        "requestObject.spec.securityContext.supplementalGroups[]",
        "further group ids",
        Source::Elements(Top::RequestObject, &["spec", "securityContext", "supplementalGroups"]),
    ),
    text(
        "ka.req.volume.hostpath",
        "requestObject.spec.volumes[].hostPath.path",
        "`true` if a volume mounts that path of the host, or one that begins like it before a final `*`",
        Source::MountsHostPath,
    )
    .takes(Key),
    list(
        "ka.req.pod.volumes.hostpath",
        "requestObject.spec.volumes[].hostPath.path",
        "paths of the host that are mounted",
        Source::Volumes(&["hostPath", "path"]),
    )
    .takes(Index),
    list(
        "ka.req.pod.volumes.flexvolume_driver",
        "requestObject.spec.volumes[].flexVolume.driver",
        "drivers of flexVolumes",
        Source::Volumes(&["flexVolume", "driver"]),
    )
    .takes(Index),
    list(
        "ka.req.pod.volumes.volume_type",
        "requestObject.spec.volumes[]",
        "kinds of volumes: the keys other than `name`",
        Source::VolumeTypes,
    )
    .takes(Index),
];

/// The fields of one of the three lists of containers.
macro_rules! containers {
    ($key:literal) => {
        [
            required!($key, "name", "names of the containers", PerContainer::Required("name")),
            required!($key, "image", "images of the containers", PerContainer::Required("image")),
            of!($key, "image.repository", "image", "images up to their first `:` and `@`", PerContainer::Repository)
                .quirk(PORT, concat!("ka.req.pod.", $key, ".image.full_repository")),
            of!($key, "image.full_repository", "image", "images without tag and digest", PerContainer::FullRepository)
                .ours(),
            of!($key, "command", "command", "commands, their words joined with a blank", PerContainer::Words("command")),
            of!($key, "args", "args", "arguments, joined with a blank", PerContainer::Words("args")),
            security!($key, "privileged", "privileged", "whether containers are privileged, of those that say so"),
            security!(
                $key,
                "allow_privilege_escalation",
                "allowPrivilegeEscalation",
                "whether processes may gain privileges, of those that say so"
            ),
            security!(
                $key,
                "read_only_fs",
                "readOnlyRootFilesystem",
                "whether the root file system is read-only, of those that say so"
            ),
            security!($key, "run_as_user", "runAsUser", "user ids, of those that say so"),
            security!($key, "run_as_group", "runAsGroup", "group ids, of those that say so"),
            security!($key, "proc_mount", "procMount", "how /proc is mounted, of those that say so"),
            security!(
                $key,
                "add_capabilities",
                "capabilities.add",
                "capabilities added, for each container its list as JSON text",
                PerContainer::Optional(&["securityContext", "capabilities", "add"])
            )
            .quirk(
                "each element is the JSON text of a whole list, so no name of a capability is ever equal to one",
                concat!("ka.req.pod.", $key, ".added_capabilities"),
            ),
            security!(
                $key,
                "added_capabilities",
                "capabilities.add[]",
                "capabilities added",
                PerContainer::Each(&["securityContext", "capabilities", "add"])
            )
            .ours(),
            effective!($key, "eff_run_as_user", "effective_run_as_user", "runAsUser", "user id"),
            effective!($key, "eff_run_as_group", "effective_run_as_group", "runAsGroup", "group id"),
            security!(
                $key,
                "effective_run_as_user",
                "runAsUser",
                "user id of each container: its own, else the pod's, else 0",
                PerContainer::EffectiveSecurity("runAsUser")
            )
            .ours(),
            security!(
                $key,
                "effective_run_as_group",
                "runAsGroup",
                "group id of each container: its own, else the pod's, else 0",
                PerContainer::EffectiveSecurity("runAsGroup")
            )
            .ours(),
        ]
    };
}

macro_rules! of {
    ($key:literal, $name:literal, $path:literal, $doc:expr, $what:expr) => {
        list(
            concat!("ka.req.pod.", $key, ".", $name),
            concat!("requestObject.spec.", $key, "[].", $path),
            $doc,
            Source::Containers($key, $what),
        )
        .takes(Index)
    };
}

macro_rules! required {
    ($key:literal, $name:literal, $doc:literal, $what:expr) => {
        of!($key, $name, $name, $doc, $what)
    };
}

macro_rules! security {
    ($key:literal, $name:literal, $path:literal, $doc:literal) => {
        security!($key, $name, $path, $doc, PerContainer::Optional(&["securityContext", $path]))
    };
    ($key:literal, $name:literal, $path:literal, $doc:literal, $what:expr) => {
        list(
            concat!("ka.req.pod.", $key, ".", $name),
            concat!("requestObject.spec.", $key, "[].securityContext.", $path),
            $doc,
            Source::Containers($key, $what),
        )
        .takes(Index)
    };
}

macro_rules! effective {
    ($key:literal, $name:literal, $instead:literal, $path:literal, $doc:literal) => {
        of!(
            $key,
            $name,
            $path,
            concat!($doc, " written on each container itself, else on the pod's spec, else 0"),
            PerContainer::Effective($path)
        )
        .quirk(
            concat!("it looks for ", $path, " outside of securityContext, where Kubernetes has none"),
            concat!("ka.req.pod.", $key, ".", $instead),
        )
    };
}

pub(super) fn per_container() -> impl Iterator<Item = Field> {
    let ports = |name, path, list_key| {
        list(
            name,
            path,
            "ports on the host, else in the container",
            Source::Containers(list_key, PerContainer::Ports),
        )
        .takes(Index)
    };
    containers!("containers")
        .into_iter()
        .chain([ports(
            "ka.req.pod.containers.host_port",
            "requestObject.spec.containers[].ports[].hostPort",
            "containers",
        )])
        .chain(containers!("initContainers"))
        .chain([ports(
            "ka.req.pod.initContainers.host_port",
            "requestObject.spec.initContainers[].ports[].hostPort",
            "initContainers",
        )])
        .chain(containers!("ephemeralContainers"))
}
