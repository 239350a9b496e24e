//go:build cgo

package strongroom

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestAFieldOpensWhereItWasSealed(t *testing.T) {
	vault := sealing(t)
	for _, options := range []SealOptions{{}, {Padded: true}} {
		for _, plaintext := range []string{"", "hunter2", strings.Repeat("x", 64), strings.Repeat("y", 70_000)} {
			at := password().WithRevision(7)
			envelope, err := vault.Seal(at, []byte(plaintext), options)
			if err != nil {
				t.Fatal(err)
			}
			if len(envelope) != SealedLen(len(plaintext), options.Padded) {
				t.Errorf("%d bytes around %d", len(envelope), len(plaintext))
			}
			opened, err := vault.Open(at, envelope)
			if err != nil || string(opened) != plaintext {
				t.Errorf("%d bytes, %v", len(opened), err)
			}
		}
	}
}

func TestAFieldMovedToAnotherPlaceDoesNotOpen(t *testing.T) {
	vault := sealing(t)
	envelope, err := vault.Seal(password(), []byte("hunter2"), SealOptions{})
	if err != nil {
		t.Fatal(err)
	}
	moved := []Binding{
		{Org: "globex", Table: "hosts", Record: "h-17", Field: "password"},
		{Org: "acme", Table: "host", Record: "h-17", Field: "password"},
		{Org: "acme", Table: "hosts", Record: "h-18", Field: "password"},
		{Org: "acme", Table: "hosts", Record: "h-17", Field: "passwords"},
		password().WithRevision(0),
	}
	for _, at := range moved {
		if _, err := vault.Open(at, envelope); !errors.Is(err, ErrAuthFailed) {
			t.Errorf("%v: %v", at, err)
		}
	}
	for i := range envelope {
		changed := bytes.Clone(envelope)
		changed[i] ^= 1
		if _, err := vault.Open(password(), changed); err == nil {
			t.Errorf("byte %d changed, and it opened", i)
		}
	}
}

func TestIllFormedStringsAreBadInput(t *testing.T) {
	vault := sealing(t)
	for _, part := range []string{"", "\xff", "a\xc3", "\xed\xa0\x80"} {
		at := password()
		at.Record = part
		if _, err := vault.Seal(at, nil, SealOptions{}); !errors.Is(err, ErrBadInput) {
			t.Errorf("record %q: %v", part, err)
		}
		if err := vault.Tombstone(part); !errors.Is(err, ErrBadInput) {
			t.Errorf("org %q: %v", part, err)
		}
		if _, err := NewVault(WithSession(part)); !errors.Is(err, ErrBadInput) {
			t.Errorf("session %q: %v", part, err)
		}
		if _, err := NewVault(WithCmks(map[string][]string{part: nil})); !errors.Is(err, ErrBadInput) {
			t.Errorf("cmks of org %q: %v", part, err)
		}
	}
	if _, err := NewVault(WithSession("\"\\\x00\x1f\n/\u2028")); err != nil {
		t.Errorf("a session of odd characters: %v", err)
	}
}

