//! Bad configurations, each refused with the line, the key and what to do.

use crate::support::relay::{Gateway, qbo_relay};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

fn check(gateway: &Gateway) -> (Option<i32>, String) {
    let output = gateway.command(&["check"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), told)
}

/// Both commands refuse, and say this.
#[track_caller]
fn refused(gateway: &Gateway, parts: &[&str]) {
    let (code, told) = check(gateway);
    assert_eq!(code, Some(2), "{told}");
    for part in parts {
        assert!(told.contains(part), "no {part:?} in: {told}");
    }
    let run = gateway.command(&["run"]);
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(2), "{told}");
    for part in parts {
        assert!(told.contains(part), "no {part:?} in: {told}");
    }
}

const FILE_SINK: &str = "[[sink]]\nname = \"lines\"\nkind = \"file\"\npath = \"out.jsonl\"\n";

fn with_certificate(gateway: &Gateway, certificate: &str, key: &str) {
    gateway.write("cert.pem", certificate);
    gateway.write("key.pem", key);
    gateway.write(
        "qbo-relay.toml",
        "[listen]\nhttps = \"127.0.0.1:0\"\n[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n[[verifier]]\nname = \"test\"\ntoken_file = \"verifier\"\n[journal]\npath = \"state/journal.db\"\n[admin]\nlisten = \"127.0.0.1:0\"\n",
    );
}

