//! Credentials, region, endpoint, HTTP.

use std::sync::LazyLock;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudwatchlogs::config::{SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};

/// One pool of connections for all clients.
static HTTP: LazyLock<SharedHttpClient> = LazyLock::new(|| {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.set_proxy_config(proxy());
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    })
});

/// The proxy that the environment names for TLS. What is asked in plain text are the node's own credential services, which
/// no proxy can reach.
fn proxy() -> Option<ProxyConfig> {
    let given = |names: &[&str]| {
        names.iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()))
    };
    let url = given(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])?;
    match ProxyConfig::https(url) {
        Ok(proxy) => Some(proxy.no_proxy(given(&["NO_PROXY", "no_proxy"]).unwrap_or_default())),
        Err(error) => {
            tracing::error!(%error, "the proxy for AWS cannot be used; going without");
            None
        }
    }
}

/// Fresh settings, with nothing cached, for reading `log`: IRSA, EKS Pod Identity, or whatever else the SDK's default chain
/// finds, and then the role that the configuration names.
pub(super) async fn config(log: &crate::config::Log, endpoint_url: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(HTTP.clone())
        .region(Region::new(log.region.clone()))
        .timeout_config(timeouts);
    if let Some(url) = endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let base = loader.load().await;
    let Some((role, external_id)) = &log.role else { return once(base) };
    let mut assume = AssumeRoleProvider::builder(role).session_name("cloudwatch-bridge").configure(&base);
    if let Some(id) = external_id {
        assume = assume.external_id(id);
    }
    let provider = SharedCredentialsProvider::new(assume.build().await);
    once(base.into_builder().credentials_provider(provider).build())
}

/// Each request is counted against the budget, so the SDK makes none by itself.
fn once(config: SdkConfig) -> SdkConfig {
    config.into_builder().retry_config(RetryConfig::disabled()).build()
}

/// The same for a service whose requests nobody counts.
pub(super) fn retrying(config: SdkConfig) -> SdkConfig {
    config.into_builder().retry_config(RetryConfig::standard()).build()
}
