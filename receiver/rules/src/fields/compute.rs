//! From a field's source to its value. This is the meaning of the table, in the plainest form.

use audit_event::json::{Kind, Raw};
use audit_event::{Event, Field as Top};

use super::json::{compact, indented, step, text};
use super::source::Source;
use super::{Arg, Reference, clock, cluster, containers, uri};
use crate::eval::{Object, Subject};
use crate::value::{Bytes, Value, bytes};

pub(super) fn value<'a, 's: 'a>(reference: &'a Reference, subject: &Subject<'s>) -> Option<Value<'a>> {
    let event = subject.event;
    let of_any_event = match reference.field.source {
        Source::Number => Value::Number(subject.context.number()),
        Source::Time(clock) => {
            let context = subject.context;
            clock::value(clock, event.stage_timestamp(), context.first(), context.zone())
        }
        Source::Constant(constant) => Value::text(constant.as_bytes()),
        Source::Always(fact) => Value::Bool(fact),
        Source::Never => return None,
        Source::Hostname => Value::text(subject.context.hostname().as_bytes()),
        Source::Compact => Value::text(compact(event.raw())),
        Source::Indented => Value::text(indented(event.raw())),
        Source::Pointer => Value::text(text(pointed(event, &reference.arg)?)),
        Source::NanosecondText => {
            Value::text(clock::nanoseconds(event.stage_timestamp()).to_string().into_bytes())
        }
        source => return audited(source, &reference.arg, subject),
    };
    Some(of_any_event)
}

/// What a field makes of the value at its path.
pub(crate) fn at(source: Source, raw: Raw<'_>) -> Option<Value<'_>> {
    match source {
        Source::At(..) => Some(Value::text(text(raw))),
        Source::Elements(..) => elements(raw),
        _ => None,
    }
}

/// Fields of audit events proper: there are none without an `auditID`.
fn audited<'a, 's: 'a>(source: Source, arg: &'a Arg, subject: &Subject<'s>) -> Option<Value<'a>> {
    let event = subject.event;
    event.get(Top::AuditId)?;
    let at = |top, path: &[&str]| subject.at(top, path);
    let pod_list = |key| subject.objects(Top::RequestObject, &["spec", key]);
    let some_text = |text: &'static str| Some(Value::text(text.as_bytes()));
    match source {
        Source::True => some_text("true"),
        Source::At(top, path) | Source::Elements(top, path) => self::at(source, at(top, path)?),
        Source::Single(top, path) => Value::list([text(at(top, path)?)]),
        Source::Member(top, path) => Some(Value::text(text(at(top, path)?.get(key(arg)?)?))),
        Source::MemberElements(top, path) => elements(at(top, path)?.get(key(arg)?)?),
        Source::UriParameter => {
            let uri = text(event.get(Top::RequestUri)?);
            uri::parameter(&uri, key(arg)?.as_bytes()).map(Value::text)
        }
        Source::PodName => {
            let target = |key| at(Top::ObjectRef, &[key]);
            let is = |key, wanted: &[u8]| target(key).map(text).is_some_and(|text| *text == *wanted);
            let whole = target("subresource").is_none() || is("subresource", b"");
            let name = at(Top::ResponseObject, &["metadata", "name"])?;
            (is("resource", b"pods") && whole).then(|| Value::text(text(name)))
        }
        Source::Subjects(kind) => {
            let subjects = array(at(Top::RequestObject, &["subjects"])?)?;
            Value::list(subjects.filter_map(|subject| {
                let name = text(subject.get("name")?);
                (*text(subject.get("kind")?) == *kind.as_bytes()).then_some(name)
            }))
        }
        Source::AccountsWithNamespace => {
            let subjects = array(at(Top::RequestObject, &["subjects"])?)?;
            Value::list(subjects.filter_map(|subject| {
                let [kind, namespace, name] =
                    ["kind", "namespace", "name"].map(|key| subject.get(key).map(text));
                let name = [&*namespace?, b":", &*name?].concat();
                (*kind? == *b"ServiceAccount").then_some(name.into())
            }))
        }
        Source::RoleRules(key) => {
            let rules = array(at(Top::RequestObject, &["rules"])?)?;
            let chosen = chosen(rules, arg)?;
            Value::list(chosen.filter_map(|rule| array(rule.get(key)?)).flatten().map(text))
        }
        Source::Containers(list, what) => {
            let chosen = chosen(pod_list(list)?, arg)?;
            Value::list(containers::values(what, chosen, at(Top::RequestObject, &["spec"])?, arg)?)
        }
        Source::FirstContainer(what) => {
            let pod = at(Top::RequestObject, &["spec"])?;
            let first = pod_list("containers")?.take(1);
            let mut values = containers::values(what, first, pod, arg)?;
            (!values.is_empty()).then(|| Value::text(values.swap_remove(0)))
        }
        Source::AnyPrivileged => {
            let mut all = pod_list("containers")?;
            let is_true = |container: Object<'_>| {
                let privileged = container.at(&["securityContext", "privileged"]);
                privileged.is_some_and(|privileged| privileged.text() == "true")
            };
            some_text(if all.any(is_true) { "true" } else { "false" })
        }
        Source::MountsHostPath => {
            let wanted = key(arg)?.as_bytes();
            let mut paths =
                pod_list("volumes")?.filter_map(|volume| volume.at(&["hostPath", "path"]).map(text));
            let matches = |path: Bytes<'_>| match wanted.strip_suffix(b"*") {
                Some(prefix) => path.starts_with(prefix),
                None => *path == *wanted,
            };
            some_text(if paths.any(matches) { "true" } else { "false" })
        }
        Source::Volumes(path) => {
            let chosen = chosen(pod_list("volumes")?, arg)?;
            Value::list(chosen.filter_map(|volume| volume.at(path)).map(text))
        }
        Source::VolumeTypes => {
            let chosen = chosen(pod_list("volumes")?, arg)?;
            let keys = chosen.flat_map(Object::keys).map(|key| bytes(key.name()));
            Value::list(keys.filter(|key| **key != *b"name"))
        }
        Source::Cluster(part) => cluster::part(event, part).map(|part| Value::text(bytes(part))),
        // Read above, for any event.
        _ => None,
    }
}

/// The key in brackets; an empty one finds nothing.
fn key(arg: &Arg) -> Option<&str> {
    match arg {
        Arg::Key(key) if !key.is_empty() => Some(key),
        _ => None,
    }
}

fn pointed<'a>(event: &Event<'a>, arg: &Arg) -> Option<Raw<'a>> {
    let Arg::Pointer(_, pointer) = arg else { return None };
    let Some((first, rest)) = pointer.steps().split_first() else { return Some(event.raw()) };
    let top = match Top::named(first) {
        Some(field) => event.get(field)?,
        None => event.raw().get(first)?,
    };
    rest.iter().try_fold(top, |from, key| step(from, key))
}

fn array(raw: Raw<'_>) -> Option<impl Iterator<Item = Raw<'_>>> {
    (raw.kind() == Kind::Array).then(|| raw.elements())
}

fn elements(raw: Raw<'_>) -> Option<Value<'_>> {
    Value::list(array(raw)?.map(text))
}

/// All items, or the one that the argument selects; `None` when it is out of range.
fn chosen<T>(items: impl Iterator<Item = T>, arg: &Arg) -> Option<impl Iterator<Item = T>> {
    let (first, count) = match arg {
        Arg::Index(index) => (*index, 1),
        _ => (0, usize::MAX),
    };
    let mut items = items.skip(first).take(count).peekable();
    (count > 1 || items.peek().is_some()).then_some(items)
}
