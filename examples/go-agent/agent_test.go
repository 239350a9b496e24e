//go:build kmsit

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// demo is a local KMS and a product's files for two orgs.
type demo struct {
	*testing.T
	dir, kms string
	cmks     map[string][]string
}

type fact struct {
	OK                                           bool
	Pass, Digest, Error, ARN, Unshared           string
	Records, Fields, Bytes, RecordDeks, KmsCalls int
}

func newDemo(t *testing.T) *demo {
	program := os.Getenv("STRONGROOM_CLI")
	if program == "" {
		t.Fatal("STRONGROOM_CLI is not set: run `cargo xtask test`, which builds the program and names it there")
	}
	d := &demo{t, t.TempDir(), "", map[string][]string{}}
	server := exec.Command(program, "kms", "serve", "--dir", filepath.Join(d.dir, "kms"))
	out, err := server.StdoutPipe()
	d.must(err)
	d.must(server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	d.must(err)
	var ready struct{ Endpoint string }
	d.must(json.Unmarshal([]byte(line), &ready))
	d.kms = ready.Endpoint
	for _, org := range []string{"acme", "globex"} {
		d.cmks[org] = []string{d.step("create-key", "--org", org)[0].ARN}
	}
	d.file("fields.json", `{"format":1,"tables":{
		"hosts": {"fields": {"password": {"scope": "org", "padded": true}, "headers.*": {"scope": "org", "padded": false}}},
		"procedures": {"fields": {"body": {"scope": "record", "padded": false}}}}}`)
	for _, org := range []string{"acme", "globex"} {
		var data strings.Builder
		for i := range 20 {
			fmt.Fprintf(&data, `{"org":%q,"table":"hosts","record":"h-%d","fields":{"password":{"text":"p %d"},"headers.a.b":{"base64":"AAH/"}}}`+"\n", org, i, i)
			fmt.Fprintf(&data, `{"org":%q,"table":"procedures","record":"p-%d","fields":{"body":{"text":""}}}`+"\n", org, i)
		}
		d.file(org+".jsonl", data.String())
	}
	return d
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

func (d *demo) file(name, text string) {
	d.Helper()
	d.must(os.WriteFile(d.path(name), []byte(text), 0o600))
}

func (d *demo) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// try runs a step in this process and gives its facts.
func (d *demo) try(step string, extra ...string) ([]fact, error) {
	d.Helper()
	cmks, err := json.Marshal(d.cmks)
	d.must(err)
	arguments := append([]string{
		step, "--kms", d.kms, "--store", d.path("rows.jsonl"), "--export", d.path("export.jsonl"),
		"--manifest", d.path("fields.json"), "--cmks", string(cmks),
	}, extra...)
	var out, progress bytes.Buffer
	failed := run(context.Background(), arguments, &out, &progress)
	if want := "danger_endpoint: " + d.kms + " (local KMS, loopback)\n"; !strings.HasPrefix(progress.String(), want) {
		d.Fatalf("%s says %q first", step, progress.String())
	}
	var facts []fact
	decoder := json.NewDecoder(&out)
	for {
		var one fact
		if err := decoder.Decode(&one); err == io.EOF {
			return facts, failed
		} else if err != nil {
			d.Fatal(err)
		}
		facts = append(facts, one)
	}
}

func (d *demo) step(step string, extra ...string) []fact {
	d.Helper()
	facts, err := d.try(step, extra...)
	d.must(err)
	for _, fact := range facts {
		if !fact.OK {
			d.Fatalf("%s: %+v", step, fact)
		}
	}
	return facts
}

func (d *demo) sealBoth() {
	d.Helper()
	for _, org := range []string{"acme", "globex"} {
		got := d.step("seal", "--org", org, "--data", d.path(org+".jsonl"))[0]
		if got.Records != 40 || got.Fields != 60 || got.RecordDeks != 20 || got.KmsCalls != 1 {
			d.Fatalf("%+v", got)
		}
	}
}

func TestWhatOneProcessSealsAnotherOpens(t *testing.T) {
	d := newDemo(t)
	d.sealBoth()
	facts := d.step("open", "--orgs", "acme,globex")
	if len(facts) != 2 || facts[0].KmsCalls != 2 || facts[1].KmsCalls != 0 || facts[0].Fields != 120 ||
		facts[0].Digest != facts[1].Digest {
		t.Fatalf("%+v", facts)
	}
	own := d.step("open", "--orgs", "acme")[0]
	if own.Fields != 60 || own.Digest == facts[0].Digest {
		t.Fatalf("%+v", own)
	}
	// Sealed once more, the org keeps its DEKs, and its listing its digest.
	d.must(os.Remove(d.path("export.jsonl")))
	again := d.step("seal", "--org", "acme", "--data", d.path("acme.jsonl"))[0]
	if again.RecordDeks != 0 || again.KmsCalls != 1 || again.Digest != own.Digest {
		t.Fatalf("%+v", again)
	}
	if opened := d.step("open", "--orgs", "acme")[0]; opened.Digest != own.Digest {
		t.Fatalf("%+v", opened)
	}
}

func TestPartsThatAreResealedOpenLikeBefore(t *testing.T) {
	d := newDemo(t)
	d.sealBoth()
	fields := 0
	for part := range 3 {
		out := d.path(fmt.Sprint(part))
		fields += d.step("reseal", "--org", "acme", "--part", fmt.Sprintf("%d/3", part), "--out", out)[0].Fields
		before, err := os.ReadFile(d.path("export.jsonl"))
		d.must(err)
		after, err := os.ReadFile(out)
		d.must(err)
		for line := range strings.Lines(string(after)) {
			if strings.Contains(string(before), line) {
				t.Fatal("a line is as it was")
			}
		}
		if got := d.step("open", "--orgs", "acme", "--export", out)[0]; got.Fields != 20 {
			t.Fatalf("%+v", got)
		}
	}
	if fields != 60 {
		t.Fatalf("%d fields", fields)
	}
	for _, part := range []string{"", "3/3", "-1/3", "x"} {
		if _, err := d.try("reseal", "--org", "acme", "--part", part, "--out", d.path("x")); err == nil {
			t.Fatalf("part %q", part)
		}
	}
}

func TestARecordThatIsNotSharedStaysClosed(t *testing.T) {
	d := newDemo(t)
	d.sealBoth()
	shared := []string{"--org", "globex", "--owner", "acme", "--table", "procedures", "--record", "p-3", "--unshared", "p-4"}
	facts, err := d.try("open-shared", shared...)
	if err == nil || facts[0].OK || facts[0].Error != "UNKNOWN_DEK" {
		t.Fatalf("%+v, %v", facts, err)
	}
	owner, err := (&agent{
		kms: d.kms, store: d.path("rows.jsonl"), manifest: d.path("fields.json"), cmks: string(mustJSON(d.cmks)),
	}).session("acme")
	d.must(err)
	defer owner.Close()
	_, err = owner.Share(t.Context(), "procedures", "p-3", "globex", d.cmks["globex"][0])
	d.must(err)
	got := d.step("open-shared", shared...)[0]
	if got.Fields != 1 || got.KmsCalls != 1 || got.Unshared != "UNKNOWN_DEK" {
		t.Fatalf("%+v", got)
	}
}

func TestAnExportThatWasTamperedWithDoesNotOpen(t *testing.T) {
	d := newDemo(t)
	d.sealBoth()
	text, err := os.ReadFile(d.path("export.jsonl"))
	d.must(err)
	for change, want := range map[[2]string]string{
		{`"record":"h-7"`, `"record":"h-8"`}:               "AUTH_FAILED",
		{`"field":"headers.a.b"`, `"field":"headers.a.c"`}: "AUTH_FAILED",
		{`"org":"acme"`, `"org":"globex"`}:                 "UNKNOWN_DEK",
		{`"field":"password"`, `"field":"passwort"`}:       "BAD_INPUT",
		{`"envelope":"sr1.`, `"envelope":"sr2.`}:           "NOT_AN_ENVELOPE",
	} {
		d.file("export.jsonl", strings.Replace(string(text), change[0], change[1], 1))
		facts, err := d.try("open", "--orgs", "acme,globex")
		if err == nil || facts[0].OK || facts[0].Error != want {
			t.Errorf("%v: %+v, %v", change, facts, err)
		}
	}
	d.file("export.jsonl", string(text))
	d.step("open", "--orgs", "acme,globex")
}

func TestAStepWithAWrongArgumentIsRefused(t *testing.T) {
	for _, arguments := range [][]string{
		nil, {"unseal"}, {"open"}, {"open", "--kms", "x", "--no-such"}, {"open", "--kms", "x", "surplus"},
	} {
		if err := run(t.Context(), arguments, io.Discard, io.Discard); err == nil {
			t.Errorf("%v", arguments)
		}
	}
	d := newDemo(t)
	d.sealBoth()
	for _, kms := range []string{"http://localhost:1/", "http://10.0.0.1/", strings.TrimSuffix(d.kms, "/")} {
		d.kms = kms
		if facts, err := d.try("open", "--orgs", "acme"); err == nil || facts[0].Error != "ENDPOINT_POLICY" {
			t.Errorf("%s: %+v, %v", kms, facts, err)
		}
	}
}

func mustJSON(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}
