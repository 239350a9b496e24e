//! Who may knock: loopback only, and only the web pages that were named.

use std::{io::Write, net::TcpStream, process::Stdio};

use crate::harness::{Answer, Server, authorization, command, head, refused};

const PAGE: &str = "http://127.0.0.1:8080";

fn with_host(kms: &Server, host: &str) -> Answer {
    let head = head("ListKeys", &authorization("org-a"));
    kms.raw(&format!("POST / HTTP/1.1\r\n{host}{head}"), b"{}").unwrap()
}

#[test]
fn a_host_that_is_not_loopback_is_refused() {
    let kms = Server::new();
    for host in ["127.0.0.1", "localhost:1", "LocalHost", "[::1]:80", "127.0.0.2"] {
        assert_eq!(with_host(&kms, &format!("Host: {host}\r\n")).status, 200, "{host}");
    }
    for host in ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", "0.0.0.0"] {
        let answer = with_host(&kms, &format!("Host: {host}\r\n"));
        assert_eq!((answer.status, answer.fault().as_str()), (403, "HostRefusedException"), "{host}");
    }
    assert_eq!(with_host(&kms, "").fault(), "HostRefusedException", "none at all");
    assert_eq!(with_host(&kms, "Host: localhost\r\nHost: evil.example\r\n").fault(), "HostRefusedException");
    let head = head("ListKeys", &authorization("org-a"));
    let absolute = format!("POST http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n{head}");
    assert_eq!(kms.raw(&absolute, b"{}").unwrap().fault(), "HostRefusedException");
}

fn with_origin(kms: &Server, origin: &str) -> Answer {
    let head = head("ListKeys", &authorization("org-a"));
    kms.post(&format!("{head}\r\n{origin}"), b"{}")
}

#[test]
fn an_origin_that_is_not_named_is_refused() {
    let kms = Server::with(&["--allow-origin", PAGE, "--allow-origin", "https://app.example"]);
    for origin in [PAGE, "https://app.example"] {
        let answer = with_origin(&kms, &format!("Origin: {origin}"));
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains(&format!("access-control-allow-origin: {origin}\r\n")), "{}", answer.head);
    }
    let others = [
        "null",
        "",
        "http://127.0.0.1:8081",
        "https://127.0.0.1:8080",
        "http://localhost:8080",
        "http://app.example",
        "https://app.example.evil.example",
        "https://app.example:443",
        "HTTPS://APP.EXAMPLE",
    ];
    for origin in others {
        let answer = with_origin(&kms, &format!("Origin: {origin}"));
        assert_eq!((answer.status, answer.fault().as_str()), (403, "OriginRefusedException"), "{origin}");
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
    let twice = with_origin(&kms, &format!("Origin: {PAGE}\r\nOrigin: {PAGE}"));
    assert_eq!(twice.fault(), "OriginRefusedException");
    let nobody = Server::new();
    assert_eq!(with_origin(&nobody, &format!("Origin: {PAGE}")).fault(), "OriginRefusedException");
}

#[test]
fn only_a_named_page_gets_its_preflight_answered() {
    let kms = Server::with(&["--allow-origin", PAGE]);
    let preflight = |host: &str, origin: &str| {
        let wish = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-amz-target";
        kms.raw(&format!("OPTIONS / HTTP/1.1\r\nHost: {host}\r\n{origin}{wish}"), b"").unwrap()
    };
    let answer = preflight("localhost", &format!("Origin: {PAGE}\r\n"));
    assert_eq!(answer.status, 204);
    for header in [
        "access-control-allow-origin: http://127.0.0.1:8080\r\n",
        "access-control-allow-methods: POST\r\n",
        "vary: origin",
    ] {
        assert!(answer.head.contains(header), "{}", answer.head);
    }
    for name in [
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "content-type",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-target",
        "x-amz-user-agent",
    ] {
        assert!(answer.head.contains(name), "{name}");
    }
    assert_eq!(kms.log().len(), 0, "a preflight is no call");
    let refused = [
        preflight("localhost", "Origin: http://evil.example\r\n"),
        preflight("localhost", "Origin: null\r\n"),
        preflight("evil.example", &format!("Origin: {PAGE}\r\n")),
        preflight("localhost", ""),
    ];
    for answer in refused {
        assert!(answer.status == 403 || answer.status == 405);
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
}

#[test]
fn only_the_protocols_own_form_of_request_is_taken() {
    let kms = Server::new();
    let head = head("ListKeys", &authorization("org-a"));
    for line in ["GET /", "PUT /", "HEAD /x", "POST /x", "POST /?x", "OPTIONS /"] {
        let answer = kms.raw(&format!("{line} HTTP/1.1\r\nHost: localhost\r\n{head}"), b"{}").unwrap();
        assert_eq!(answer.status, 405, "{line}");
    }
    for kind in ["text/plain", "application/json", "application/x-amz-json-1.0", "application/x-www-form-urlencoded"] {
        let head = head.replace("application/x-amz-json-1.1", kind);
        assert_eq!(kms.post(&head, b"{}").fault(), "MethodRefusedException", "{kind}");
    }
}

#[test]
fn a_body_past_the_limit_is_refused() {
    let kms = Server::new();
    let head = head("ListKeys", &authorization("org-a"));
    let body = |length: usize| [b"{}".as_slice(), &vec![b' '; length - 2]].concat();
    assert_eq!(kms.post(&head, &body(65_536)).status, 200);
    let answer = kms.post(&head, &body(65_537));
    assert_eq!((answer.status, answer.fault().as_str()), (413, "RequestTooLargeException"));
}

#[test]
fn a_peer_that_breaks_off_does_no_harm() {
    let kms = Server::new();
    for start in ["", "POST", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", "\0\0\r\n\r\n"] {
        let mut stream = TcpStream::connect(("127.0.0.1", kms.port)).unwrap();
        stream.write_all(start.as_bytes()).unwrap();
    }
    assert_eq!(kms.fault("org-a", "ListKeys", &serde_json::json!({})), "no fault");
}

#[test]
fn it_listens_on_loopback_only() {
    let home = tempfile::TempDir::new().unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0", "localhost:0", "127.0.0.1", ""] {
        refused(&home.path().join("kms"), &["--listen", address]);
    }
    assert!(!home.path().join("kms").exists(), "a refused start makes nothing");
}

#[test]
fn it_does_not_start_with_an_origin_that_no_browser_sends() {
    let home = tempfile::TempDir::new().unwrap();
    for origin in ["*", "null", "127.0.0.1:8080", "http://127.0.0.1:8080/", "HTTP://a"] {
        refused(&home.path().join("kms"), &["--allow-origin", origin]);
    }
}

#[test]
fn it_says_that_it_is_not_for_production() {
    let home = tempfile::TempDir::new().unwrap();
    let mut child =
        command(&home.path().join("kms"), &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stderr.take().unwrap()), &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("NOT for production"), "{line}");
}