#[test]
fn a_good_configuration_is_explained_and_usable() {
    let gateway = Gateway::new(FILE_SINK);
    let (code, told) = check(&gateway);
    assert_eq!(code, Some(0), "{told}");
    for part in [
        "paths /qbowebhook, /webhooks",
        "\"test\" has a token",
        "[[sink]] lines",
        "warning",
    ] {
        assert!(told.contains(part), "no {part:?} in: {told}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let gateway =
        Gateway::new("[[sink]]\nname = \"a\"\nkind = \"file\"\npath = \"o\"\nveriifer = 1\n");
    refused(&gateway, &["qbo-relay.toml:16", "veriifer"]);
}

#[test]
fn a_missing_configuration_is_named() {
    let gateway = Gateway::new(FILE_SINK);
    std::fs::remove_file(gateway.path("qbo-relay.toml")).unwrap();
    refused(&gateway, &["qbo-relay.toml", "cannot be read"]);
}

#[test]
fn an_unreadable_secret_is_named_with_key_and_file() {
    let gateway = Gateway::new(FILE_SINK);
    std::fs::remove_file(gateway.path("verifier")).unwrap();
    refused(&gateway, &["qbo-relay.toml:7", "token", "verifier"]);
}

#[test]
fn two_sinks_of_one_name_are_refused() {
    let gateway = Gateway::new(&format!("{FILE_SINK}{FILE_SINK}"));
    refused(
        &gateway,
        &["qbo-relay.toml:17", "two sinks are named \"lines\""],
    );
}

#[test]
fn a_secret_given_twice_is_refused() {
    let gateway = Gateway::new(
        "[[sink]]\nname = \"erp\"\nkind = \"http\"\nurl = \"https://erp.example/\"\nsigning_secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\nsigning_secret_file = \"x\"\n",
    );
    refused(&gateway, &["qbo-relay.toml:17", "exactly one of"]);
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    for (tables, part) in [
        (
            "[[sink]]\nname = \"a\"\nkind = \"carrier-pigeon\"\n",
            "carrier-pigeon",
        ),
        (
            "[[sink]]\nname = \"a b\"\nkind = \"file\"\npath = \"o\"\n",
            "a b",
        ),
        (
            "[[sink]]\nname = \"a\"\nkind = \"http\"\nurl = \"ftp://x/\"\n",
            "must begin with https",
        ),
        (
            "[[sink]]\nname = \"a\"\nkind = \"http\"\nurl = \"https://u:p@x/\"\n",
            "user",
        ),
        (
            "[[sink]]\nname = \"a\"\nkind = \"http\"\nurl = \"https://x/\"\nformat = \"soap\"\n",
            "soap",
        ),
        (
            "[[sink]]\nname = \"a\"\nkind = \"http\"\nurl = \"https://x/\"\ntimeout = \"soon\"\n",
            "soon",
        ),
        (
            "[[sink]]\nname = \"a\"\nkind = \"http\"\nurl = \"https://x/\"\nsigning_secret = \"whsec_AAAA\"\n",
            "signing_secret",
        ),
        (
            "[[sink]]\nname = \"instance-12\"\nkind = \"file\"\npath = \"o\"\n",
            "element instances",
        ),
        ("[instances]\nretry_delays = [\"1 ms\"]\n", "retry_delays"),
        ("[instances]\ntimeout = \"0 s\"\n", "timeout"),
        ("[instances]\nuser = \"\"\n", "user"),
        ("[instances]\naccount_id = 0\n", "account_id"),
        ("[instances]\nca_file = \"nowhere.pem\"\n", "nowhere.pem"),
        ("[led]\nboard = \"toaster\"\n", "toaster"),
        ("[log]\nlevel = \"loud\"\n", "level"),
    ] {
        refused(&Gateway::new(tables), &[part]);
    }
}

#[test]
fn a_sink_may_be_named_like_an_instance_as_long_as_no_number_follows() {
    let sink = "[[sink]]\nname = \"instance-a\"\nkind = \"file\"\npath = \"o\"\n";
    let (code, told) = check(&Gateway::new(sink));
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn an_admin_listener_says_how_it_speaks_and_a_unix_socket_has_no_tls() {
    let gateway = Gateway::new("");
    let config = |admin: &str| {
        format!(
            "[listen]\nhttps = \"127.0.0.1:0\"\n[tls]\nself_signed = true\n[[verifier]]\nname = \"test\"\ntoken_file = \"verifier\"\n[journal]\npath = \"state/journal.db\"\n[admin]\n{admin}\n"
        )
    };
    for (admin, part) in [
        ("listen = \"127.0.0.1:8081\"", "on 127.0.0.1:8081\n"),
        (
            "listen = \"127.0.0.1:8081\"\ntls = true",
            "on 127.0.0.1:8081, with TLS\n",
        ),
        ("listen = \"0.0.0.0:8081\"", "on 0.0.0.0:8081, with TLS\n"),
        (
            "listen = \"0.0.0.0:8081\"\ntls = false",
            "nothing is encrypted",
        ),
        ("listen = \"./admin.sock\"", "admin.sock\n"),
    ] {
        gateway.write("qbo-relay.toml", &config(admin));
        let (code, told) = check(&gateway);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains(part), "no {part:?} in: {told}");
    }
    let unix = config("listen = \"./admin.sock\"\ntls = true");
    gateway.write("qbo-relay.toml", &unix);
    refused(&gateway, &["qbo-relay.toml:12", "Unix socket"]);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let gateway = Gateway::new("");
    let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = KeyPair::generate().unwrap();
    with_certificate(&gateway, &one.cert.pem(), &other.serialize_pem());
    refused(&gateway, &["key.pem", "cert.pem", "does not belong"]);
}

#[test]
fn a_missing_certificate_file_is_named() {
    let gateway = Gateway::new("");
    let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    with_certificate(&gateway, &one.cert.pem(), &one.signing_key.serialize_pem());
    std::fs::remove_file(gateway.path("cert.pem")).unwrap();
    refused(&gateway, &["cert.pem"]);
}

#[test]
fn an_incomplete_chain_is_told_by_check_while_a_running_gateway_serves_on() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "Some Intermediate CA");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let mut gateway = Gateway::new("");
    with_certificate(&gateway, &leaf.pem(), &key.serialize_pem());
    let (code, told) = check(&gateway);
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("incomplete") && told.contains("Some Intermediate CA"),
        "{told}"
    );

    gateway.start();
    assert!(gateway.lines.iter().any(|line| line.contains("incomplete")));
    assert!(gateway.simulate(&["--count", "1"]).status.success());

    with_certificate(
        &gateway,
        &(leaf.pem() + &authority.pem()),
        &key.serialize_pem(),
    );
    let (code, told) = check(&gateway);
    assert_eq!(code, Some(0), "{told}");
}

