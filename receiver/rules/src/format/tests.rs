use audit_event::Event;

use super::*;
use crate::eval::Context;
use crate::eval::tests::POD;

#[track_caller]
fn message(template: &str, event: &str) -> String {
    let output = Output::parse(template).unwrap_or_else(|error| panic!("{template}: {error}"));
    let event = Event::parse(event).unwrap();
    let mut context = Context::new("here");
    context.next(&event);
    output.message(&Subject::new(&event, &context))
}

#[test]
fn templates_and_what_they_print() {
    for (template, expected) in [
        ("user=%ka.user.name verb=%ka.verb.", "user=dora verb=create."),
        ("", ""),
        ("plain", "plain"),
        ("*%ka.verb", "create"),
        ("**%ka.verb", "*create"),
        ("%ka.verb%ka.user.name", "createdora"),
        ("%ka.verbose", "createose"),
        ("%ka.target.name.svc", "till.svc"),
        ("%ka.verb[0]", "create[0]"),
        ("%ka.verb()", "create()"),
        ("%ka.uri.param", "/api/v1/namespaces/shop/pods?dryRun=All&pretty=&q=a%20b+c&dryRun=None.param"),
        ("%ka.uri.param[q]]", "a b c]"),
        ("%ka.uri.param[]", "/api/v1/namespaces/shop/pods?dryRun=All&pretty=&q=a%20b+c&dryRun=None.param[]"),
        ("%ka.uri.param['q']", "a b c"),
        (
            "%ka.uri.param['a b']",
            "/api/v1/namespaces/shop/pods?dryRun=All&pretty=&q=a%20b+c&dryRun=None.param['a b']",
        ),
        ("%ka.user.groups", "(ops,system:authenticated)"),
        ("%ka.user.groups[x]", "(ops,system:authenticated)[x]"),
        ("%ka.req.role.rules.verbs[1]", "(*)"),
        ("%ka.auth.decision|", "<NA>|"),
        ("%toupper(ka.verb)!", "CREATE!"),
        ("%toupper( ka.verb )", "CREATE"),
        ("%toupper(ka.auth.decision)", "<NA>"),
        ("%join(',', ka.user.groups)", "ops,system:authenticated"),
        ("%concat(ka.verb, ')')", "create)"),
        ("%toupper(ka.user.groups)", "(OPS,SYSTEM:AUTHENTICATED)"),
        ("%len(ka.user.groups)", "2"),
        ("%evt.is_async", "false"),
        ("%evt.rawtime.s %evt.rawtime.ns %evt.reltime.ns", "1738555506 000000789 000000000"),
        ("%8ka.verb|", "create  |"),
        ("%3ka.verb|", "cre|"),
        ("%0ka.verb|", "create|"),
        ("%10ka.auth.decision|", "<NA>      |"),
        ("%5ka.user.groups|", "(ops,|"),
        (
            "%jevt.value[/objectRef]",
            r#"{"resource":"pods","namespace":"shop","name":"till","subresource":""}"#,
        ),
    ] {
        assert_eq!(message(template, POD), expected, "{template}");
    }
}

#[test]
fn a_percent_sign_must_begin_an_expression() {
    for (template, offset, unknown_field) in [
        ("100%", 3, false),
        ("a %% b", 2, true),
        ("a % b", 2, true),
        ("%ka.nothing", 0, true),
        ("%jevt.value['/a b']", 0, true),
        ("x %proc.name", 2, true),
        ("%12", 0, false),
        ("%verb", 0, true),
        ("%val(ka.verb)", 0, true),
        ("ä%nope", 2, true),
    ] {
        let error = Output::parse(template).unwrap_err();
        assert_eq!((error.offset, error.unknown_field), (offset, unknown_field), "{template}: {error}");
    }
}

#[test]
fn empty_elements_at_the_start_of_a_list_get_no_comma() {
    let groups = |groups: &str| {
        let event = r#"{"kind":"Event","auditID":"i","stageTimestamp":"2025-02-03T04:05:06Z","user":{"groups":GROUPS}}"#;
        message("%ka.user.groups", &event.replace("GROUPS", groups))
    };
    assert_eq!(groups(r#"["","b"]"#), "(b)");
    assert_eq!(groups(r#"["","","b","","c"]"#), "(b,,c)");
    assert_eq!(groups(r#"[""]"#), "()");
    let long = groups(&format!(r#"["{}"]"#, "x".repeat(2000)));
    assert_eq!(long.len(), 1023);
    assert!(!long.ends_with(')'));
}

#[test]
fn fields_inside_transformers_are_named() {
    let output =
        Output::parse("%ka.verb %concat(ka.uri.param[a], tolower(ka.verb)) %len(ka.user.groups)").unwrap();
    let names: Vec<_> = output.fields().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["ka.verb", "ka.uri.param[a]", "ka.verb", "ka.user.groups"]);
}

#[test]
fn what_is_no_utf8_is_replaced() {
    let event =
        r#"{"kind":"Event","auditID":"i","stageTimestamp":"2025-02-03T04:05:06Z","requestURI":"/?a=%FFb"}"#;
    assert_eq!(message("%ka.uri.param[a]", event), "\u{fffd}b");
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_template_or_refused(text in r"[%a-z.\[\]()'0-9 *]{0,24}") {
        let _ = Output::parse(&text);
    }
}
