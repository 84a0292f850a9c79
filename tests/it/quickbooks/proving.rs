//! The number of the company stands in the address of a redirect, where anybody can write another:
//! nothing is stored before QuickBooks has shown that company to the new tokens.

use super::connecting::{REALM, Scene};
use qbo_relay::model::Environment;
use qbo_relay::simulate::intuit_company::faults::{Fault, Rule};
use qbo_relay::simulate::intuit_company::{Call, CompanyFacts, Options};
use serde_json::Value;

/// Another company of the simulated Intuit.
const OTHER: &str = "9341455841580196";

/// Two companies, of which [`REALM`] consents first.
async fn scene() -> Scene {
    let company = |realm: &str| CompanyFacts {
        realm: realm.to_owned(),
        environment: Environment::Production,
    };
    let options = Options {
        companies: vec![company(REALM), company(OTHER)],
        ..Options::default()
    };
    Scene::of(options).await
}

fn only(rule: Rule, realm: &str, call: Call) -> Rule {
    Rule {
        call: Some(call),
        ..rule.of(realm)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_one_company_are_not_kept_for_another() {
    let scene = scene().await;
    let redirect = scene.consent(&scene.begin()).await;
    let (status, page) = scene.come_back(&redirect).await;
    assert_eq!(status, 200, "{page}");
    let before = scene.companies();

    // The second consent is that of the other company; the address says it were the first's.
    let redirect = scene.consent(&scene.begin()).await;
    assert!(redirect.contains(OTHER), "{redirect}");
    let forged = redirect.replace(OTHER, REALM);
    let (status, page) = scene.come_back(&forged).await;
    assert_eq!(status, 400, "{page}");
    assert!(page.contains(&format!("not of company {REALM}")), "{page}");
    assert!(page.contains("dropped and not revoked"), "{page}");
    assert_eq!(scene.companies(), before, "the old connection stands");

    // The company that it really was, was not touched by it, and can consent.
    let of_other = async || {
        let address = format!("{}&realm={OTHER}", scene.begin());
        scene.consent(&address).await
    };
    let (status, page) = scene.come_back(&of_other().await).await;
    assert!(status == 200 && page.contains(OTHER), "{page}");
    assert_eq!(scene.companies().len(), 2);

    // Under another number again: Intuit would end the other company's connection with these tokens.
    let forged = of_other().await.replace(OTHER, REALM);
    let (status, page) = scene.come_back(&forged).await;
    assert_eq!(status, 400, "{page}");
    assert_eq!(scene.intuit.calls().all(Call::Revoke), 0);

    // Where no company is connected any more, nothing can be ended by it.
    for realm in [REALM, OTHER] {
        scene.says(&["company", "disconnect", realm]);
    }
    let forged = of_other().await.replace(OTHER, REALM);
    let (status, page) = scene.come_back(&forged).await;
    assert_eq!(status, 400, "{page}");
    assert!(page.contains("They were revoked at Intuit"), "{page}");
    assert_eq!(scene.intuit.calls().all(Call::Revoke), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_that_is_not_there_is_not_made_by_a_redirect() {
    let scene = scene().await;
    for (at, made_up) in ["1", "9341455841580197", "93414558415801950"]
        .iter()
        .enumerate()
    {
        let redirect = scene.consent(&scene.begin()).await;
        let (status, page) = scene.come_back(&redirect.replace(REALM, made_up)).await;
        assert_eq!(status, 400, "{page}");
        assert!(
            page.contains(&format!("not of company {made_up}")),
            "{page}"
        );
        assert_eq!(scene.companies(), Vec::<Value>::new());
        assert_eq!(scene.intuit.calls().all(Call::Revoke), at as u64 + 1);
    }
    // A pasted address is believed no more than one that came by itself.
    let redirect = scene.consent(&scene.begin()).await;
    let told = scene.complains(&["connect", "--paste", &redirect.replace(REALM, OTHER)]);
    assert!(told.contains(&format!("not of company {OTHER}")), "{told}");
    assert_eq!(scene.companies(), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_quickbooks_cannot_be_asked_nothing_is_stored_and_nothing_is_ended() {
    let scene = scene().await;
    let out_of_order = Rule::new(Fault::Status { status: 503 });
    scene
        .intuit
        .faults()
        .set(vec![only(out_of_order, REALM, Call::CompanyInfo)]);
    let redirect = scene.consent(&scene.begin()).await;
    let (status, page) = scene.come_back(&redirect).await;
    assert_eq!(status, 400, "{page}");
    assert!(
        page.contains("could not be asked") && page.contains("begin again"),
        "{page}"
    );
    assert_eq!(scene.companies(), Vec::<Value>::new());
    assert_eq!(scene.intuit.calls().all(Call::Revoke), 0);

    scene.intuit.faults().clear();
    let redirect = scene.consent(&scene.begin()).await;
    let (status, page) = scene.come_back(&redirect).await;
    assert_eq!(status, 200, "{page}");
}
