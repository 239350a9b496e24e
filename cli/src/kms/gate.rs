//! Who may knock: loopback hosts, and web pages that were named at the start.

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, HeaderName, HeaderValue, ORIGIN, VARY,
    },
    http::request::Parts,
};

use super::fault::Fault;

/// The rules for `Host` and `Origin`.
pub(super) struct Gate {
    origins: Vec<String>,
}

impl Gate {
    pub(super) fn new(origins: &[Origin]) -> Self {
        Self { origins: origins.iter().map(|origin| origin.0.clone()).collect() }
    }

    /// Lets a request in and returns the CORS headers of its answer.
    ///
    /// A browser that was tricked into sending here (a name that resolves to loopback, any open
    /// page) says so in these two headers, so every request must pass, preflight or not.
    ///
    /// # Errors
    /// [`Fault::HostRefused`], [`Fault::OriginRefused`].
    pub(super) fn admit(&self, request: &Parts) -> Result<HeaderMap, Fault> {
        let host = only(&request.headers, &HOST)?.and_then(|host| host.to_str().ok());
        if request.uri.authority().is_some() || !host.is_some_and(is_loopback) {
            return Err(Fault::HostRefused);
        }
        let mut cors = HeaderMap::new();
        cors.insert(VARY, HeaderValue::from_static("origin"));
        let origin = only(&request.headers, &ORIGIN).map_err(|_| Fault::OriginRefused)?;
        if let Some(origin) = origin {
            if !self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
                return Err(Fault::OriginRefused);
            }
            cors.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            cors.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
        Ok(cors)
    }
}

/// Adds what a preflight asks for: the method and the headers of the AWS SDK for browsers.
pub(super) fn preflight(cors: &mut HeaderMap) {
    cors.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    cors.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ACCEPTED));
    cors.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

/// An origin as `--allow-origin` takes it: `scheme://host` or `scheme://host:port`, as browsers
/// write it. `null` is none: any page can make itself a `null` origin.
#[derive(Clone)]
pub(crate) struct Origin(String);

impl std::str::FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_:[]".contains(c);
        let scheme = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
        match text.split_once("://") {
            Some((before, after))
                if !before.is_empty() && before.chars().all(scheme) && !after.is_empty() && after.chars().all(host) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err("an origin is scheme://host or scheme://host:port in lower case, no path"),
        }
    }
}

/// The one value of a header; two are refused, because readers differ in which they take.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Fault> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Fault::HostRefused),
    }
}

/// `localhost`, `127.x.x.x` or `[::1]`, with any port or none.
fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) => (name, port.strip_prefix(':').or(port.is_empty().then_some("0"))),
            None => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, Some("0")),
        },
    };
    let port_ok = port.is_some_and(|port| port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let bracketed = host.starts_with('[');
    let name_ok = match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() && address.is_ipv6() == bracketed,
        Err(_) => !bracketed && name.eq_ignore_ascii_case("localhost"),
    };
    port_ok && name_ok
}

const ACCEPTED: &str = "amz-sdk-invocation-id, amz-sdk-request, authorization, content-type, \
     x-amz-content-sha256, x-amz-date, x-amz-security-token, x-amz-target, x-amz-user-agent";
const EXPOSED: &str = "date, x-amzn-errortype, x-amzn-requestid";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_pass() {
        for host in ["127.0.0.1", "127.0.0.1:80", "localhost:9", "LOCALHOST", "127.9.9.9:1", "[::1]:8", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            ":80",
            "example.com",
            "example.com:80",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "0.0.0.0",
            "10.0.0.1:80",
            "[::]:80",
            "::1",
            "[127.0.0.1]",
            "[localhost]",
            "[::1",
            "[::1]x",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "localhost:+1",
            "127.1",
            "2130706433",
            "a@127.0.0.1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn an_origin_has_one_spelling() {
        for good in ["http://127.0.0.1:8080", "https://app.example.com", "http://[::1]:1", "app://preview"] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "127.0.0.1:80",
            "http://",
            "http://a/",
            "http://a/b",
            "HTTP://a",
            "http://A",
            "http://a b",
            "://a",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
