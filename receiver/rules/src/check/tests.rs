use super::*;
use crate::parse;

fn checked(condition: &str) -> Result<Condition, Unsound> {
    let parsed = parse::condition(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    super::condition(&parsed).map_err(|faults| faults.into_iter().next().unwrap())
}

/// The kind of fault, and the part of the text that is named.
#[track_caller]
fn fault(condition: &str) -> (Kind, &str) {
    let unsound = checked(condition).err().unwrap_or_else(|| panic!("{condition} is accepted"));
    (unsound.kind, condition.get(unsound.span).unwrap())
}

#[test]
fn operators_go_with_types() {
    let text = "= == != < <= > >= contains icontains startswith endswith glob iglob regex";
    let number = "= == != < <= > >=";
    let truth = "= == !=";
    let all =
        "= == != < <= > >= contains icontains bcontains startswith bstartswith endswith glob iglob regex";
    for (field, value, allowed) in [
        ("ka.verb", "1", text),
        ("jevt.value[/a]", "1", text),
        ("evt.num", "1", number),
        ("evt.rawtime", "1", number),
        ("evt.reltime", "1", number),
        ("len(ka.verb)", "1", number),
        ("evt.is_async", "true", truth),
        ("ka.user.groups", "1", ""),
        ("ka.req.role.rules.verbs[0]", "1", ""),
        ("ka.src.ips", "1", ""),
    ] {
        for op in all.split(' ').filter(|op| !(value == "true" && op.starts_with(['<', '>']))) {
            let allowed = allowed.split(' ').any(|allowed| allowed == op);
            assert_eq!(checked(&format!("{field} {op} {value}")).is_ok(), allowed, "{field} {op}");
            if !op.starts_with(['<', '>']) {
                assert_eq!(
                    checked(&format!("{field} {op} anyof ({value})")).is_ok(),
                    allowed,
                    "{field} {op} anyof"
                );
                assert_eq!(checked(&format!("{field} {op} oneof ()")).is_ok(), allowed, "{field} {op} oneof");
            }
        }
    }
}

#[test]
fn set_operators_go_with_all_types_but_pmatch() {
    for (field, value) in [
        ("ka.verb", "a"),
        ("evt.num", "1"),
        ("evt.is_async", "true"),
        ("ka.user.groups", "a"),
        ("ka.src.ips", "::1"),
    ] {
        for op in ["in", "intersects"] {
            assert!(checked(&format!("{field} {op} ({value})")).is_ok(), "{field} {op}");
            assert!(checked(&format!("{field} {op} ()")).is_ok(), "{field} {op}");
        }
        assert!(checked(&format!("{field} exists")).is_ok());
        assert_eq!(checked(&format!("{field} pmatch (/a)")).is_ok(), field == "ka.verb", "{field}");
    }
}

#[test]
fn values_must_be_readable() {
    for (condition, part) in [
        ("evt.num = 0x10", "0x10"),
        ("evt.num > 1.5", "1.5"),
        ("evt.num = 'one'", "'one'"),
        ("evt.num = ''", "''"),
        ("evt.num in (1, x)", "x"),
        ("evt.num = anyof (1, x)", "x"),
        ("evt.num = 18446744073709551616", "18446744073709551616"),
        ("evt.is_async = yes", "yes"),
        ("evt.is_async in (true, 1)", "1"),
        ("ka.verb regex '('", "'('"),
        ("ka.verb regex anyof (a, '[b')", "'[b'"),
        ("ka.src.ips in (10.0.0.0/8, host)", "host"),
    ] {
        assert_eq!(fault(condition), (Kind::Value, part), "{condition}");
    }
    for condition in
        ["evt.num = -1", "evt.num = 007", "evt.num < 18446744073709551615", "ka.response.code > 0x1F"]
    {
        assert!(checked(condition).is_ok(), "{condition}");
    }
}

#[test]
fn fields_must_exist_and_take_their_argument() {
    let unknown = |name: &str| Kind::UnknownField { name: name.into() };
    assert_eq!(fault("ka.verb = a and ka.vreb = b"), (unknown("ka.vreb"), "ka.vreb"));
    assert_eq!(fault("evt.type = x"), (unknown("evt.type"), "evt.type"));
    assert_eq!(fault("tolower(proc.name) = x"), (unknown("proc.name"), "proc.name"));
    assert_eq!(fault("ka.verb = val(ka.none)"), (unknown("ka.none"), "ka.none"));
    for condition in
        ["ka.verb[0] = a", "ka.uri.param = a", "ka.req.role.rules.verbs[x] in (a)", "evt.num[1] = 1"]
    {
        assert_eq!(fault(condition).0, Kind::BadArgument, "{condition}");
    }
}

#[test]
fn keys_hold_no_blank_and_no_closing_bracket() {
    for condition in [
        "ka.uri.param['a b'] = sh",
        "ka.uri.param['a]b'] = sh",
        "jevt.value[\"/annotations/a b\"] exists",
        "tolower(ka.uri.param['a b']) = sh",
        "ka.verb = val(jevt.value['/a]b'])",
    ] {
        assert_eq!(fault(condition).0, Kind::BadArgument, "{condition}");
    }
    assert!(checked("jevt.value['/a\tb(\"'] exists").is_ok());
}

#[test]
fn both_sides_have_one_shape() {
    for condition in [
        "ka.verb = val(ka.uri)",
        "ka.verb in val(ka.uri)",
        "ka.verb = tolower(ka.uri)",
        "evt.num = len(ka.verb)",
        "ka.user.groups in val(ka.impuser.groups)",
        "ka.verb contains concat(ka.uri, 'x')",
        "evt.rawtime > val(evt.rawtime.s)",
    ] {
        assert!(checked(condition).is_ok(), "{condition}");
    }
    for condition in [
        "ka.verb = val(ka.user.groups)",
        "ka.verb in val(ka.user.groups)",
        "ka.user.groups in val(ka.verb)",
        "ka.verb = len(ka.verb)",
        "evt.num = val(evt.rawtime)",
        "evt.rawtime = val(evt.reltime)",
        "ka.verb regex val(ka.uri)",
        "ka.verb pmatch val(ka.uri)",
        "ka.user.groups = val(ka.user.groups)",
    ] {
        assert_eq!(fault(condition).0, Kind::Operator, "{condition}");
    }
}

#[test]
fn transformers_take_what_they_can() {
    for condition in [
        "len(ka.user.groups) = 1",
        "join(',', ka.user.groups) = x",
        "join(',', (ka.verb, 'a')) = x",
        "concat(ka.verb, ka.uri, 'a') = x",
        "tolower(ka.user.groups) in (a)",
        "getopt(ka.req.pod.containers.args, 'ab:')[b] = x",
        "getopt(ka.req.pod.containers.args, 'ab:') intersects (a)",
        "toupper(b64(ka.verb)) = x",
    ] {
        assert!(checked(condition).is_ok(), "{condition}");
    }
    for condition in [
        "tolower(evt.num) = x",
        "b64(evt.rawtime) = x",
        "len(evt.num) = 1",
        "len(len(ka.verb)) = 1",
        "len(evt.is_async) = 1",
        "tolower(ka.verb, ka.uri) = x",
        "len(ka.verb, ka.uri) = 1",
        "join(ka.user.groups, ',') = x",
        "join(',', ka.verb) = x",
        "join(',') = x",
        "concat(ka.verb) = x",
        "concat(ka.verb, ka.user.groups) = x",
        "concat(ka.verb, evt.num) = x",
        "tolower(ka.user.groups) = x",
        "getopt(ka.verb, 'a') in (x)",
        "val(ka.verb) = x",
    ] {
        let refused = parse::condition(condition).map_or(true, |expr| super::condition(&expr).is_err());
        assert!(refused, "{condition}");
    }
}

/// The kinds of the hints on a condition, and the parts of the text they are about.
fn hinted(condition: &str) -> Vec<(HintKind, &str)> {
    let hints = warnings(&parse::condition(condition).unwrap());
    hints.into_iter().map(|hint| (hint.kind, condition.get(hint.span).unwrap())).collect()
}

#[test]
fn comparisons_with_na_are_pointed_out() {
    for condition in [
        "ka.verb = <NA>",
        "ka.verb != <NA>",
        "ka.verb in (a, <NA>)",
        "ka.user.groups intersects (<NA>)",
        "jevt.value[/a] = <NA>",
    ] {
        assert_eq!(hinted(condition), [(HintKind::UnsafeNa, "<NA>")], "{condition}");
    }
    assert_eq!(hinted("ka.verb contains <NA>"), []);
    assert_eq!(hinted("json.value[/a] = <NA>"), []);
}

#[test]
fn texts_that_look_like_expressions_are_pointed_out() {
    for (condition, part) in [
        ("ka.verb = ka.uri", "ka.uri"),
        ("ka.verb = 'ka.uri '", "'ka.uri '"),
        ("ka.verb in (a, ka.uri)", "ka.uri"),
        ("ka.verb contains 'jevt.value[/a]'", "'jevt.value[/a]'"),
        ("ka.verb = 'tolower(ka.uri)'", "'tolower(ka.uri)'"),
        ("ka.verb = 'tolower (x'", "'tolower (x'"),
        ("ka.verb regex create", "create"),
        ("ka.verb regex '^create.*$'", "'^create.*$'"),
    ] {
        assert_eq!(hinted(condition), [(HintKind::Compile, part)], "{condition}");
    }
    for condition in
        ["ka.verb = ka.other", "ka.verb = val(ka.uri)", "ka.verb regex 'a.*b'", "ka.verb = lower(x)"]
    {
        if let Ok(expr) = parse::condition(condition) {
            assert_eq!(warnings(&expr), [], "{condition}");
        }
    }
}

#[test]
fn quirks_are_pointed_out_with_a_field_that_does_better() {
    for (condition, instead) in [
        ("ka.sourceips intersects (1)", "`ka.src.ips`"),
        ("len(ka.sourceips) = 1", "`ka.src.ips`"),
        (
            "ka.req.pod.containers.eff_run_as_user intersects (0)",
            "`ka.req.pod.containers.effective_run_as_user`",
        ),
        ("ka.req.pod.containers.image.repository in (a)", "`ka.req.pod.containers.image.full_repository`"),
        ("ka.verb = val(ka.req.binding.subject.has_name[x])", "`ka.req.binding.subjects.user_names"),
        ("tolower(ka.user.groups) in (a)", "join"),
        ("ka.response.code > 50", "as text"),
    ] {
        let hints = warnings(&parse::condition(condition).unwrap());
        let [hint] = hints.as_slice() else { panic!("{condition}: {hints:?}") };
        assert_eq!(hint.kind, HintKind::Quirk);
        assert!(hint.message.contains(instead), "{condition}: {}", hint.message);
    }
    assert_eq!(
        hinted("ka.src.ips in (::1) and tolower(ka.verb) in (a) and len(tolower(ka.user.groups)) = 1"),
        []
    );
}

#[test]
fn what_nests_too_deep_is_refused() {
    let nested = |levels: usize| {
        let check = parse::condition("ka.verb exists").unwrap();
        (0..levels).fold(check, |inner, _| Expr::Not(Box::new(inner)))
    };
    assert!(super::condition(&nested(400)).is_ok());
    assert!(super::condition(&nested(501)).is_err());
}
