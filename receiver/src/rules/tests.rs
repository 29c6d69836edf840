use audit_rules::Severity;

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
