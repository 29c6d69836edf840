//! The table itself.

use audit_event::Field as Top;

use super::Argument::{Index, Key, None as NoArgument};
use super::cluster::{ID, Part};
use super::source::{PerContainer, Source};
use super::{Argument, Clock, Field, Origin, Quirk, Type};

mod pods;

const PLAIN: Field = Field {
    name: "",
    r#type: Type::String,
    list: false,
    argument: NoArgument,
    path: "",
    doc: "",
    quirk: None,
    origin: Origin::Falco,
    source: Source::Never,
};

/// A string field.
const fn text(name: &'static str, path: &'static str, doc: &'static str, source: Source) -> Field {
    Field { name, path, doc, source, ..PLAIN }
}

/// A field that is a list of strings.
const fn list(name: &'static str, path: &'static str, doc: &'static str, source: Source) -> Field {
    Field { list: true, ..text(name, path, doc, source) }
}

impl Field {
    const fn of(self, r#type: Type) -> Self {
        Self { r#type, ..self }
    }

    const fn takes(self, argument: Argument) -> Self {
        Self { argument, ..self }
    }

    const fn quirk(self, what: &'static str, instead: &'static str) -> Self {
        Self { quirk: Some(Quirk { what, instead }), ..self }
    }

    const fn ours(self) -> Self {
        Self { origin: Origin::Ours, ..self }
    }
}

pub(super) fn all() -> Vec<Field> {
    [GENERIC, JSON, ENVELOPE, TARGET, BINDINGS, OBJECTS, pods::POD, OURS]
        .concat()
        .into_iter()
        .chain(pods::per_container())
        .collect()
}

const TIME: &str = "stageTimestamp";

const GENERIC: &[Field] = &[
    text("evt.num", "", "running number of the event", Source::Number).of(Type::Number),
    text("evt.time", TIME, "local time, HH:MM:SS.nnnnnnnnn", Source::Time(Clock::LocalTime)),
    text("evt.time.s", TIME, "local time, HH:MM:SS", Source::Time(Clock::LocalTimeSeconds)),
    text(
        "evt.time.iso8601",
        TIME,
        "time in UTC, YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000",
        Source::Time(Clock::Iso8601),
    ),
    text("evt.datetime", TIME, "local date and time with nanoseconds", Source::Time(Clock::LocalDateTime)),
    text("evt.datetime.s", TIME, "local date and time", Source::Time(Clock::LocalDateTimeSeconds)),
    text("evt.rawtime", TIME, "nanoseconds since 1970", Source::Time(Clock::Raw)).of(Type::AbsTime),
    text("evt.rawtime.s", TIME, "whole seconds since 1970", Source::Time(Clock::RawSeconds))
        .of(Type::AbsTime),
    text("evt.rawtime.ns", TIME, "nanoseconds behind the whole second", Source::Time(Clock::RawNanoseconds))
        .of(Type::AbsTime),
    text("evt.reltime", TIME, "nanoseconds since the first event", Source::Time(Clock::Relative))
        .of(Type::RelTime),
    text("evt.reltime.s", TIME, "whole seconds since the first event", Source::Time(Clock::RelativeSeconds))
        .of(Type::RelTime),
    text(
        "evt.reltime.ns",
        TIME,
        "nanoseconds behind the whole second since the first event",
        Source::Time(Clock::RelativeNanoseconds),
    )
    .of(Type::RelTime),
    text("evt.pluginname", "", "always k8saudit", Source::Constant("k8saudit")),
    text("evt.plugininfo", "(whole event)", "the event as JSON without blanks", Source::Compact),
    text("evt.source", "", "always k8s_audit", Source::Constant("k8s_audit")),
    text("evt.is_async", "", "always false", Source::Always(false)).of(Type::Bool),
    text("evt.asynctype", "", "never a value", Source::Never),
    text("evt.hostname", "", "name of the machine that evaluates", Source::Hostname),
];

const POINTED: &str = "value at a JSON pointer: strings decoded, all else as JSON text, null as `null`";
const WHOLE: &str = "the event as indented JSON";
const DIGITS: &str = "nanoseconds since 1970, as text";

const JSON: &[Field] = &[
    text("jevt.value", "(argument)", POINTED, Source::Pointer).takes(Key),
    text("jevt.obj", "(whole event)", WHOLE, Source::Indented),
    text("jevt.rawtime", TIME, DIGITS, Source::NanosecondText),
    text("json.value", "(argument)", POINTED, Source::Pointer).takes(Key),
    text("json.obj", "(whole event)", WHOLE, Source::Indented),
    text("json.rawtime", TIME, DIGITS, Source::NanosecondText),
];

/// An annotation that a field reads.
const fn annotation(
    name: &'static str,
    path: &'static str,
    doc: &'static str,
    key: &'static [&'static str],
) -> Field {
    text(name, path, doc, Source::At(Top::Annotations, key))
}

