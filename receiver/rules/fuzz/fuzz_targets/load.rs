//! Any files: loading and telling what is wrong with them never panics.
#![no_main]

use audit_rules::{Options, SourceFile, diagnostic, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: Vec<String>| {
    let files: Vec<_> = texts
        .into_iter()
        .enumerate()
        .map(|(at, text)| SourceFile { name: format!("{at}.yaml"), text })
        .collect();
    let loaded = load(&files, &Options::default());
    let _ = (diagnostic::text(&loaded), diagnostic::json(&loaded), diagnostic::falco_json(&loaded));
});
