//go:build cgo

package strongroom

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// The vectors run whole through the shim; here those that need no test build show
// that this package's own functions answer as they say.

func TestVectorsOfAdmission(t *testing.T) {
	ran := 0
	for _, it := range vectors(t, "admit/admit.json") {
		if it.Options != nil || slices.Contains(it.Flags, "Tombstone") {
			continue
		}
		vault, err := NewVault()
		if err != nil {
			t.Fatal(err)
		}
		var reply *KmsReply
		if it.Reply != nil {
			reply = it.Reply.reply()
		}
		ref, err := vault.Admit(it.Org, it.Row, reply)
		wantResult(t, it, ref, err)
		opened, err := vault.Open(it.Probe.binding(), it.Probe.Env)
		if it.Result == "ok" && string(opened) != string(it.Probe.Pt) {
			t.Errorf("case %d: %v", it.ID, err)
		}
		if it.Result != "ok" && !errors.Is(err, ErrUnknownDek) && it.Probe.Env != nil {
			t.Errorf("case %d: %v after an error", it.ID, err)
		}
		vault.Close()
		ran++
	}
	if ran < 50 {
		t.Errorf("only %d cases ran", ran)
	}
}

func TestVectorsOfThePrintableForm(t *testing.T) {
	for _, it := range vectors(t, "from_text/from_text.json") {
		var text string
		if json.Unmarshal(it.Text, &text) != nil || slices.Contains(it.Flags, "Untyped") {
			continue
		}
		envelope, err := FromText(text)
		wantResult(t, it, hexOf(envelope), err)
	}
	for _, it := range vectors(t, "to_text/to_text.json") {
		envelope, ok := plainHex(it.Env)
		if !ok {
			continue
		}
		text, err := ToText(envelope)
		wantResult(t, it, text, err)
	}
}

func TestVectorsOfInspection(t *testing.T) {
	for _, it := range vectors(t, "inspect/inspect.json") {
		envelope, ok := plainHex(it.Env)
		if !ok {
			continue
		}
		header, err := Inspect(envelope)
		wantResult(t, it, map[string]any{
			"version": float64(header.Version), "suite": float64(header.Suite), "padded": header.Padded,
			"dek_ref": hexOf(header.DekRef[:]), "ct_len": float64(header.CtLen),
		}, err)
	}
}

func TestVectorsOfTheEncryptionContext(t *testing.T) {
	for _, it := range vectors(t, "kms_context/kms_context.json") {
		if slices.Contains(it.Flags, "Utf8Bytes") || slices.Contains(it.Flags, "Utf16Units") {
			continue
		}
		context, err := KmsContext(it.Row)
		wantResult(t, it, context, err)
	}
}

func TestOnlyTheFipsEndpointIsAllowed(t *testing.T) {
	for _, allowed := range []string{"", "/", ":443", ":443/"} {
		if err := AssertFipsEndpoint(endpoint+allowed, "us-east-1"); err != nil {
			t.Errorf("%s: %v", allowed, err)
		}
	}
	for _, refused := range []string{
		"", " ", "kms-fips.us-east-1.amazonaws.com", "http://kms-fips.us-east-1.amazonaws.com",
		"HTTPS://kms-fips.us-east-1.amazonaws.com", "https://KMS-FIPS.us-east-1.amazonaws.com",
		"https://kms.us-east-1.amazonaws.com", "https://kms-fips.us-east-2.amazonaws.com",
		endpoint + ":80", endpoint + ":8443", endpoint + ":443//", endpoint + "//", endpoint + "/x",
		endpoint + "?x", endpoint + "#", endpoint + ".", endpoint + ".example.com", endpoint + "@example.com",
		"https://user@kms-fips.us-east-1.amazonaws.com", "https://example.com/" + endpoint,
		" " + endpoint, endpoint + "\n", endpoint + "\x00", "https://kms-fips.us-east-1.amazonaws.com.cn",
	} {
		if err := AssertFipsEndpoint(refused, "us-east-1"); !errors.Is(err, ErrEndpointPolicy) {
			t.Errorf("%q: %v", refused, err)
		}
	}
	for _, region := range []string{"", "US", "us_east_1", "us-east-1/", "us-east-1.evil", "\xff"} {
		if err := AssertFipsEndpoint(endpoint, region); !errors.Is(err, ErrBadInput) {
			t.Errorf("region %q: %v", region, err)
		}
	}
}

