use super::{Value, Writer, decimal, read_object};

fn member(text: &str) -> Option<Value> {
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
        "{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}",
        "\u{feff}{}",
        "{\"a\":1}\0",
        "{\"a\":/**/1}",
    ] {
        assert!(read_object(text.as_bytes()).is_none(), "{text}");
    }
}

#[test]
fn only_plain_whole_numbers_count_as_whole() {
    for (text, number) in [("0", 0), ("7", 7), ("18446744073709551615", u64::MAX)] {
        let object = alloc::format!(" {{ \"a\" : {text} }} ");
        assert!(matches!(member(&object), Some(Value::Whole(found)) if found == number));
    }
    for text in ["-1", "-0", "1.0", "1e3", "1E+3", "0.5", "18446744073709551616"] {
        let object = alloc::format!("{{\"a\":{text}}}");
        assert!(matches!(member(&object), Some(Value::OtherNumber)), "{text}");
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
        assert!(matches!(value, Some(Value::Text(None))));
    }
    let good = member(r#"{"a":"\u0041\ud83d\ude00\n\"\\\/é"}"#);
    assert!(matches!(good, Some(Value::Text(Some(text))) if text == "A😀\n\"\\/é"));
}

#[test]
fn a_member_named_twice_is_left_behind() {
    let mut members = read_object(br#"{"a":1,"a":2}"#).unwrap();
    assert!(matches!(members.take("a"), Some(Value::Whole(1))));
    assert!(!members.is_empty());
}

#[test]
fn what_is_written_is_read_again() {
    let text = "\"\\\u{0}\u{1f}\n é 😀 \u{2028}";
    let mut writer = Writer::object();
    writer.text("a", text);
    writer.number("b", u64::MAX);
    writer.boolean("c", true);
    let mut members = read_object(writer.end().as_bytes()).unwrap();
    assert!(matches!(members.take("a"), Some(Value::Text(Some(read))) if read == text));
    assert!(matches!(members.take("b"), Some(Value::Whole(u64::MAX))));
    assert!(matches!(members.take("c"), Some(Value::Bool)));
    assert_eq!(decimal(0), "0");
    assert_eq!(decimal(1_234_567_890), "1234567890");
}
