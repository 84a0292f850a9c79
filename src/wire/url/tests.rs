//! What is taken for a URL, what is not, and what stands in the request line.

use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"))
}

#[test]
fn what_is_requested_is_what_was_written_in_its_normal_form() {
    for (text, normal) in [
        ("https://erp.example", "https://erp.example/"),
        ("HTTPS://ERP.Example:443/Hook", "https://erp.example/Hook"),
        ("http://erp.example:80?a=1", "http://erp.example/?a=1"),
        ("http://erp.example:8080", "http://erp.example:8080/"),
        ("https://erp.example:80/", "https://erp.example:80/"),
        (
            "https://[2001:DB8::0001]:8443/x",
            "https://[2001:db8::1]:8443/x",
        ),
        ("http://192.168.1.20/x//y/", "http://192.168.1.20/x//y/"),
        ("http://erp_1.lan./x", "http://erp_1.lan./x"),
        ("https://h/b\u{fc}cher", "https://h/b%C3%BCcher"),
        ("https://h/a|b?c|d={e}", "https://h/a%7Cb?c%7Cd=%7Be%7D"),
        (
            "https://h/\"<>^`{}[]'",
            "https://h/%22%3C%3E%5E%60%7B%7D%5B%5D'",
        ),
        (
            "https://h/?q=\u{1f600}&r=%20+",
            "https://h/?q=%F0%9F%98%80&r=%20+",
        ),
        ("https://h/a%2fb%C3%BC/...", "https://h/a%2fb%C3%BC/..."),
        (
            "https://h/?a=https://b/../c?d",
            "https://h/?a=https://b/../c?d",
        ),
        (
            "https://xn--bcher-kva.example/",
            "https://xn--bcher-kva.example/",
        ),
    ] {
        let url = read(text);
        assert_eq!(url.as_str(), normal, "{text}");
        assert_eq!(read(normal), url, "the normal form is read as itself");
    }
}

#[test]
fn host_and_port_are_those_that_are_dialled() {
    for (text, host, port, shown) in [
        (
            "https://Erp.example/s3cret?t=s3cret",
            "erp.example",
            443,
            "erp.example:443",
        ),
        ("http://erp.example", "erp.example", 80, "erp.example:80"),
        ("https://[::1]:8443/x", "::1", 8443, "[::1]:8443"),
        (
            "http://127.0.0.1:65535/",
            "127.0.0.1",
            65_535,
            "127.0.0.1:65535",
        ),
        ("http://127.0.0.1:1", "127.0.0.1", 1, "127.0.0.1:1"),
    ] {
        let url = read(text);
        assert_eq!((url.host(), url.port()), (host, port), "{text}");
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), format!("Url({shown})"));
    }
}

#[test]
fn what_could_mean_something_else_is_refused_with_its_reason() {
    let host = |text: &str| BadUrl::Host(text.into());
    let number = |text: &str| BadUrl::HostNumber(text.into());
    let port = |text: &str| BadUrl::Port(text.into());
    for (text, reason) in [
        ("", BadUrl::Scheme),
        ("/hooks", BadUrl::Scheme),
        ("erp.example/hook", BadUrl::Scheme),
        ("ftp://erp.example/", BadUrl::Scheme),
        ("https:/erp.example/", BadUrl::Scheme),
        ("https;//erp.example/", BadUrl::Scheme),
        ("http://127.0.0.1:99999/x", port("99999")),
        ("http://127.0.0.1:65536/x", port("65536")),
        ("http://127.0.0.1:0/x", port("0")),
        ("http://127.0.0.1:/x", port("")),
        ("http://127.0.0.1:+80/x", port("+80")),
        ("http://127.0.0.1:8o/x", port("8o")),
        ("http://a:1:2/x", port("1:2")),
        ("https://[::1]:x/", port("x")),
        ("https://", BadUrl::NoHost),
        ("https:///hook", BadUrl::NoHost),
        ("https://:443/", BadUrl::NoHost),
        ("https://?q", BadUrl::NoHost),
        ("https://user:pass@erp.example/", BadUrl::Credentials),
        ("https://user@erp.example/", BadUrl::Credentials),
        ("https://@erp.example/", BadUrl::Credentials),
        ("https://a b/", BadUrl::Blank),
        (" https://erp.example/", BadUrl::Blank),
        ("https://erp.example/\n", BadUrl::Blank),
        ("https://erp.example/a\tb", BadUrl::Blank),
        ("https://erp.example/a b", BadUrl::Blank),
        ("https://erp.example/\u{a0}", BadUrl::Blank),
        ("https://erp.example/\u{7f}", BadUrl::Blank),
        ("https:\\\\erp.example\\x", BadUrl::Backslash),
        ("https://erp.example/a\\b", BadUrl::Backslash),
        ("https://erp.example/#top", BadUrl::Fragment),
        ("https://erp.example#", BadUrl::Fragment),
        ("https://erp.example/100%", BadUrl::Percent),
        ("https://erp.example/%zz", BadUrl::Percent),
        ("https://erp.example/?a=%2", BadUrl::Percent),
        ("https://erp.example/a/../b", BadUrl::DotSegment),
        ("https://erp.example/./b", BadUrl::DotSegment),
        ("https://erp.example/a/%2E%2e", BadUrl::DotSegment),
        (
            "https://b\u{fc}cher.example/",
            BadUrl::HostNotAscii("b\u{fc}cher.example".into()),
        ),
        ("https://-/", host("-")),
        ("https://a..b/", host("a..b")),
        ("https://.a/", host(".a")),
        ("https://a-.example/", host("a-.example")),
        ("https://a%2eb/", host("a%2eb")),
        ("https://a,b/", host("a,b")),
        ("https://[::1/", host("[::1")),
        ("https://[::1]x/", host("[::1]x")),
        ("https://[erp.example]/", host("[erp.example]")),
        ("https://[127.0.0.1]/", host("[127.0.0.1]")),
        ("http://[fe80::1%25eth0]/", BadUrl::Zone("25eth0".into())),
        ("http://[fe80::1%eth0]/", BadUrl::Zone("eth0".into())),
        ("http://127.1/", number("127.1")),
        ("http://2130706433/", number("2130706433")),
        ("http://0x7f.0x1/", number("0x7f.0x1")),
        ("http://010.0.0.1/", number("010.0.0.1")),
        ("http://1.2.3.4.5/", number("1.2.3.4.5")),
        ("http://1.2.3.400/", number("1.2.3.400")),
    ] {
        assert_eq!(Url::parse(text), Err(reason), "{text}");
    }
    let long = |count| format!("https://h/{}", "x".repeat(count));
    assert_eq!(Url::parse(&long(BYTES_MAX)), Err(BadUrl::TooLong));
    assert!(Url::parse(&long(BYTES_MAX - 10)).is_ok());
}

proptest! {
    #[test]
    fn whatever_is_taken_can_stand_in_a_request_line(
        text in "https?://[a-z0-9.:\\[\\]@%\u{fc}-]{0,12}[/?]?[ -~\u{a0}-\u{2ff}]{0,20}",
    ) {
        if let Ok(url) = Url::parse(&text) {
            let normal = url.as_str();
            prop_assert!(normal.bytes().all(|byte| byte.is_ascii_graphic()), "{}", normal);
            let foul = ['|', '\\', '"', '<', '>', '^', '`', '{', '}', '#'];
            let is_clean = !normal.contains(foul);
            prop_assert!(is_clean, "{}", normal);
            prop_assert_eq!(Url::parse(normal), Ok(url.clone()));
        }
    }
}
