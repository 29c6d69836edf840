use audit_event::Event;

use super::*;
use crate::eval::tests::POD;
use crate::{Place, Priority, check, format, parse};

fn rendered(output: &str, options: &Options) -> String {
    let rule = Rule {
        name: "Till opened".into(),
        desc: String::new(),
        priority: Priority::Informational,
        tags: vec!["a".into(), "b".into()],
        source: "k8s_audit".into(),
        enabled: true,
        condition: check::condition(&parse::condition("ka.verb exists").unwrap()).unwrap(),
        output: format::Output::parse(output).unwrap(),
        extra_fields: Vec::new(),
        exception_fields: Default::default(),
        place: Place { file: String::new(), line: 1 },
    };
    let event = Event::parse(POD).unwrap();
    let mut context = Context::new("here");
    context.next(&event);
    serde_json::to_string(&render(&rule, &event, &context, options)).unwrap()
}

#[test]
fn the_document_is_falcos() {
    assert_eq!(
        rendered(
            "%ka.verb by %ka.user.name %ka.user.groups %ka.auth.reason %evt.num %len(ka.uri) %evt.is_async",
            &Options::default()
        ),
        concat!(
            r#"{"hostname":"here","#,
            r#""output":"04:05:06.000000789: Informational create by dora (ops,system:authenticated) <NA> 1 69 false","#,
            r#""output_fields":{"evt.is_async":false,"evt.num":1,"evt.time":1738555506000000789,"ka.auth.reason":null,"#,
            r#""ka.uri":"/api/v1/namespaces/shop/pods?dryRun=All&pretty=&q=a%20b+c&dryRun=None","#,
            r#""ka.user.groups":["ops","system:authenticated"],"ka.user.name":"dora","ka.verb":"create"},"#,
            r#""priority":"Informational","rule":"Till opened","source":"k8s_audit","tags":["a","b"],"#,
            r#""time":"2025-02-03T04:05:06.000000789Z"}"#,
        )
    );
}

#[test]
fn keys_are_a_matter_of_options() {
    let options = Options { iso8601: true, output: true, message: true, output_fields: false, tags: false };
    assert_eq!(
        rendered("x", &options),
        concat!(
            r#"{"hostname":"here","message":"x","output":"2025-02-03T04:05:06.000000789+0000: Informational x","#,
            r#""priority":"Informational","rule":"Till opened","source":"k8s_audit","time":"2025-02-03T04:05:06.000000789Z"}"#,
        )
    );
    let options = Options { output: false, ..options };
    assert!(!rendered("x", &options).contains("\"output\""));
    let options = Options { output_fields: true, ..options };
    assert!(rendered("x", &options).contains(r#""output_fields":{"evt.time.iso8601":1738555506000000789}"#));
}

#[test]
fn times_as_text_are_numbers_among_the_fields() {
    let document = rendered("%evt.datetime %evt.rawtime.s %jevt.rawtime", &Options::default());
    for part in [
        r#""evt.datetime":1738555506000000789"#,
        r#""evt.rawtime.s":1738555506,"#,
        r#""jevt.rawtime":"1738555506000000789""#,
    ] {
        assert!(document.contains(part), "{document}");
    }
}
