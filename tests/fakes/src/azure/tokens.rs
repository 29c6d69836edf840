//! Tokens: shared access signatures, which are checked, and those that the fake Entra ID issued.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

use super::{KEY, KEY_NAME, form};

/// Tokens of Entra ID that are good, and until when.
#[derive(Debug, Default)]
pub(super) struct Issued(HashMap<String, Instant>);

impl Issued {
    pub(super) fn add(&mut self, token: &str, life: Duration) {
        self.0.insert(token.to_owned(), Instant::now() + life);
    }

    /// How long a token put for an audience stays good, or why it is not.
    pub(super) fn check(&self, kind: &str, token: &str, audience: &str) -> Result<Duration, String> {
        match kind {
            "servicebus.windows.net:sastoken" => signature(token, audience),
            "jwt" => {
                let expiry = self.0.get(token).ok_or("the token is of an unknown issuer")?;
                let left = expiry.saturating_duration_since(Instant::now());
                if left.is_zero() { Err("the token is expired".to_owned()) } else { Ok(left) }
            }
            other => Err(format!("tokens of the type `{other}` are not known")),
        }
    }
}

/// The life left in `SharedAccessSignature sr=..&sig=..&se=..&skn=..`.
fn signature(token: &str, audience: &str) -> Result<Duration, String> {
    let fields = token.strip_prefix("SharedAccessSignature ").ok_or("not a shared access signature")?;
    let raw = |name: &str| {
        let fields = fields.split('&').filter_map(|field| field.split_once('='));
        fields.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let field = |name: &str| raw(name).ok_or(format!("the signature is without `{name}`"));
    let decoded = |name: &str| {
        let value = format!("v={}", field(name)?);
        Ok::<_, String>(form(value.as_bytes()).remove("v").unwrap_or_default())
    };
    if decoded("skn")? != KEY_NAME {
        return Err("no policy of that name".to_owned());
    }
    let expiry = field("se")?;
    let signed = format!("{}\n{expiry}", field("sr")?);
    let signature = BASE64_STANDARD.decode(decoded("sig")?).map_err(|error| error.to_string())?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &signature).map_err(|_| "the signature is invalid")?;
    if !path(audience).starts_with(path(&decoded("sr")?)) {
        return Err("the signature is for another resource".to_owned());
    }
    let expiry = Duration::from_secs(expiry.parse().map_err(|_| "`se` is no number")?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = expiry.saturating_sub(now);
    if left.is_zero() { Err("the signature is expired".to_owned()) } else { Ok(left) }
}

/// The path of a resource, without scheme and host: clients differ in both.
pub(super) fn path(resource: &str) -> &str {
    let behind = resource
        .split_once("://")
        .map_or(resource, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    behind.trim_matches('/')
}