const ENVELOPE: &[Field] = &[
    text(
        "ka.auditid",
        "auditID",
        "unique id of the request, unless the client chose it",
        Source::At(Top::AuditId, &[]),
    ),
    text("ka.stage", "stage", "stage of the request", Source::At(Top::Stage, &[])),
    annotation(
        "ka.auth.decision",
        "annotations[authorization.k8s.io/decision]",
        "what authorization decided: allow or forbid",
        &["authorization.k8s.io/decision"],
    ),
    annotation(
        "ka.auth.reason",
        "annotations[authorization.k8s.io/reason]",
        "why authorization decided so",
        &["authorization.k8s.io/reason"],
    ),
    annotation(
        "ka.auth.openshift.decision",
        "annotations[authentication.openshift.io/decision]",
        "what OpenShift's authentication decided",
        &["authentication.openshift.io/decision"],
    ),
    annotation(
        "ka.auth.openshift.username",
        "annotations[authentication.openshift.io/username]",
        "whom OpenShift authenticated",
        &["authentication.openshift.io/username"],
    ),
    annotation(
        "ka.validations.admission.policy.failure",
        "annotations[validation.policy.admission.k8s.io/validation_failure]",
        "which ValidatingAdmissionPolicies failed, as JSON text",
        &["validation.policy.admission.k8s.io/validation_failure"],
    ),
    annotation(
        "ka.security.pod.violations",
        "annotations[pod-security.kubernetes.io/audit-violations]",
        "which pod security standards are violated",
        &["pod-security.kubernetes.io/audit-violations"],
    ),
    annotation("ka.cluster.name", "annotations[cluster_name]", "name of the cluster", &["cluster_name"]),
    text("ka.user.name", "user.username", "who made the request", Source::At(Top::User, &["username"])),
    list(
        "ka.user.groups",
        "user.groups[]",
        "groups of who made the request",
        Source::Elements(Top::User, &["groups"]),
    ),
    text(
        "ka.impuser.name",
        "impersonatedUser.username",
        "as whom the request was made",
        Source::At(Top::ImpersonatedUser, &["username"]),
    ),
    text("ka.verb", "verb", "verb of the request", Source::At(Top::Verb, &[])),
    text("ka.uri", "requestURI", "URI of the request, with its query", Source::At(Top::RequestUri, &[])),
    text(
        "ka.uri.param",
        "requestURI?(argument)",
        "first value of a query parameter, decoded",
        Source::UriParameter,
    )
    .takes(Key),
    text("ka.useragent", "userAgent", "what the client says it is", Source::At(Top::UserAgent, &[])),
    list("ka.sourceips", "requestObject.rules[].sourceIPs[]", "nothing", Source::RoleRules("sourceIPs"))
        .takes(Index)
        .quirk("it reads the rules of a role and is practically always missing", "ka.src.ips"),
    text(
        "ka.response.code",
        "responseStatus.code",
        "HTTP status, as text",
        Source::At(Top::ResponseStatus, &["code"]),
    ),
    text(
        "ka.response.reason",
        "responseStatus.reason",
        "why the request failed, in one word",
        Source::At(Top::ResponseStatus, &["reason"]),
    ),
    text(
        "ka.resp.name",
        "responseObject.metadata.name",
        "name of the object in the response",
        Source::At(Top::ResponseObject, &["metadata", "name"]),
    ),
];

const TARGET: &[Field] = &[
    text("ka.target.name", "objectRef.name", "name of the object", Source::At(Top::ObjectRef, &["name"])),
    text(
        "ka.target.namespace",
        "objectRef.namespace",
        "namespace of the object",
        Source::At(Top::ObjectRef, &["namespace"]),
    ),
    text(
        "ka.target.resource",
        "objectRef.resource",
        "resource, plural: pods",
        Source::At(Top::ObjectRef, &["resource"]),
    ),
    text(
        "ka.target.subresource",
        "objectRef.subresource",
        "subresource: exec",
        Source::At(Top::ObjectRef, &["subresource"]),
    ),
    text(
        "ka.target.pod.name",
        "responseObject.metadata.name",
        "name of the pod in the response to a request about pods themselves",
        Source::PodName,
    ),
];

