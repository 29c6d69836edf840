use audit_rules::{Matching, Options, Severity};

use super::*;

#[test]
fn the_built_in_rules_load_without_a_remark() {
    let loaded = audit_rules::load(&read(&[]).unwrap(), &Options::default());
    let remarks: Vec<_> = loaded.diagnostics().filter(|said| said.severity() != Severity::Note).collect();
    assert!(remarks.is_empty(), "{}", diagnostic::text(&loaded));
    assert!(Rules::of(loaded, Matching::First).unwrap().all().len() >= 12);
}

#[test]
fn a_folder_stands_for_its_rules_files_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.yaml", "a.yml", "a.txt", "c.yaml.yaml"] {
        std::fs::write(folder.path().join(name), "[]").unwrap();
    }
    std::fs::create_dir(folder.path().join("below.yaml")).unwrap();
    let names = |paths: &[PathBuf]| -> Vec<String> {
        let name =
            |file: SourceFile| Path::new(&file.name).file_name().unwrap().to_string_lossy().into_owned();
        read(paths).unwrap().into_iter().map(name).collect()
    };
    assert_eq!(names(&[folder.path().to_owned()]), ["a.yml", "b.yaml"]);
    assert_eq!(
        names(&[folder.path().join("b.yaml"), folder.path().to_owned()]),
        ["b.yaml", "a.yml", "b.yaml"]
    );
    assert!(matches!(read(&[folder.path().join("a.txt")]), Err(Unusable::NoFile(_))));
    assert!(matches!(read(&[folder.path().join("z.yaml")]), Err(Unusable::Unread { .. })));
}

const RULE: &str = "- rule: r\n  desc: d\n  condition: ka.nonsense = 1\n  output: o\n  priority: DEBUG\n  source: k8s_audit\n";

#[test]
fn a_faulty_file_is_told_with_its_place() {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), RULE).unwrap();
    let told = Rules::load(&[file.path().to_owned()], Matching::First).unwrap_err().to_string();
    assert!(told.contains(&format!("{}:3:", file.path().display())), "{told}");
}

fn loaded(text: &str, settings: impl Into<Settings>) -> Result<Rules, Unusable> {
    let settings = settings.into();
    let file = SourceFile { name: "r.yaml".to_owned(), text: text.to_owned() };
    Rules::of(audit_rules::load(&[file], &settings.options), settings)
}

fn named(name: &str, more: &str) -> String {
    format!("- rule: {name}\n  desc: d\n  condition: ka.verb exists\n  output: o\n  {more}\n")
}

#[test]
fn rules_that_are_not_in_use_are_remarked_upon() {
    let remarks = |text: &str| loaded(text, Matching::First).unwrap().remarks().to_vec();
    let good = named("a", "priority: DEBUG\n  source: k8s_audit");
    assert!(remarks(&good).is_empty());
    let near = remarks(&named("a", "priority: DEBUG\n  source: k8s-audit"));
    assert_eq!(near.len(), 3, "{near:?}");
    assert!(near[1].contains("r.yaml:6:11") && near[1].contains("did you mean `k8s_audit`?"), "{near:?}");
    assert!(near[2].contains("no event will raise an alert"), "{near:?}");
    let other = remarks(&(good.clone() + &named("b", "priority: DEBUG\n  source: okta")));
    assert_eq!(other, ["1 rule of source `okta` skipped: only events of source `k8s_audit` come here"]);
    let off = remarks(&good.replace("DEBUG", "DEBUG\n  enabled: false"));
    assert_eq!(off.len(), 1, "{off:?}");
    let unknown = good
        + "- rule: b\n  desc: d\n  condition: ka.new = x\n  output: o\n  priority: DEBUG\n  source: k8s_audit\n  \
                skip-if-unknown-filter: true\n";
    assert!(remarks(&unknown)[0].contains("ka.new"));
}

#[test]
fn settings_select_rules_and_add_to_outputs() {
    let text = named("Read", "priority: DEBUG\n  source: k8s_audit\n  tags: [read]")
        + &named("Write", "priority: ERROR\n  source: k8s_audit\n  tags: [write]");
    let settings = |change: fn(&mut Settings)| {
        let mut settings = Settings::from(Matching::All);
        change(&mut settings);
        settings
    };
    let raised = |change| {
        let rules = loaded(&text, settings(change)).unwrap();
        let evaluator = crate::evaluate::Evaluator::new(rules, String::new());
        let event = r#"{"kind":"Event","auditID":"1","verb":"get","stageTimestamp":"2026-01-02T03:04:05Z"}"#;
        let alerts = evaluator.evaluate(event, None, 1).unwrap().alerts;
        let told = |alert: &Alert| {
            let document: Json = serde_json::from_str(&alert.document).unwrap();
            let said = document["output"].as_str().unwrap().rsplit_once(": ").unwrap().1.to_owned();
            format!("{} {}", said, document["output_fields"]["who"])
        };
        alerts.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(raised(|_| ()), ["Debug o null", "Error o null"]);
    assert_eq!(raised(|settings| settings.least = audit_rules::Priority::Notice), ["Error o null"]);
    assert_eq!(
        raised(|settings| {
            let tag = Some("write".to_owned());
            settings.select.push(select::Selection { enable: false, rule: None, tag });
        }),
        ["Debug o null"]
    );
    assert_eq!(
        raised(|settings| {
            settings.options.append_output.push(audit_rules::load::AppendOutput {
                tags: vec!["read".to_owned()],
                output: Some("by %ka.verb".to_owned()),
                fields: vec![(
                    "who".to_owned(),
                    audit_rules::load::ExtraValue::Template("%ka.verb!".to_owned()),
                )],
                ..Default::default()
            });
        }),
        ["Debug o by get \"get!\"", "Error o null"]
    );
    let idle = loaded(
        &text,
        settings(|settings| {
            let rule = Some("Raed".to_owned());
            settings.select.push(select::Selection { enable: false, rule, tag: None });
        }),
    );
    assert!(idle.unwrap().remarks()[0].contains("`Raed`"));
    let wrong = loaded(
        &text,
        settings(|settings| {
            let output = Some("%nope".to_owned());
            settings
                .options
                .append_output
                .push(audit_rules::load::AppendOutput { output, ..Default::default() });
        }),
    );
    let wrong = wrong.unwrap_err().to_string();
    assert!(wrong.contains("in what the configuration appends"), "{wrong}");
}