func TestTheErrorTableIsTheCores(t *testing.T) {
	source, err := os.ReadFile("../core/src/error.rs")
	if err != nil {
		t.Fatal(err)
	}
	entries := regexp.MustCompile(`\w+ = (\d+), "([A-Z_]+)", "([^"]+)";`).FindAllSubmatch(source, -1)
	if len(entries) != len(Errors()) || len(entries) == 0 {
		t.Fatalf("%d errors in the core, %d here", len(entries), len(Errors()))
	}
	for i, entry := range entries {
		mine := Errors()[i]
		number := strconv.FormatUint(uint64(mine.Number()), 10)
		if number != string(entry[1]) || mine.Name() != string(entry[2]) || mine.Text() != string(entry[3]) {
			t.Errorf("%s %s %q is %s", entry[1], entry[2], entry[3], mine)
		}
	}
	if !errors.Is(fromNumber(77), ErrInternal) || fromNumber(0) != nil {
		t.Error("numbers outside the table")
	}
}

func TestTheVersionNamesReleaseFormatAndBackend(t *testing.T) {
	if !regexp.MustCompile(`^strongroom \d+\.\d+\.\d+ format 1 aes=(soft|aes-ni|vaes|armv8|boring)$`).MatchString(Version()) {
		t.Error(Version())
	}
}

func TestNamesOfScopesAndReferencesHaveOneSpelling(t *testing.T) {
	var scope Scope
	for _, text := range []string{"", "Org", "records", " org"} {
		if err := scope.UnmarshalText([]byte(text)); !errors.Is(err, ErrBadInput) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := scope.UnmarshalText([]byte("record")); err != nil || scope != ScopeRecord {
		t.Errorf("%v, %v", scope, err)
	}
	if _, err := Scope(2).MarshalText(); !errors.Is(err, ErrBadInput) {
		t.Error(err)
	}
	var ref DekRef
	text := DekRef{255, 254}.String()
	if err := ref.UnmarshalText([]byte(text)); err != nil || ref != (DekRef{255, 254}) {
		t.Errorf("%v, %v", ref, err)
	}
	for _, bad := range []string{"", text + "=", text[1:], text[:42] + "B", "+" + text[1:]} {
		if err := ref.UnmarshalText([]byte(bad)); !errors.Is(err, ErrBadInput) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// wantResult compares an answer with a case's result and out, by their JSON.
func wantResult(t *testing.T, it vectorCase, out any, err error) {
	t.Helper()
	if it.Result != "ok" {
		var entry *Error
		if !errors.As(err, &entry) || entry.Name() != it.Result {
			t.Errorf("case %d: %v instead of %s", it.ID, err, it.Result)
		}
		return
	}
	if ref, isRef := out.(DekRef); isRef {
		out = hexOf(ref[:])
	}
	var want any
	if json.Unmarshal(it.Out, &want) != nil {
		t.Fatalf("case %d has no out", it.ID)
	}
	if members, isMap := want.(map[string]any); isMap && members["sha256"] != nil {
		return
	}
	got, _ := json.Marshal(out)
	expected, _ := json.Marshal(want)
	if err != nil || string(got) != string(expected) {
		t.Errorf("case %d: %s, %v instead of %s", it.ID, got, err, expected)
	}
}

func hexOf(bytes []byte) string {
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 2*len(bytes))
	for _, b := range bytes {
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}

// plainHex reads bytes that are not described by a repetition.
func plainHex(value json.RawMessage) ([]byte, bool) {
	var bytes hexa
	return bytes, json.Unmarshal(value, &bytes) == nil
}
