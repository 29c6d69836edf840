//! Fast and plain are one meaning.

use audit_event::Event;
use proptest::prelude::*;

use crate::eval::tests::POD;
use crate::eval::{Context, Matching};
use crate::{Engine, Place, Priority, Rule, RuleSet, check, format, parse};

fn engine(conditions: &[String], matching: Matching) -> Engine {
    let rule = |condition: &String| Rule {
        name: condition.clone(),
        desc: String::new(),
        priority: Priority::Warning,
        tags: Vec::new(),
        source: "k8s_audit".into(),
        enabled: true,
        condition: check::condition(&parse::condition(condition).unwrap()).unwrap(),
        output: format::Output::parse("x").unwrap(),
        extra_fields: Vec::new(),
        exception_fields: Default::default(),
        place: Place { file: String::new(), line: 1 },
    };
    Engine::new(RuleSet { rules: conditions.iter().map(rule).collect() }, matching)
}

/// Checks over few fields and few values, so that they meet each other and the events below.
fn a_check() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "ka.stage",
        "ka.verb",
        "ka.target.resource",
        "ka.target.subresource",
        "ka.user.name",
        "ka.response.code",
        "jevt.value[/stage]",
        "jevt.value[/x]",
        "jevt.rawtime",
        "ka.uri.param[a]",
        "ka.req.container.image",
        "ka.req.pod.host_network",
        "ka.req.volume.hostpath[a*]",
        "ka.req.configmap.obj",
        "tolower(ka.verb)",
        "evt.source",
    ]);
    let list = prop::sample::select(vec![
        "ka.user.groups",
        "ka.req.pod.containers.image",
        "ka.req.pod.containers.privileged",
        "ka.req.pod.containers.image[0]",
        "ka.req.pod.containers.image.repository",
        "ka.req.pod.containers.eff_run_as_user",
        "ka.req.pod.initContainers.image",
        "ka.req.pod.volumes.hostpath",
        "ka.req.pod.volumes.volume_type[0]",
        "ka.req.role.rules.verbs",
        "ka.src.ips",
        "tolower(ka.user.groups)",
    ]);
    let value = prop::sample::select(vec![
        "a",
        "b",
        "get",
        "create",
        "pods",
        "secrets",
        "''",
        "200",
        "true",
        "ResponseComplete",
        "1738555506000000000",
    ]);
    let values =
        prop::collection::vec(value.clone(), 0..4).prop_map(|values| format!("({})", values.join(", ")));
    let op = prop::sample::select(vec![
        "=",
        "!=",
        "contains",
        "icontains",
        "startswith",
        "endswith",
        "glob",
        "iglob",
        "regex",
    ]);
    let modifier = prop::sample::select(vec!["oneof", "anyof", "allof"]);
    let set = prop::sample::select(vec!["in", "intersects"]);
    let networks = prop::sample::select(vec!["(10.0.0.0/8)", "(::1, 1.2.3.4)", "()"]);
    let number = prop::sample::select(vec!["evt.num", "len(ka.verb)", "len(ka.user.groups)"]);
    prop_oneof![
        4 => (scalar.clone(), op.clone(), value.clone()).prop_map(|(l, op, r)| format!("{l} {op} {r}")),
        2 => (scalar.clone(), op, modifier, values.clone()).prop_map(|(l, op, m, r)| format!("{l} {op} {m} {r}")),
        3 => (scalar.clone(), prop_oneof![set.clone(), Just("pmatch")], values.clone())
            .prop_map(|(l, op, r)| format!("{l} {op} {r}")),
        2 => (list.clone(), set, values, networks)
            .prop_map(|(l, op, r, n)| format!("{l} {op} {}", if l == "ka.src.ips" { n } else { &r })),
        1 => prop_oneof![scalar.clone(), list].prop_map(|l| format!("{l} exists")),
        1 => (scalar.clone(), prop::sample::select(vec!["=", "!=", "contains", "in"]), scalar)
            .prop_map(|(l, op, r)| format!("{l} {op} {}", if r.contains('(') { r.into() } else { format!("val({r})") })),
        1 => (number, prop::sample::select(vec!["=", "!=", "<", ">="]), 0..4).prop_map(|(l, op, r)| format!("{l} {op} {r}")),
        1 => Just("evt.is_async = false".to_owned()),
    ]
}

