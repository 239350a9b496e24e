package strongroom

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

type manifestCases struct {
	Read []struct {
		ID          int    `json:"id"`
		Comment     string `json:"comment"`
		Manifest    string `json:"manifest"`
		ManifestHex string `json:"manifest_hex"`
		Result      string `json:"result"`
	} `json:"read"`
	LookupManifest string `json:"lookup_manifest"`
	Lookup         []struct {
		ID      int    `json:"id"`
		Comment string `json:"comment"`
		Table   string `json:"table"`
		Field   string `json:"field"`
		Result  string `json:"result"`
		Scope   string `json:"scope"`
		Padded  bool   `json:"padded"`
	} `json:"lookup"`
}

func sharedManifestCases(t *testing.T) manifestCases {
	t.Helper()
	text, err := os.ReadFile("../tests/manifest/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases manifestCases
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases.Read) < 100 || len(cases.Lookup) < 40 {
		t.Fatalf("only %d and %d cases", len(cases.Read), len(cases.Lookup))
	}
	return cases
}

func TestEveryHostReadsTheSameManifests(t *testing.T) {
	for _, c := range sharedManifestCases(t).Read {
		text := []byte(c.Manifest)
		if c.ManifestHex != "" {
			var err error
			if text, err = hex.DecodeString(c.ManifestHex); err != nil {
				t.Fatal(err)
			}
		}
		_, err := ReadManifest(text)
		if got := resultName(err); got != c.Result {
			t.Errorf("read %d (%s): %s, want %s", c.ID, c.Comment, got, c.Result)
		}
	}
}

func TestEveryHostFindsTheSameFields(t *testing.T) {
	cases := sharedManifestCases(t)
	manifest, err := ReadManifest([]byte(cases.LookupManifest))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases.Lookup {
		options, err := manifest.SealOptions(c.Table, c.Field)
		if got := resultName(err); got != c.Result {
			t.Errorf("lookup %d (%s): %s, want %s", c.ID, c.Comment, got, c.Result)
			continue
		}
		at, err := manifest.Binding("acme", c.Table, "r-1", c.Field)
		if got := resultName(err); got != c.Result {
			t.Errorf("lookup %d (%s): binding %s, want %s", c.ID, c.Comment, got, c.Result)
		}
		if c.Result != "ok" {
			continue
		}
		scope, _ := options.Scope.MarshalText()
		if string(scope) != c.Scope || options.Padded != c.Padded {
			t.Errorf("lookup %d (%s): %s %v", c.ID, c.Comment, scope, options.Padded)
		}
		if at != (Binding{Org: "acme", Table: c.Table, Record: "r-1", Field: c.Field}) {
			t.Errorf("lookup %d (%s): %v", c.ID, c.Comment, at)
		}
	}
}

func TestAManifestNestedTooDeeplyIsRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	if _, err := ReadManifest([]byte(deep)); !errors.Is(err, ErrBadInput) {
		t.Fatal(err)
	}
}

func resultName(err error) string {
	var known *Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &known):
		return known.Name()
	}
	return err.Error()
}
