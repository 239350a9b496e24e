//! Secrets of the shapes that occur in such a product, none of them anybody's.

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use super::rng::Rng;

/// What a key chain entry holds: a password, a key, tokens, a binary key file, or nothing yet.
pub(super) fn payload(rng: &mut Rng) -> Vec<u8> {
    match rng.below(12) {
        0 => Vec::new(),
        1 => binary(rng),
        2..=4 => pem(rng).into_bytes(),
        5 | 6 => oauth(rng).to_string().into_bytes(),
        7 => bearer(rng).to_string().into_bytes(),
        _ => password(rng).into_bytes(),
    }
}

/// How a connector or an MCP server is authenticated: the whole blob, as the product stores it.
pub(super) fn authentication(rng: &mut Rng) -> Vec<u8> {
    let blob = match rng.below(5) {
        0 => json!({ "kind": "basic", "username": user(rng), "password": password(rng) }),
        1 => bearer(rng),
        2 | 3 => oauth(rng),
        _ => headers(rng),
    };
    blob.to_string().into_bytes()
}

pub(super) fn password(rng: &mut Rng) -> String {
    match rng.below(4) {
        // Out of a password manager.
        0 => {
            let len = rng.between(16, 40);
            rng.text(b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789!#$%&*+-=?@_~", len)
        }
        // Words, as people choose them, with letters beyond ASCII too.
        1 => format!("{}-{}-{}", rng.pick(&WORDS), rng.pick(&WORDS), rng.between(10, 9_999)),
        2 => format!("{} {} {}", rng.pick(&WORDS), rng.pick(&WORDS), rng.pick(&WORDS)),
        // A PIN.
        _ => {
            let len = rng.between(4, 8);
            rng.text(b"0123456789", len)
        }
    }
}

/// The name and place of a key, with its pass phrase.
pub(super) fn key_reference(rng: &mut Rng) -> String {
    let reference = json!({
        "keyChainEntry": format!("kc-{}", rng.hex(12)),
        "path": format!("/home/{}/.ssh/id_ed25519", user(rng)),
        "passphrase": if rng.one_in(3) { String::new() } else { password(rng) },
        "fingerprint": format!("SHA256:{}", token(rng, 32)),
    });
    reference.to_string()
}

pub(super) fn camera(rng: &mut Rng) -> String {
    let (user, password) = (user(rng), rng.text(b"abcdefghijkmnpqrstuvwxyz23456789", 12));
    let host = format!("10.{}.{}.{}", rng.below(256), rng.below(256), rng.between(1, 254));
    let camera = json!({
        "protocol": "rtsp",
        "url": format!("rtsp://{user}:{password}@{host}:554/Streaming/Channels/{}01", rng.between(1, 4)),
        "onvif": { "username": user, "password": password, "port": 8000 },
    });
    camera.to_string()
}

/// A private key in its usual armour; what is inside is random.
fn pem(rng: &mut Rng) -> String {
    let label = rng.pick(&["OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY"]);
    let len = rng.between(180, 1_700);
    let text = Base64::encode_string(&rng.bytes(len));
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at.is_multiple_of(64) {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}

/// A key file that is no text: every byte occurs.
fn binary(rng: &mut Rng) -> Vec<u8> {
    let len = rng.between(64, 3_000);
    let mut file = vec![0x30, 0x82, 0x00, 0xff];
    file.extend(rng.bytes(len));
    file
}

fn oauth(rng: &mut Rng) -> Value {
    json!({
        "kind": "oauth2",
        "access_token": jwt(rng),
        "refresh_token": token(rng, 48),
        "token_type": "Bearer",
        "expires_in": rng.between(600, 86_400),
        "scope": rng.pick(&["read write", "repo workflow", "openid profile offline_access", "chat:write files:read"]),
        "client_secret": token(rng, 24),
    })
}

fn bearer(rng: &mut Rng) -> Value {
    let prefix = rng.pick(&["", "sk-", "xoxb-", "pat_", "glx-"]);
    let len = rng.between(24, 64);
    json!({ "kind": "bearer", "token": format!("{prefix}{}", token(rng, len)) })
}

fn headers(rng: &mut Rng) -> Value {
    json!({
        "kind": "headers",
        "headers": [
            { "name": "X-Api-Key", "value": rng.hex(40) },
            { "name": "X-Tenant", "value": format!("{}-{}", rng.pick(&WORDS), rng.below(100)) },
            { "name": "Authorization", "value": format!("Basic {}", Base64::encode_string(&rng.bytes(24))) },
        ],
    })
}

fn jwt(rng: &mut Rng) -> String {
    let head = Base64UrlUnpadded::encode_string(br#"{"alg":"RS256","typ":"JWT"}"#);
    let claims = json!({ "sub": user(rng), "jti": rng.hex(32), "exp": rng.between(1_760_000_000, 1_790_000_000) });
    let claims = Base64UrlUnpadded::encode_string(claims.to_string().as_bytes());
    format!("{head}.{claims}.{}", token(rng, 256))
}

fn token(rng: &mut Rng, bytes: usize) -> String {
    Base64UrlUnpadded::encode_string(&rng.bytes(bytes))
}

fn user(rng: &mut Rng) -> String {
    format!("{}{}", rng.pick(&["svc-", "ops.", "admin-", "", "deploy-"]), rng.pick(&NAMES))
}

const NAMES: [&str; 10] = ["amira", "bjørn", "chen", "dora", "emeka", "fatima", "goran", "hana", "ines", "jürgen"];

const WORDS: [&str; 16] = [
    "amber", "Büro", "canyon", "dźwig", "Ereignis", "forêt", "glacier", "harbour", "isbjørn", "jasmin", "Könige",
    "lantern", "мост", "ночь", "東京", "서울",
];
