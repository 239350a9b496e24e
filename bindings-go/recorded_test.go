//go:build cgo

package strongroom

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// A vectorCase is a member of tests/vectors, as far as these tests read it.
type vectorCase struct {
	ID      int             `json:"id"`
	Flags   []string        `json:"flags"`
	Org     string          `json:"org"`
	Options json.RawMessage `json:"options"`
	Row     WrapRow         `json:"row"`
	Reply   *vectorReply    `json:"reply"`
	Probe   vectorProbe     `json:"probe"`
	Env     json.RawMessage `json:"env"`
	Text    json.RawMessage `json:"text"`
	Result  string          `json:"result"`
	Out     json.RawMessage `json:"out"`
}

type vectorReply struct {
	KeyID     *string `json:"KeyId"`
	Plaintext hexa    `json:"Plaintext"`
	Error     string  `json:"error"`
	Endpoint  string  `json:"endpoint"`
}

type vectorProbe struct {
	Bind struct{ Org, Table, Record, Field string } `json:"bind"`
	Env  hexa                                       `json:"env"`
	Pt   hexa                                       `json:"pt"`
}

func (r *vectorReply) reply() *KmsReply {
	return &KmsReply{Endpoint: r.Endpoint, Error: r.Error, KeyID: r.KeyID, Plaintext: bytes.Clone(r.Plaintext)}
}

func (p *vectorProbe) binding() Binding {
	return Binding{Org: p.Bind.Org, Table: p.Bind.Table, Record: p.Bind.Record, Field: p.Bind.Field}
}

// hexa is bytes that JSON spells in hexadecimal.
type hexa []byte

func (h *hexa) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func vectors(t testing.TB, path string) []vectorCase {
	t.Helper()
	text, err := os.ReadFile("../tests/vectors/" + path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Tests []vectorCase }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Tests) == 0 {
		t.Fatal("no cases in " + path)
	}
	return file.Tests
}

// recorded is a KMS's answer for an org DEK, and the row that it answers.
func recorded(t testing.TB) vectorCase { return vectors(t, "admit/admit.json")[0] }

// sealing makes a vault that holds the recorded org DEK as the active one.
func sealing(t testing.TB, with ...Option) *Vault {
	t.Helper()
	vault := holding(t, with...)
	row := recorded(t).Row
	members, err := row.Members()
	if err != nil {
		t.Fatal(err)
	}
	active, err := json.Marshal(ActiveMembers{
		Org: members.Owner, DekRef: members.DekRef, Version: members.Version, State: "active", Rev: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := vault.SetActive(ActiveRowFromJSON(active)); err != nil {
		t.Fatal(err)
	}
	return vault
}

// holding makes a vault that holds the recorded org DEK.
func holding(t testing.TB, with ...Option) *Vault {
	t.Helper()
	vault, err := NewVault(with...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { vault.Close() })
	it := recorded(t)
	if _, err := vault.Admit(it.Org, it.Row, it.Reply.reply()); err != nil {
		t.Fatal(err)
	}
	return vault
}

// password is a place of the recorded org.
func password() Binding {
	return Binding{Org: "acme", Table: "hosts", Record: "h-17", Field: "password"}
}
