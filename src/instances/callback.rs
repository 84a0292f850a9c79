//! Where the events of an instance may go.
//!
//! The published examples name the platform's own inbound address as the callback: with the
//! originals that hands events to formulas, within the platform. Here it means that nothing is called
//! back, and events are listed only; so does every other address of the relay itself, because what
//! would come back is no notification.

use super::Settings;
use crate::model::Interest;
use crate::sink::{Objection, Reach, reach};
use crate::wire::elements::{BASE, ELEMENT, Terms, Wrong};
use crate::wire::url::Url;
use std::net::SocketAddr;

/// How the relay itself is known.
#[derive(Clone, Default, Debug)]
pub struct Own {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// What its certificate calls it.
    pub names: Vec<String>,
}

/// The key that is judged.
pub(super) const KEY: &str = "event.notification.callback.url";

/// Hosts of the original platforms: `api.cloud-elements.com` and its like, and
/// `api.openconnectors.<region>.ext.hana.ondemand.com`.
const PLATFORMS: [&str; 2] = ["cloud-elements.com", "hana.ondemand.com"];

/// What leaves for an instance with these terms, as far as it may.
///
/// # Errors
/// 400 that names the key: no callback where events are on, or one that may not be called.
pub(super) async fn judge(
    terms: &Terms,
    settings: &Settings,
    own: &Own,
) -> Result<Option<Interest>, Wrong> {
    let Some(interest) = terms.events.clone() else {
        return Ok(None);
    };
    let Some(url) = &terms.callback else {
        return Err(Wrong::at(
            KEY,
            "missing; events are on and have to go somewhere",
        ));
    };
    let here = Interest {
        calls_back: false,
        ..interest.clone()
    };
    if is_inbound_of_a_platform(url) {
        return Ok(Some(here));
    }
    match reach(url, settings.private_callbacks, &own.addresses, &own.names).await {
        Reach::Here => Ok(Some(here)),
        Reach::Elsewhere if is_plain(url) && !settings.plain_callbacks => {
            Err(Wrong::at(KEY, plain_refused()))
        }
        Reach::Elsewhere => Ok(Some(interest)),
        Reach::Forbidden(address, Objection::Private(why)) => Err(Wrong::at(
            KEY,
            format!(
                "the address {address} is {why}; [instances] private_callbacks = true in the configuration of the gateway allows it"
            ),
        )),
        Reach::Forbidden(address, why) => Err(Wrong::at(
            KEY,
            format!("the address {address} is {why} and is never called"),
        )),
    }
}

/// Whether what is posted there can be read by whoever is on the way.
pub fn is_plain(url: &Url) -> bool {
    !url.is_https()
}

/// What an owner is told whose callback is plain.
pub(super) fn plain_warning(settings: &Settings) -> String {
    match settings.plain_callbacks {
        true => {
            format!("{KEY}: http:// is not encrypted; whoever is on the way reads whole records")
        }
        false => format!("{KEY}: nothing is sent; {}", plain_refused()),
    }
}

fn plain_refused() -> &'static str {
    "http:// is not encrypted, and whoever is on the way would read whole records; give an https:// \
     address ([instances] plain_callbacks = true in the configuration of the gateway allows http://)"
}

/// Whether this is where QuickBooks posts to one of the original platforms.
fn is_inbound_of_a_platform(url: &Url) -> bool {
    let path = url.path().trim_end_matches('/');
    let inbound = path
        .strip_prefix(BASE)
        .and_then(|rest| rest.strip_prefix("/events/"));
    inbound.is_some_and(|element| element == ELEMENT)
        && PLATFORMS.iter().any(|platform| {
            let before = url.host().strip_suffix(platform);
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::client::{Trust, client_config};
    use crate::wire::elements::Oauth;
    use crate::wire::outgoing::open_connectors::OpenConnectors;
    use std::collections::BTreeMap;
    use std::time::Duration;

    async fn judged(url: Option<&str>, private: bool, plain: bool) -> Result<bool, String> {
        let settings = Settings {
            account: OpenConnectors::default(),
            retry_delays: Vec::new(),
            private_callbacks: private,
            plain_callbacks: plain,
            timeout: Duration::from_secs(15),
            tls: client_config(Trust::nobody(), None).unwrap(),
        };
        let terms = Terms {
            events: Some(Interest {
                webhook: true,
                polling: None,
                calls_back: true,
            }),
            callback: url.map(|url| Url::parse(url).unwrap()),
            signature_key: None,
            basic: None,
            headers: Vec::new(),
            oauth: Oauth::default(),
            realm: None,
            zones: BTreeMap::new(),
            refused: None,
            warnings: Vec::new(),
        };
        let own = Own {
            addresses: vec!["0.0.0.0:8443".parse().unwrap()],
            names: vec!["gateway.example".into()],
        };
        let interest = judge(&terms, &settings, &own).await;
        interest
            .map(|one| one.unwrap().calls_back)
            .map_err(|wrong| wrong.message)
    }

    #[tokio::test]
    async fn a_callback_that_leads_back_is_taken_and_nothing_is_called_back() {
        for url in [
            "https://api.openconnectors.us2.ext.hana.ondemand.com/elements/api-v2/events/quickbooks/",
            "https://api.cloud-elements.com/elements/api-v2/events/quickbooks/",
            "https://gateway.example/elements/api-v2/events/quickbooks",
            "https://127.0.0.1:8443/qbowebhook",
        ] {
            assert_eq!(judged(Some(url), true, false).await, Ok(false), "{url}");
        }
        let other =
            "https://api.cloud-elements.com.example.invalid/elements/api-v2/events/quickbooks/";
        assert_eq!(judged(Some(other), false, false).await, Ok(true));
    }

    #[tokio::test]
    async fn a_private_address_is_called_on_purpose_only() {
        let url = Some("https://192.168.1.7/hook");
        assert_eq!(judged(url, true, false).await, Ok(true));
        let refused = judged(url, false, false).await.unwrap_err();
        assert!(
            refused.starts_with(KEY) && refused.contains("private_callbacks"),
            "{refused}"
        );
        let never = judged(Some("http://169.254.169.254/"), true, true)
            .await
            .unwrap_err();
        assert!(never.contains("never"), "{never}");
    }

    #[tokio::test]
    async fn a_callback_without_tls_is_called_on_purpose_only() {
        for url in ["http://erp.example.invalid/hook", "HTTP://127.0.0.1:9/"] {
            assert_eq!(judged(Some(url), true, true).await, Ok(true));
            let refused = judged(Some(url), true, false).await.unwrap_err();
            assert!(
                refused.starts_with(KEY) && refused.contains("plain_callbacks"),
                "{refused}"
            );
        }
        // Nothing is called there.
        let own = Some("http://127.0.0.1:8443/qbowebhook");
        assert_eq!(judged(own, true, false).await, Ok(false));
    }

    #[tokio::test]
    async fn events_need_a_callback() {
        assert!(judged(None, true, true).await.unwrap_err().starts_with(KEY));
    }
}