/// `openssl req -x509` marks what it signs itself as an authority; other tools do not.
#[test]
fn a_client_that_is_told_to_trust_a_self_signed_certificate_takes_it_however_it_is_marked() {
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = is_ca;
        let certificate = params.self_signed(&key).unwrap();
        let mut gateway = Gateway::new("");
        with_certificate(&gateway, &certificate.pem(), &key.serialize_pem());
        gateway.start();
        let token = gateway.path("verifier").to_string_lossy().into_owned();
        let authority = gateway.path("cert.pem").to_string_lossy().into_owned();
        let post = |host: &str, trust: &[&str]| {
            let url = format!("https://{host}:{}/webhooks", gateway.https.unwrap().port());
            let words = ["simulate", &url, "--token-file", &token, "--count", "2"];
            qbo_relay(&[&words[..], trust].concat()).status.code()
        };
        assert_eq!(post("localhost", &["--ca-file", &authority]), Some(0));
        assert_eq!(
            post("127.0.0.1", &["--ca-file", &authority]),
            Some(1),
            "made out to another name"
        );
        assert_eq!(
            post("localhost", &[]),
            Some(1),
            "nobody else vouches for it"
        );
    }
}

#[test]
fn a_target_that_is_the_relay_itself_is_refused() {
    let gateway = Gateway::new("");
    let config = |port: u16, host: &str| {
        format!(
            "[listen]\nhttps = \"0.0.0.0:{port}\"\n[tls]\nself_signed = true\n[[verifier]]\nname = \"test\"\ntoken_file = \"verifier\"\n[journal]\npath = \"state/journal.db\"\n[[sink]]\nname = \"loop\"\nkind = \"http\"\nurl = \"https://{host}:8443/webhooks\"\n"
        )
    };
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        gateway.write("qbo-relay.toml", &config(8443, host));
        refused(&gateway, &["the relay itself", "qbo-relay.toml:13"]);
    }
    gateway.write("qbo-relay.toml", &config(8444, "localhost"));
    assert_eq!(
        check(&gateway).0,
        Some(0),
        "another port is another program"
    );
}

#[test]
fn an_address_that_means_nothing_or_two_things_is_refused_with_its_key_and_line() {
    let url = |url: &str| format!("[[sink]]\nname = \"a\"\nkind = \"http\"\nurl = '{url}'\n");
    for (address, why) in [
        ("http://127.0.0.1:99999/x", "url: its port \"99999\""),
        ("http://127.0.0.1:0/x", "url: its port \"0\""),
        ("https://bücher.example/", "xn--"),
        ("https://erp.example/a/../b", "a segment . or .."),
        (r"https:\\erp.example", "a backslash"),
        ("http://[fe80::1%25eth0]/", "its host has a zone"),
    ] {
        refused(&Gateway::new(&url(address)), &["qbo-relay.toml:15", why]);
    }
    let app = |key: &str, value: &str| {
        let redirect = match key {
            "redirect_uri" => value,
            _ => "https://gw.example/oauth/callback",
        };
        let other = match key {
            "redirect_uri" => String::new(),
            _ => format!("{key} = '{value}'\n"),
        };
        format!(
            "[[app]]\nname = \"office\"\nclient_id = \"AB\"\nclient_secret = \"s\"\nredirect_uri = '{redirect}'\n{other}"
        )
    };
    for (key, value, place) in [
        ("redirect_uri", "https://gw.example:0/oauth/callback", "16"),
        ("api_url", "https://intuit.example:70000", "17"),
        ("token_url", "https://intuit.example/to ken", "17"),
        ("discovery_url", "https://u@intuit.example/", "17"),
        ("revoke_url", "http://intuit.example/", "17"),
    ] {
        let place = format!("qbo-relay.toml:{place}");
        let gateway = Gateway::new(&app(key, value));
        refused(&gateway, &[&place, &format!("{key}: ")]);
    }
}
