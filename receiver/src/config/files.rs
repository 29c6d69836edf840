//! The files that a configuration names, tried before anything is opened or listens.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use audit_service::config::{Check, Mistakes, SecretFile};
use audit_service::exit::chain;
use audit_service::tls;
use serde::{Deserialize, Serialize};

use super::{Auth, Config};
use crate::intake::{Access, TokenFile};
use crate::outputs::config::Http;

/// A configuration to start with: every file that it names can be used, which counts among its mistakes.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Startable(pub Config);

impl Check for Startable {
    fn check(&self, mistakes: &mut Mistakes) {
        let config = &self.0;
        config.check(mistakes);
        if let Some(Auth::Tokens(files)) = &config.auth {
            tokens("auth.tokens", files, mistakes);
        }
        if let Some(admission) = &config.admission {
            tokens("admission.secrets", &admission.secrets, mistakes);
        }
        if let Some(files) = &config.tls {
            let read = [
                ("certificate_file", Some(&files.certificate_file)),
                ("key_file", Some(&files.key_file)),
                ("client_ca_file", files.client_ca_file.as_ref()),
            ];
            together("tls", &read, || tls::Acceptor::new(files.clone()).map(drop), mistakes);
        }
        if let Some(file) = &config.admin.token_file {
            secret("admin.token_file", file, mistakes);
        }
        rules(config, mistakes);
        for (name, http) in &config.outputs.http {
            mistakes.within(&format!("outputs.http.{name}"), |mistakes| server(http, mistakes));
        }
        for (name, file) in &config.outputs.file {
            // As the output will: it is made where there is none.
            let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&file.path);
            opened_or(&format!("outputs.file.{name}.path"), opened, mistakes);
        }
    }
}

/// Those that were good the last time stand in for the rules after a restart, so they may be missing then.
fn rules(config: &Config, mistakes: &mut Mistakes) {
    if config.kept_rules().is_some_and(|kept| kept.exists()) {
        return;
    }
    for (at, path) in config.rules.iter().enumerate() {
        opened_or(&format!("rules[{at}]"), File::open(path), mistakes);
    }
}

fn tokens(key: &str, files: &[TokenFile], mistakes: &mut Mistakes) {
    for (at, file) in files.iter().enumerate() {
        let key = format!("{key}[{at}].file");
        if readable(&key, &file.file, mistakes)
            && let Err(error) = Access::known(vec![file.clone()])
        {
            mistakes.add(key, chain(&error));
        }
    }
}

fn server(http: &Http, mistakes: &mut Mistakes) {
    let headers = http.header_files.iter().map(|(name, file)| (format!("header_files.{name}"), file));
    let token = http.token_file.iter().map(|file| ("token_file".to_owned(), file));
    token.chain(headers).for_each(|(key, file)| secret(&key, file, mistakes));
    let read = [
        ("ca_file", http.tls.ca_file.as_ref()),
        ("certificate_file", http.tls.certificate_file.as_ref()),
        ("key_file", http.tls.key_file.as_ref()),
    ];
    together("tls", &read, || tls::client_config(&http.tls).map(drop), mistakes);
}

/// Files of which each is to be read, and that are then of use together.
fn together<E: Error + 'static>(
    key: &str,
    files: &[(&str, Option<&std::path::PathBuf>)],
    used: impl FnOnce() -> Result<(), E>,
    mistakes: &mut Mistakes,
) {
    let mut all = true;
    for (name, file) in files {
        all &= file.is_none_or(|file| readable(&format!("{key}.{name}"), file, mistakes));
    }
    if all && let Err(error) = used() {
        mistakes.add(key, chain(&error));
    }
}

fn secret(key: &str, file: &SecretFile, mistakes: &mut Mistakes) {
    if readable(key, file.path(), mistakes)
        && let Err(error) = file.read()
    {
        mistakes.add(key, format!("{}: write it there", chain(&error)));
    }
}

fn readable(key: &str, path: &Path, mistakes: &mut Mistakes) -> bool {
    opened_or(key, std::fs::read(path), mistakes)
}

fn opened_or<T>(key: &str, opened: io::Result<T>, mistakes: &mut Mistakes) -> bool {
    let Err(error) = opened else { return true };
    let mend = match error.kind() {
        io::ErrorKind::NotFound => "make it, or name another one",
        io::ErrorKind::PermissionDenied => "give the user of this process the right to it",
        _ => "name a file that this process can use",
    };
    mistakes.add(key, format!("can't be opened: {error}: {mend}"));
    false
}