const BINDINGS: &[Field] = &[
    list(
        "ka.req.binding.subjects",
        "requestObject.subjects[]",
        "subjects of a binding, each as JSON text",
        Source::Elements(Top::RequestObject, &["subjects"]),
    ),
    list(
        "ka.req.binding.subjects.user_names",
        "requestObject.subjects[].name",
        "names of the users that are bound",
        Source::Subjects("User"),
    ),
    list(
        "ka.req.binding.subjects.group_names",
        "requestObject.subjects[].name",
        "names of the groups that are bound",
        Source::Subjects("Group"),
    ),
    list(
        "ka.req.binding.subjects.serviceaccount_names",
        "requestObject.subjects[].name",
        "names of the service accounts that are bound",
        Source::Subjects("ServiceAccount"),
    ),
    list(
        "ka.req.binding.subjects.serviceaccount_ns_names",
        "requestObject.subjects[].namespace:name",
        "namespace:name of the service accounts that are bound and have a namespace",
        Source::AccountsWithNamespace,
    ),
    text(
        "ka.req.binding.role",
        "requestObject.roleRef.name",
        "name of the role that is bound",
        Source::At(Top::RequestObject, &["roleRef", "name"]),
    ),
    Field { argument: Key, ..text("ka.req.binding.subject.has_name", "", "always `true`", Source::True) }
        .quirk("it is `true` for every event", "ka.req.binding.subjects.user_names intersects (...)"),
    list(
        "ka.req.role.rules",
        "requestObject.rules[]",
        "rules of a role, each as JSON text",
        Source::Elements(Top::RequestObject, &["rules"]),
    ),
    list(
        "ka.req.role.rules.apiGroups",
        "requestObject.rules[].apiGroups[]",
        "API groups of all rules of a role, or of one",
        Source::RoleRules("apiGroups"),
    )
    .takes(Index),
    list(
        "ka.req.role.rules.nonResourceURLs",
        "requestObject.rules[].nonResourceURLs[]",
        "URLs of all rules of a role, or of one",
        Source::RoleRules("nonResourceURLs"),
    )
    .takes(Index),
    list(
        "ka.req.role.rules.verbs",
        "requestObject.rules[].verbs[]",
        "verbs of all rules of a role, or of one",
        Source::RoleRules("verbs"),
    )
    .takes(Index),
    list(
        "ka.req.role.rules.resources",
        "requestObject.rules[].resources[]",
        "resources of all rules of a role, or of one",
        Source::RoleRules("resources"),
    )
    .takes(Index),
];

const OBJECTS: &[Field] = &[
    text(
        "ka.req.configmap.name",
        "objectRef.name",
        "name of the object, of any resource",
        Source::At(Top::ObjectRef, &["name"]),
    ),
    text(
        "ka.req.configmap.obj",
        "requestObject.data",
        "data of a configmap, as JSON text",
        Source::At(Top::RequestObject, &["data"]),
    ),
    text(
        "ka.req.service.type",
        "requestObject.spec.type",
        "type of a service",
        Source::At(Top::RequestObject, &["spec", "type"]),
    ),
    list(
        "ka.req.service.ports",
        "requestObject.spec.ports",
        "one element: the ports of a service, as JSON text",
        Source::Single(Top::RequestObject, &["spec", "ports"]),
    )
    .takes(Index),
];

const OURS: &[Field] = &[
    list(
        "ka.src.ips",
        "sourceIPs[]",
        "where the request came from; the last is the peer",
        Source::Elements(Top::SourceIps, &[]),
    )
    .of(Type::Address)
    .ours(),
    text("ka.user.uid", "user.uid", "uid of who made the request", Source::At(Top::User, &["uid"])).ours(),
    list(
        "ka.user.extra",
        "user.extra[(argument)][]",
        "extra facts that authentication gave under a key",
        Source::MemberElements(Top::User, &["extra"]),
    )
    .takes(Key)
    .ours(),
    text(
        "ka.impuser.uid",
        "impersonatedUser.uid",
        "uid as which the request was made",
        Source::At(Top::ImpersonatedUser, &["uid"]),
    )
    .ours(),
    list(
        "ka.impuser.groups",
        "impersonatedUser.groups[]",
        "groups as a member of which the request was made",
        Source::Elements(Top::ImpersonatedUser, &["groups"]),
    )
    .ours(),
    list(
        "ka.impuser.extra",
        "impersonatedUser.extra[(argument)][]",
        "extra facts that were impersonated under a key",
        Source::MemberElements(Top::ImpersonatedUser, &["extra"]),
    )
    .takes(Key)
    .ours(),
    text(
        "ka.annotation",
        "annotations[(argument)]",
        "annotation of that key",
        Source::Member(Top::Annotations, &[]),
    )
    .takes(Key)
    .ours(),
    text(
        "ka.response.message",
        "responseStatus.message",
        "why the request failed, in a sentence",
        Source::At(Top::ResponseStatus, &["message"]),
    )
    .ours(),
    text("ka.level", "level", "how much of the request was recorded", Source::At(Top::Level, &[])).ours(),
    annotation(
        "ka.truncated",
        "annotations[audit.k8s.io/truncated]",
        "`true` when the apiserver left out the bodies because they were too big",
        &["audit.k8s.io/truncated"],
    )
    .ours(),
    annotation("ka.cluster.id", "annotations[cluster_id]", "unique id of the cluster", &[ID]).ours(),
    text(
        "ka.cluster.account",
        "annotations[cluster_id]",
        "account, project or subscription of the cluster",
        Source::Cluster(Part::Account),
    )
    .ours(),
    text(
        "ka.cluster.region",
        "annotations[cluster_id]",
        "region or location of the cluster; not known for AKS",
        Source::Cluster(Part::Region),
    )
    .ours(),
];
