//! The HTTP client that delivers to a receiver.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};

use crate::config::Span;
use crate::reload::{Files, Reloaded};
use crate::tls::{self, ClientFiles, Unusable};

/// How to reach a receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long a connection may take to stand.
    pub connect_timeout: Span,
    /// How long a request may take with its answer.
    pub timeout: Span,
    /// Certificates.
    pub tls: ClientFiles,
}

impl Default for Options {
    fn default() -> Self {
        Self { connect_timeout: Span::secs(5), timeout: Span::secs(60), tls: ClientFiles::default() }
    }
}

/// A client that follows its certificate files. Clones share connections. Redirects are never followed (a 302
/// turns a POST into an empty GET); `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured.
#[derive(Clone, Debug)]
pub struct Client(Arc<Reloaded<reqwest::Client, Unusable>>);

impl Client {
    /// `user_agent` is what the receiver's access log shows: `cloudwatch-bridge/1.0.0`.
    ///
    /// # Errors
    /// [`Unusable`] names the file.
    pub fn new(user_agent: &str, options: &Options) -> Result<Self, Unusable> {
        let (user_agent, options) = (user_agent.to_owned(), options.clone());
        let build = move |files: &mut Files| {
            reqwest::Client::builder()
                .user_agent(&user_agent)
                .redirect(Policy::none())
                .connect_timeout(options.connect_timeout.0)
                .timeout(options.timeout.0)
                .pool_idle_timeout(Duration::from_secs(30))
                .tls_backend_preconfigured(tls::client(&options.tls, files)?)
                .build()
                .map_err(Unusable::Client)
        };
        Reloaded::new("client certificate", build).map(|client| Self(Arc::new(client)))
    }

    /// The client for the files as they are now. Ask for each request.
    #[must_use]
    pub fn get(&self) -> reqwest::Client {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::{Ipv4Addr, TcpListener};
    use std::process::{Command, Stdio};

    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::post;

    use super::{Client, Options};
    use crate::{http, shutdown::Shutdown, tls::tests::listener};

    fn client() -> reqwest::Client {
        Client::new("test", &Options::default()).unwrap().get()
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer() {
        let router = Router::new().route("/", post(async || Redirect::to("/elsewhere")));
        let (listener, shutdown) = (listener().await, Shutdown::new());
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let limits = http::Limits::default();
        let serving = tokio::spawn(http::serve(listener, None, router, limits, shutdown.clone()));
        assert_eq!(client().post(url).send().await.unwrap().status(), 303);
        shutdown.request();
        serving.await.unwrap();
    }

    /// Not a test by itself: the process that the test below gives a proxy to.
    #[tokio::test]
    #[ignore = "run as a child by the proxy test"]
    async fn child() {
        client().get("https://receiver.invalid/").send().await.unwrap_err();
    }

    #[test]
    fn a_proxy_is_honoured() {
        let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "client::tests::child", "--ignored"])
            .env("HTTPS_PROXY", format!("http://{}", proxy.local_addr().unwrap()))
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut asked = String::new();
        BufReader::new(proxy.accept().unwrap().0).read_line(&mut asked).unwrap();
        assert_eq!(asked, "CONNECT receiver.invalid:443 HTTP/1.1\r\n");
        assert!(child.wait().unwrap().success());
    }
}
