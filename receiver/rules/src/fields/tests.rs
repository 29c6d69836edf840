//! What each field reads.

use audit_event::Event;

use super::*;
use crate::eval::tests::{POD, holds};
use crate::eval::{Context, Subject};

/// A field's value as text: elements with a blank between, `-` when missing.
#[track_caller]
fn read(field: &str, event: &str) -> String {
    let (name, arg) = match field.split_once('[') {
        Some((name, arg)) => (name, arg.strip_suffix(']')),
        None => (field, None),
    };
    let reference = lookup(name).unwrap_or_else(|| panic!("{name}")).with(arg).unwrap();
    let event = Event::parse(event).unwrap();
    let mut context = Context::new("here");
    context.next(&event);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match reference.value(&Subject::new(&event, &context)) {
        None => "-".into(),
        Some(Value::Text(value)) => text(&value),
        Some(Value::List(elements)) => elements.iter().map(|e| text(e)).collect::<Vec<_>>().join(" "),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(truth)) => truth.to_string(),
    }
}

/// An event with `members` beside what every event has.
fn event(members: &str) -> String {
    format!(r#"{{"kind":"Event","auditID":"i","stageTimestamp":"2025-02-03T04:05:06Z",{members}}}"#)
}

#[test]
fn every_field_of_a_rich_event() {
    for (field, expected) in [
        ("evt.num", "1"),
        ("evt.time", "04:05:06.000000789"),
        ("evt.time.s", "04:05:06"),
        ("evt.time.iso8601", "2025-02-03T04:05:06.000000789+0000"),
        ("evt.datetime", "2025-02-03 04:05:06.000000789"),
        ("evt.datetime.s", "2025-02-03 04:05:06"),
        ("evt.rawtime", "1738555506000000789"),
        ("evt.rawtime.s", "1738555506"),
        ("evt.rawtime.ns", "789"),
        ("evt.reltime", "0"),
        ("evt.reltime.s", "0"),
        ("evt.reltime.ns", "0"),
        ("evt.pluginname", "k8saudit"),
        ("evt.source", "k8s_audit"),
        ("evt.is_async", "false"),
        ("evt.asynctype", "-"),
        ("evt.hostname", "here"),
        ("jevt.rawtime", "1738555506000000789"),
        ("json.value[/verb]", "create"),
        ("ka.auditid", "a-1"),
        ("ka.stage", "ResponseComplete"),
        ("ka.auth.decision", "-"),
        ("ka.cluster.name", "prod"),
        ("ka.user.name", "dora"),
        ("ka.user.groups", "ops system:authenticated"),
        ("ka.impuser.name", "root"),
        ("ka.verb", "create"),
        ("ka.useragent", "curl/8"),
        ("ka.uri.param[dryRun]", "All"),
        ("ka.uri.param[pretty]", ""),
        ("ka.uri.param[q]", "a b c"),
        ("ka.uri.param[none]", "-"),
        ("ka.target.name", "till"),
        ("ka.target.namespace", "shop"),
        ("ka.target.resource", "pods"),
        ("ka.target.subresource", ""),
        ("ka.target.pod.name", "till-x"),
        ("ka.resp.name", "till-x"),
        ("ka.response.code", "403"),
        ("ka.response.reason", "Forbidden"),
        ("ka.req.binding.subjects.user_names", "eve"),
        ("ka.req.binding.subjects.group_names", "devs"),
        ("ka.req.binding.subjects.serviceaccount_names", "bot lone"),
        ("ka.req.binding.subjects.serviceaccount_ns_names", "ci:bot"),
        ("ka.req.binding.role", "admin"),
        ("ka.req.binding.subject.has_name[x]", "true"),
        ("ka.req.configmap.name", "till"),
        ("ka.req.configmap.obj", r#"{"k":"v\u0041\n"}"#),
        ("ka.req.container.image", "nginx:1.25@sha256:ff"),
        ("ka.req.container.image.repository", "nginx"),
        ("ka.req.container.host_network", "true"),
        ("ka.req.container.privileged", "true"),
        ("ka.req.pod.host_network", "true"),
        ("ka.req.pod.host_pid", "false"),
        ("ka.req.pod.host_ipc", "-"),
        ("ka.req.pod.run_as_user", "1000"),
        ("ka.req.pod.run_as_group", "-"),
        ("ka.req.pod.fs_group", "5"),
        ("ka.req.pod.supplemental_groups", "3 4"),
        ("ka.req.role.rules.verbs", "get list *"),
        ("ka.req.role.rules.verbs[1]", "*"),
        ("ka.req.role.rules.verbs[2]", "-"),
        ("ka.req.role.rules.verbs[3]", "-"),
        ("ka.req.role.rules.resources", "pods"),
        ("ka.req.role.rules.resources[1]", "-"),
        ("ka.req.role.rules.nonResourceURLs", "/metrics"),
        ("ka.req.role.rules.apiGroups", "-"),
        ("ka.req.service.type", "NodePort"),
        ("ka.req.service.ports", r#"[{"port":1},{"port":2}]"#),
        ("ka.req.service.ports[1]", r#"[{"port":1},{"port":2}]"#),
        ("ka.req.volume.hostpath[/proc/sys]", "true"),
        ("ka.req.volume.hostpath[/proc*]", "true"),
        ("ka.req.volume.hostpath[/proc]", "false"),
        ("ka.req.volume.hostpath[/p*s]", "false"),
        ("ka.req.pod.volumes.hostpath", "/proc/sys"),
        ("ka.req.pod.volumes.hostpath[1]", "-"),
        ("ka.req.pod.volumes.flexvolume_driver", "d/lvm"),
        ("ka.req.pod.volumes.volume_type", "hostPath emptyDir flexVolume"),
        ("ka.req.pod.volumes.volume_type[1]", "emptyDir"),
        ("ka.sourceips", "-"),
        ("ka.req.pod.containers.name", "one two"),
        ("ka.req.pod.containers.name[1]", "two"),
        ("ka.req.pod.containers.name[2]", "-"),
        ("ka.req.pod.containers.image", "nginx:1.25@sha256:ff reg:5000/team/app"),
        ("ka.req.pod.containers.image.repository", "nginx reg"),
        ("ka.req.pod.containers.command", "sh -c id"),
        ("ka.req.pod.containers.command[1]", "-"),
        ("ka.req.pod.containers.args", "a b c "),
        ("ka.req.pod.containers.args[1]", ""),
        ("ka.req.pod.containers.host_port", "8080 443"),
        ("ka.req.pod.containers.privileged", "true"),
        ("ka.req.pod.containers.privileged[1]", "-"),
        ("ka.req.pod.containers.run_as_user", "0"),
        ("ka.req.pod.containers.run_as_group", "-"),
        ("ka.req.pod.containers.eff_run_as_user", "7 9"),
        ("ka.req.pod.containers.eff_run_as_user[0]", "-"),
        ("ka.req.pod.containers.eff_run_as_user[1]", "9"),
        ("ka.req.pod.containers.eff_run_as_group", "0 0"),
        ("ka.req.pod.containers.add_capabilities", r#"["NET_ADMIN","SYS_TIME"]"#),
        ("ka.req.pod.initContainers.name", "only"),
        ("ka.req.pod.initContainers.name[0]", "only"),
        ("ka.req.pod.initContainers.image.repository", "reg"),
        ("ka.req.pod.initContainers.command", ""),
        ("ka.req.pod.ephemeralContainers.name", "-"),
        ("ka.src.ips", "203.0.113.9 10.8.0.1"),
        ("ka.user.uid", "u9"),
        ("ka.user.extra[scopes]", "x y"),
        ("ka.user.extra[other]", "-"),
        ("ka.impuser.groups", "system:masters"),
        ("ka.impuser.uid", "0"),
        ("ka.annotation[cluster_name]", "prod"),
        ("ka.response.message", "no way"),
        ("ka.level", "Request"),
        ("ka.truncated", "-"),
        ("ka.cluster.id", "arn:aws:eks:eu-west-1:42:cluster/prod"),
        ("ka.cluster.account", "42"),
        ("ka.cluster.region", "eu-west-1"),
        ("ka.req.pod.containers.image.full_repository", "nginx reg:5000/team/app"),
        ("ka.req.pod.initContainers.image.full_repository", "reg:5000/a/b"),
        ("ka.req.pod.containers.added_capabilities", "NET_ADMIN SYS_TIME"),
        ("ka.req.pod.containers.effective_run_as_user", "0 1000"),
        ("ka.req.pod.containers.effective_run_as_group", "0 0"),
    ] {
        assert_eq!(read(field, POD), expected, "{field}");
    }
}

#[test]
fn pointers() {
    for (pointer, expected) in [
        ("verb", "create"),
        ("/verb", "create"),
        ("/annotations/a~1b", "slash"),
        ("/annotations/c~0d", "tilde"),
        ("/annotations/", "empty"),
        ("/annotations/n", "null"),
        ("/annotations/list", r#"[1,[],{"k":"\u0041"}]"#),
        ("/annotations/list/0", "1"),
        ("/annotations/list/+0", "1"),
        ("/annotations/list/00", "1"),
        ("/annotations/list/-1", "-"),
        ("/annotations/list/9", "-"),
        ("/annotations/list/x", "-"),
        ("/annotations/list/2/k", "A"),
        ("/verb/x", "-"),
        ("//verb", "-"),
        ("/", "-"),
        ("/requestObject/spec/hostNetwork", "true"),
    ] {
        assert_eq!(read(&format!("jevt.value[{pointer}]"), POD), expected, "{pointer}");
    }
    let whole = read("jevt.value[]", POD);
    assert!(
        whole.starts_with(r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","#)
            && whole.ends_with(r#""till-x"}}}"#)
    );
    assert_eq!(read("evt.plugininfo", POD), whole);
}

#[test]
fn the_whole_event_indented() {
    let event = event(r#""a" : [ ], "b":{}, "c":[1,{"d":"x, y: {z}"}]"#);
    let expected = "{\n  \"kind\": \"Event\",\n  \"auditID\": \"i\",\n  \"stageTimestamp\": \"2025-02-03T04:05:06Z\",\n  \
                    \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"x, y: {z}\"\n    }\n  ]\n}";
    assert_eq!(read("jevt.obj", &event), expected);
}

#[test]
fn without_an_audit_id_only_generic_fields_have_values() {
    let event = r#"{"kind":"Event","verb":"get","stageTimestamp":"2025-02-03T04:05:06Z"}"#;
    for field in all().iter().filter(|field| field.name.starts_with("ka.")) {
        let reference = match field.argument {
            Argument::Key => format!("{}[x]", field.name),
            _ => field.name.to_owned(),
        };
        assert_eq!(read(&reference, event), "-", "{reference}");
    }
    assert!(holds("jevt.value[/verb] = get and evt.num = 1", event));
}

#[test]
fn every_value_becomes_text() {
    for (json, expected) in [
        ("null", "null"),
        ("true", "true"),
        ("2.010e2", "2.010e2"),
        (r#"{ "a" : [ 1 , 2 ] }"#, r#"{"a":[1,2]}"#),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""\q""#, "\\q"),
        (r#""""#, ""),
    ] {
        assert_eq!(read("ka.verb", &event(&format!(r#""verb":{json}"#))), expected);
    }
    assert_eq!(read("ka.verb", &event(r#""verb":"first","verb":"second""#)), "first");
    assert_eq!(read("ka.verb", &event(r#""v\u0065rb":"x""#)), "x");
    assert_eq!(read("ka.user.name", &event(r#""user":"text""#)), "-");
}

#[test]
fn lists_need_arrays_with_elements() {
    for (groups, expected) in [
        ("[]", "-"),
        (r#""ops""#, "-"),
        ("null", "-"),
        (r#"[1,null,"a",["b"]]"#, r#"1 null a ["b"]"#),
        (r#"[""]"#, ""),
    ] {
        assert_eq!(
            read("ka.user.groups", &event(&format!(r#""user":{{"groups":{groups}}}"#))),
            expected,
            "{groups}"
        );
    }
}

#[test]
fn containers_that_lack_something() {
    let pod =
        |containers: &str| event(&format!(r#""requestObject":{{"spec":{{"containers":{containers}}}}}"#));
    for (containers, field, expected) in [
        (r#"[{"name":"a"},{"name":"b","image":"i"}]"#, "ka.req.pod.containers.image", "-"),
        (r#"[{"name":"a"},{"name":"b","image":"i"}]"#, "ka.req.pod.containers.image[1]", "i"),
        (r#"[{"name":"a"},{"name":"b","image":"i"}]"#, "ka.req.pod.containers.image.full_repository", "i"),
        (r#"[{"image":"i"},{}]"#, "ka.req.container.image", "i"),
        (r#"[{"image":"i"},{}]"#, "ka.req.pod.containers.image.repository", "-"),
        (r#"[{"command":"sh"},{"command":["a"]}]"#, "ka.req.pod.containers.command", "-"),
        (r#"[{"command":[1]}]"#, "ka.req.pod.containers.command", "-"),
        (r#"[{"ports":{}}]"#, "ka.req.pod.containers.host_port", "-"),
        (r#"[{"securityContext":{"privileged":"true"}}]"#, "ka.req.container.privileged", "false"),
        ("[]", "ka.req.container.privileged", "false"),
        ("[]", "ka.req.container.image", "-"),
        ("[]", "ka.req.pod.containers.name", "-"),
        ("[]", "ka.req.pod.containers.eff_run_as_user", "-"),
    ] {
        assert_eq!(read(field, &pod(containers)), expected, "{field} of {containers}");
    }
    let without = event(r#""requestObject":{"spec":{}}"#);
    assert_eq!(read("ka.req.container.privileged", &without), "-");
    assert_eq!(read("ka.req.volume.hostpath[/x]", &without), "-");
    assert_eq!(
        read("ka.req.volume.hostpath[/x]", &event(r#""requestObject":{"spec":{"volumes":[]}}"#)),
        "false"
    );
}

#[test]
fn the_name_of_a_pod_comes_from_requests_about_pods() {
    let about = |target: &str| {
        event(&format!(r#""objectRef":{{{target}}},"responseObject":{{"metadata":{{"name":"p"}}}}"#))
    };
    for (target, expected) in [
        (r#""resource":"pods""#, "p"),
        (r#""resource":"pods","subresource":"""#, "p"),
        (r#""resource":"pods","subresource":"exec""#, "-"),
        (r#""resource":"services""#, "-"),
    ] {
        assert_eq!(read("ka.target.pod.name", &about(target)), expected, "{target}");
    }
}

#[test]
fn parameters_of_odd_uris() {
    for (uri, expected) in [
        ("/x?a=1", "1"),
        ("/x?a", ""),
        ("/x?b=2&a=1&a=3", "1"),
        ("/x?%61=1", "1"),
        ("/x?a=caf%C3%A9", "café"),
        ("/x?a=1#f&a=2", "1"),
        ("/x#?a=1", "-"),
        ("/x?b=1;a=2&a=3", "-"),
        ("/x?a=1&b=%zz", "-"),
        ("/x?a=1&%z=1", "-"),
        ("/x%zz?a=1", "-"),
        ("/x?a=1#%zz", "-"),
        ("/x\u{7f}?a=1", "-"),
        ("/x?", "-"),
        ("/x", "-"),
        ("", "-"),
        ("?a=1", "1"),
        ("x:y?a=1", "1"),
        ("1:y?a=1", "-"),
        (":y?a=1", "-"),
        ("//host:80/x?a=1", "1"),
        ("//host:port/x?a=1", "-"),
        ("//ho st/x?a=1", "-"),
        ("//[::1]:80/x?a=1", "1"),
        ("//[::1/x?a=1", "-"),
        ("https://u:p@host/x?a=1", "1"),
        ("///x?a=1", "1"),
        ("/x?a=1&&", "1"),
        ("/x?a=b=c", "b=c"),
    ] {
        assert_eq!(read("ka.uri.param[a]", &event(&format!(r#""requestURI":"{uri}""#))), expected, "{uri}");
    }
}

#[test]
fn relative_times_count_from_the_first_event() {
    let mut context = Context::new("here");
    let at = |time: &str| format!(r#"{{"kind":"Event","stageTimestamp":"{time}"}}"#);
    let (first, second) = (at("2025-02-03T04:05:06.9Z"), at("2025-02-03T05:05:09+01:00"));
    context.next(&Event::parse(&first).unwrap());
    let event = Event::parse(&second).unwrap();
    context.next(&event);
    let value = |name: &str| {
        let reference = lookup(name).unwrap().with(None).unwrap();
        match reference.value(&Subject::new(&event, &context)) {
            Some(Value::Number(number)) => Value::Number(number),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(value("evt.reltime"), Value::Number(2_100_000_000));
    assert_eq!(value("evt.reltime.s"), Value::Number(2));
    assert_eq!(value("evt.reltime.ns"), Value::Number(100_000_000));
    assert_eq!(value("evt.num"), Value::Number(2));
}

#[test]
fn times_before_1970_wrap() {
    let event = r#"{"kind":"Event","stageTimestamp":"1969-12-31T23:59:59.5Z"}"#;
    assert_eq!(read("evt.rawtime", event), (u64::MAX - 499_999_999).to_string());
}

#[test]
fn arguments_must_fit() {
    for (name, arg, fits) in [
        ("ka.verb", None, true),
        ("ka.verb", Some("0"), false),
        ("ka.uri.param", Some("x"), true),
        ("ka.uri.param", Some(""), true),
        ("ka.uri.param", None, false),
        ("ka.req.pod.containers.image", None, true),
        ("ka.req.pod.containers.image", Some("0"), true),
        ("ka.req.pod.containers.image", Some("12"), true),
        ("ka.req.pod.containers.image", Some("01"), false),
        ("ka.req.pod.containers.image", Some("+1"), false),
        ("ka.req.pod.containers.image", Some("-1"), false),
        ("ka.req.pod.containers.image", Some(""), false),
        ("ka.req.pod.containers.image", Some("x"), false),
        ("ka.req.pod.containers.image", Some("99999999999999999999"), false),
    ] {
        assert_eq!(lookup(name).unwrap().with(arg).is_ok(), fits, "{name} {arg:?}");
    }
}

#[test]
fn the_table_is_in_order() {
    let mut names: Vec<_> = names().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name twice");
    assert!(lookup("ka.Verb").is_none() && lookup("evt.type").is_none());
    for field in all() {
        assert!(!field.doc.is_empty(), "{}", field.name);
        let instead = field.quirk.map_or("ka.verb", |quirk| quirk.instead);
        let instead = instead.split(' ').next().unwrap();
        assert!(lookup(instead).is_some_and(|field| field.quirk.is_none()), "{instead}");
    }
    assert!(lookup("ka.req.pod.ephemeralContainers.host_port").is_none());
}
