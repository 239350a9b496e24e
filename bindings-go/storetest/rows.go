package storetest

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	strongroom "strongroom.dev/go"
)

// spec says what a test's row says. The zero value is an org DEK of acme.
type spec struct {
	ref                          byte
	purpose, owner, reader       string
	table, record, keyID, wrapBy string
	version                      uint32
	blob                         string
}

const (
	cmkA = "arn:aws:kms:us-east-1:000000000000:key/a"
	cmkB = "arn:aws:kms:us-east-1:000000000000:key/b"
)

func ref(fill byte) strongroom.DekRef {
	var ref strongroom.DekRef
	for i := range ref {
		ref[i] = fill
	}
	return ref
}

func orgDek(fill byte, owner string) strongroom.WrapRow {
	return rowOf(spec{ref: fill, owner: owner})
}

func recordDek(fill byte, owner, table, record string) strongroom.WrapRow {
	return rowOf(spec{
		ref: fill, purpose: "record-dek", owner: owner, table: table, record: record,
		wrapBy: "local", keyID: ref(200).String(),
	})
}

func share(fill byte, owner, reader, table, record string) strongroom.WrapRow {
	return rowOf(spec{
		ref: fill, purpose: "share", owner: owner, reader: reader, table: table, record: record, keyID: cmkB,
	})
}

func rowOf(s spec) strongroom.WrapRow { return strongroom.WrapRowFromJSON(s.json()) }

func (s spec) json() []byte {
	or := func(value, otherwise string) string {
		if value == "" {
			return otherwise
		}
		return value
	}
	owner := or(s.owner, "acme")
	members := struct {
		V        int    `json:"v"`
		Purpose  string `json:"purpose"`
		Owner    string `json:"owner"`
		Reader   string `json:"reader"`
		Table    string `json:"table,omitempty"`
		Record   string `json:"record,omitempty"`
		Version  uint32 `json:"version"`
		Created  uint64 `json:"created"`
		DekRef   string `json:"dekRef"`
		Provider string `json:"provider"`
		KeyID    string `json:"keyId"`
		Blob     string `json:"blob"`
	}{
		1, or(s.purpose, "org-dek"), owner, or(s.reader, owner), s.table, s.record, max(s.version, 1),
		1_761_955_200, ref(s.ref).String(), or(s.wrapBy, "aws-kms"), or(s.keyID, cmkA),
		base64.StdEncoding.EncodeToString([]byte(or(s.blob, "a wrap"))),
	}
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return text
}

// active is an active row with the version as its DEK's fill.
func active(org string, version byte, rev uint64) strongroom.ActiveRow {
	return activeIn(org, version, rev, "active")
}

func activeIn(org string, version byte, rev uint64, state string) strongroom.ActiveRow {
	text, err := json.Marshal(struct {
		Org     string `json:"org"`
		DekRef  string `json:"dekRef"`
		Version byte   `json:"version"`
		State   string `json:"state"`
		Rev     uint64 `json:"rev"`
	}{org, ref(version).String(), version, state, rev})
	if err != nil {
		panic(err)
	}
	return strongroom.ActiveRowFromJSON(text)
}

// canonical spells what a row says in one way.
func canonical(t *testing.T, row strongroom.WrapRow) string {
	t.Helper()
	members, err := row.Members()
	if err != nil {
		t.Fatalf("%v: %s", err, row.JSON())
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