func TestOptionsOutOfRangeAreRefused(t *testing.T) {
	cases := map[string]struct {
		option Option
		want   error
	}{
		"no time":               {WithTTL(0), ErrBadInput},
		"too much time":         {WithTTL(43_201), ErrLimit},
		"no seal":               {WithSealLimit(0), ErrBadInput},
		"no field":              {WithFieldLimit(0), ErrBadInput},
		"fields of over 64 MB":  {WithFieldLimit(64<<20 + 1), ErrLimit},
		"a region that is none": {WithRegion("US"), ErrBadInput},
		"no endpoint":           {WithDangerEndpoint(""), ErrBadInput},
		"version 0":             {WithMinVersions(map[string]uint32{"acme": 0}), ErrBadInput},
		"an alias":              {WithCmks(map[string][]string{"acme": {"alias/x"}}), ErrBadInput},
		"unknown":               {member("danger", "true"), ErrUnknownOption},
	}
	for name, it := range cases {
		if _, err := NewVault(it.option); !errors.Is(err, it.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewVault(WithTTL(0), WithTTL(1)); err != nil {
		t.Errorf("the last one counts: %v", err)
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	vault := sealing(t)
	for _, room := range []int{0, 200} {
		dst := append(make([]byte, 0, 4+room), "head"...)
		sealed, err := vault.AppendSeal(dst, password(), []byte("hunter2"), SealOptions{})
		if err != nil || string(sealed[:4]) != "head" {
			t.Fatalf("%q, %v", sealed[:4], err)
		}
		opened, err := vault.AppendOpen(dst, password(), bytes.Clone(sealed[4:]))
		if err != nil || string(opened) != "headhunter2" {
			t.Fatalf("%q, %v", opened, err)
		}
	}
}

func TestAFailedOpenLeavesTheBufferUntouched(t *testing.T) {
	vault := sealing(t)
	envelope, err := vault.Seal(password(), bytes.Repeat([]byte("hunter2 "), 64), SealOptions{})
	if err != nil {
		t.Fatal(err)
	}
	envelope[len(envelope)-1] ^= 1
	buffer := bytes.Repeat([]byte{0xA5}, 1024)
	opened, err := vault.AppendOpen(buffer[:3], password(), envelope)
	if !errors.Is(err, ErrAuthFailed) || opened != nil {
		t.Fatalf("%d bytes, %v", len(opened), err)
	}
	if !bytes.Equal(buffer, bytes.Repeat([]byte{0xA5}, 1024)) {
		t.Error("the buffer was written to")
	}
}

func TestABadItemSpoilsNoOther(t *testing.T) {
	vault := sealing(t)
	elsewhere, nowhere := password(), password()
	elsewhere.Org, nowhere.Field = "globex", ""
	sealed, err := vault.SealMany([]SealItem{
		{Binding: password(), Plaintext: []byte("one")},
		{Binding: elsewhere, Plaintext: []byte("two")},
		{Binding: nowhere, Plaintext: []byte("three")},
		{Binding: password().WithRevision(4), Plaintext: nil, Options: SealOptions{Padded: true}},
		{Binding: password(), Options: SealOptions{Scope: ScopeRecord}},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantErrs(t, sealed, nil, ErrNoActiveDek, ErrBadInput, nil, ErrNoActiveDek)
	opened, err := vault.OpenMany([]OpenItem{
		{password(), sealed[0].Value},
		{password(), sealed[3].Value},
		{password().WithRevision(4), sealed[3].Value},
		{password(), nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantErrs(t, opened, nil, ErrAuthFailed, nil, ErrNotAnEnvelope)
	if string(opened[0].Value) != "one" || len(opened[2].Value) != 0 {
		t.Errorf("%q, %q", opened[0].Value, opened[2].Value)
	}
	if grown := append(opened[0].Value, "more"...); string(grown) != "onemore" || opened[1].Err == nil {
		t.Error("appending to one value reached the next")
	}
}

func TestBatchesHaveALimitAndOneShape(t *testing.T) {
	vault := sealing(t)
	if _, err := vault.SealMany(make([]SealItem, 10_001)); !errors.Is(err, ErrLimit) {
		t.Errorf("seal: %v", err)
	}
	if _, err := vault.OpenMany(make([]OpenItem, 10_001)); !errors.Is(err, ErrLimit) {
		t.Errorf("open: %v", err)
	}
	if _, err := vault.Missing(make([][]byte, 10_001)); !errors.Is(err, ErrLimit) {
		t.Errorf("missing: %v", err)
	}
	if _, err := vault.SealMany([]SealItem{{Options: SealOptions{Scope: 2}}}); !errors.Is(err, ErrBadInput) {
		t.Errorf("a scope that is none: %v", err)
	}
	if results, err := vault.OpenMany(nil); err != nil || len(results) != 0 {
		t.Errorf("an empty batch: %v, %v", results, err)
	}
}

func TestMissingListsEachDekOnce(t *testing.T) {
	it := recorded(t)
	empty, err := NewVault()
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	envelopes := [][]byte{it.Probe.Env, it.Probe.Env, []byte("no envelope"), it.Probe.Env[:70]}
	refs, err := empty.Missing(envelopes)
	if err != nil || len(refs) != 1 {
		t.Fatalf("%v, %v", refs, err)
	}
	if header, err := Inspect(it.Probe.Env); err != nil || header.DekRef != refs[0] {
		t.Errorf("%v, %v", header, err)
	}
	if refs, err := holding(t).Missing(envelopes); err != nil || len(refs) != 0 {
		t.Errorf("held, and still missing: %v, %v", refs, err)
	}
}

func TestResealAndRebindKeepThePlaintextInTheCore(t *testing.T) {
	vault := sealing(t)
	envelope, err := vault.Seal(password(), []byte("hunter2"), SealOptions{})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	resealed, err := vault.Reseal(password(), envelope, ResealOptions{Padded: &yes})
	if err != nil || len(resealed) != SealedLen(7, true) {
		t.Fatalf("%d bytes, %v", len(resealed), err)
	}
	to := password()
	to.Field = "secret"
	rebound, err := vault.Rebind(password(), to, resealed)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := vault.Open(to, rebound); err != nil || string(opened) != "hunter2" {
		t.Errorf("%q, %v", opened, err)
	}
	if _, err := vault.Open(password(), rebound); !errors.Is(err, ErrAuthFailed) {
		t.Errorf("at its old place: %v", err)
	}
	to.Org = "globex"
	if _, err := vault.Rebind(password(), to, envelope); !errors.Is(err, ErrBadInput) {
		t.Errorf("to another org: %v", err)
	}
	if _, err := vault.Reseal(to, envelope, ResealOptions{}); !errors.Is(err, ErrAuthFailed) {
		t.Errorf("at another place: %v", err)
	}
}

func wantErrs(t *testing.T, results []Result, want ...error) {
	t.Helper()
	if len(results) != len(want) {
		t.Fatalf("%d results", len(results))
	}
	for i, result := range results {
		if !errors.Is(result.Err, want[i]) || (want[i] != nil && result.Value != nil) {
			t.Errorf("item %d: %v", i, result.Err)
		}
	}
}
