use super::{Value, Writer, decimal, read_object};

fn member(text: &str) -> Option<Value<'_>> {
    read_object(text.as_bytes())?.take("a")
}

#[test]
fn what_is_not_json_is_not_read() {
    for text in [
        "",
        "{",
        "}",
        "[]",
        "5",
        "null",
        "\"a\"",
        "{}{}",
        "{} x",
        "{a:1}",
        "{'a':1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":tru}",
        "{\"a\":NaN}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "\u{feff}{}",
        "{\"a\":1}\0",
        "{\"a\":/**/1}",
    ] {
        assert!(read_object(text.as_bytes()).is_none(), "{text}");
    }
}

#[test]
fn nesting_is_read_to_a_depth() {
    let nested = |depth: usize| alloc::format!("{}5{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(read_object(nested(32).as_bytes()).is_some());
    assert!(read_object(nested(33).as_bytes()).is_none());
    assert!(read_object(nested(100_000).as_bytes()).is_none());
}

#[test]
fn only_plain_whole_numbers_count_as_whole() {
    for (text, number) in [("0", 0), ("7", 7), ("18446744073709551615", u64::MAX)] {
        let object = alloc::format!(" {{ \"a\" : {text} }} ");
        assert_eq!(member(&object).and_then(Value::whole), Some(number));
    }
    for text in ["-1", "-0", "1.0", "1e3", "1E+3", "0.5", "18446744073709551616"] {
        let object = alloc::format!("{{\"a\":{text}}}");
        let value = member(&object).unwrap();
        assert!(value.is_number() && value.whole().is_none(), "{text}");
    }
}

#[test]
fn strings_that_no_host_can_mean_are_kept_apart() {
    for bytes in [
        &b"{\"a\":\"\xff\"}"[..],
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\\udc00\"}",
        b"{\"a\":\"\\ud800\\u0041\"}",
        b"{\"a\":\"\\ud800x\"}",
        b"{\"a\":\"\\udc00\\ud800\"}",
    ] {
        let value = read_object(bytes).and_then(|mut members| members.take("a"));
        assert_eq!(value.and_then(Value::text), Some(None));
    }
    let good = member(r#"{"a":"\u0041\ud83d\ude00\n\"\\\/é"}"#);
    assert_eq!(good.and_then(Value::text).flatten().as_deref(), Some("A😀\n\"\\/é"));
}

#[test]
fn a_member_named_twice_is_left_behind() {
    let mut members = read_object(br#"{"a":1,"a":2}"#).unwrap();
    assert_eq!(members.take("a").and_then(Value::whole), Some(1));
    assert!(!members.is_empty());
}

#[test]
fn what_is_written_is_read_again() {
    let text = "\"\\\u{0}\u{1f}\n é 😀 \u{2028}";
    let mut writer = Writer::object();
    writer.text("a", text);
    writer.number("b", u64::MAX);
    writer.boolean("c", true);
    let written = writer.end();
    let mut members = read_object(written.as_bytes()).unwrap();
    assert_eq!(members.take("a").and_then(Value::text).flatten().as_deref(), Some(text));
    assert_eq!(members.take("b").and_then(Value::whole), Some(u64::MAX));
    assert!(members.take("c").is_some() && members.is_empty());
    assert_eq!(decimal(0), "0");
    assert_eq!(decimal(1_234_567_890), "1234567890");
}