fn a_condition() -> impl Strategy<Value = String> {
    a_check().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

fn an_event() -> impl Strategy<Value = String> {
    let text = prop::sample::select(vec![
        r#""a""#,
        r#""b""#,
        r#""get""#,
        r#""create""#,
        r#""pods""#,
        r#""secrets""#,
        r#""""#,
        "200",
        "true",
        "null",
        "[]",
        r#""ResponseComplete""#,
        r#""\u0061""#,
        r#""a\u0000b""#,
        r#"["a","b"]"#,
        r#"["a", null]"#,
        r#"{"a": "b"}"#,
        r#"["10.1.1.1"]"#,
        r#""/x?a=b""#,
    ]);
    let member = prop::sample::select(vec![
        r#""auditID":"i","stage":V"#,
        r#""auditID":"i","verb":V"#,
        r#""auditID":"i","objectRef":{"resource":V}"#,
        r#""auditID":"i","objectRef":{"subresource":V,"resource":"pods"}"#,
        r#""auditID":"i","user":{"username":V}"#,
        r#""auditID":"i","user":{"groups":V}"#,
        r#""responseStatus":{"code":V}"#,
        r#""x":V"#,
        r#""requestURI":V"#,
        r#""sourceIPs":V"#,
        r#""requestObject":{"spec":{"containers":[{"image":V,"securityContext":{"privileged":V}}]}}"#,
        r#""requestObject":{"data":V,"spec":{"hostNetwork":V,"securityContext":{"runAsUser":V},"containers":[{"image":"a"},{"image":V}]}}"#,
        r#""requestObject":{"spec":{"volumes":[{"name":"v","hostPath":{"path":V}},{"emptyDir":{}}],"initContainers":V}}"#,
        r#""requestObject":{"rules":[{"verbs":V},{"verbs":["get"]}],"spec":{"initContainers":{"image":V},"volumes":[V]}}"#,
    ]);
    prop::collection::vec((member, text), 0..6).prop_map(|members| {
        let members: String =
            members.iter().map(|(member, value)| format!(",{}", member.replace('V', value))).collect();
        format!(r#"{{"kind":"Event","stageTimestamp":"2025-02-03T04:05:06Z"{members}}}"#)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn fast_is_plain(
        conditions in prop::collection::vec(a_condition(), 1..12),
        events in prop::collection::vec(an_event(), 1..6),
    ) {
        for matching in [Matching::First, Matching::All] {
            let engine = engine(&conditions, matching);
            let (mut fast, mut plain) = (Context::new("here"), Context::new("here"));
            for text in &events {
                let event = Event::parse(text).unwrap();
                let expected = engine.evaluate_by_definition(&event, &mut plain);
                prop_assert_eq!(engine.evaluate(&event, &mut fast), expected, "{:?} {:?} {}", matching, &conditions, text);
            }
        }
    }
}

#[test]
fn many_rules_keep_their_order() {
    let conditions: Vec<String> =
        (0..200).map(|n| format!("ka.verb = create or ka.user.name = u{}", n % 70)).collect();
    let event = Event::parse(POD).unwrap();
    let all = engine(&conditions, Matching::All).evaluate(&event, &mut Context::new("here"));
    assert_eq!(all, (0..200).collect::<Vec<_>>());
    let first = engine(&conditions, Matching::First).evaluate(&event, &mut Context::new("here"));
    assert_eq!(first, [0]);
}

#[test]
fn equal_conditions_are_one_and_impossible_ones_are_gone() {
    let conditions = [
        "ka.verb = get and ka.stage = a",
        "ka.stage=a and ka.verb=get",
        "evt.num exists and not evt.num exists",
    ]
    .map(String::from);
    let plan = &engine(&conditions, Matching::All).plan;
    assert_eq!(plan.roots.len(), 1);
    assert_eq!(plan.roots.first().map(|root| root.rules.clone()), Some(vec![0, 1]));
}

#[test]
fn rules_that_are_off_or_below_the_threshold_are_not_tried() {
    let conditions = ["ka.verb exists", "ka.verb exists", "ka.verb exists"].map(String::from);
    let mut rules = RuleSet { rules: engine(&conditions, Matching::All).rules().to_vec() };
    rules.rules[0].enabled = false;
    rules.rules[1].priority = Priority::Informational;
    let event = Event::parse(POD).unwrap();
    let matching = |least| {
        let engine = Engine::with_threshold(rules.clone(), Matching::All, least);
        let matches = engine.evaluate(&event, &mut Context::new("here"));
        assert_eq!(matches, engine.evaluate_by_definition(&event, &mut Context::new("here")));
        matches
    };
    assert_eq!(matching(Priority::Debug), [1, 2]);
    assert_eq!(matching(Priority::Notice), [2]);
    assert!(matching(Priority::Error).is_empty());
}
