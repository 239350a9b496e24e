//go:build keychainit

package keychain_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	strongroom "strongroom.dev/go"
	"strongroom.dev/go/keychain"
)

const (
	cmk      = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000001"
	service  = "go.product"
	versions = service + ".versions"
)

var password = strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-1", Field: "password"}

// blobKms is a KMS for tests whose blobs are the DEKs, turned over. It counts its calls.
type blobKms struct{ calls int }

func (k *blobKms) Send(_ context.Context, r strongroom.KmsRequest, _ []byte) (strongroom.KmsReply, error) {
	k.calls++
	reply := strongroom.KmsReply{Endpoint: r.Endpoint, KeyID: &r.Params.KeyID}
	if r.Op == "GenerateDataKey" {
		reply.Plaintext = make([]byte, 32)
		_, _ = rand.Read(reply.Plaintext)
		reply.CiphertextBlob = turned(reply.Plaintext)
		return reply, nil
	}
	reply.Plaintext = turned(r.Params.CiphertextBlob)
	return reply, nil
}

func turned(from []byte) []byte {
	to := make([]byte, len(from))
	for i, b := range from {
		to[i] = b ^ 0xA5
	}
	return to
}

// resumed makes a vault on a JSON-lines store; warnings fail the test.
func resumed(t *testing.T, path, service string) (*strongroom.KmsVault, *blobKms) {
	t.Helper()
	store, err := strongroom.OpenJSONLinesStore(path)
	if err != nil {
		t.Fatal(err)
	}
	kms := &blobKms{}
	vault, err := strongroom.ResumeKmsVault(t.Context(), strongroom.KmsVaultConfig{
		Org: "acme", Cmks: map[string][]string{"acme": {cmk}}, Kms: kms, Store: store,
		Keychain: keychain.System(), Service: service,
		Options: []strongroom.Option{strongroom.WithSession("s-1")},
		Warn:    func(message string) { t.Errorf("warned: %s", message) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = vault.Close() })
	return vault, kms
}

func opens(t *testing.T, v *strongroom.KmsVault, envelope []byte) {
	t.Helper()
	value, err := v.Open(t.Context(), password, envelope)
	if err != nil || string(value) != "secret" {
		t.Fatalf("opened %q, %v", value, err)
	}
}

// TestASecondProcessGoesOnFromTheKeychain starts its first session in a process of its own.
func TestASecondProcessGoesOnFromTheKeychain(t *testing.T) {
	if dir := os.Getenv("STRONGROOM_FIRST_SESSION"); dir != "" {
		firstSession(t, dir)
		return
	}
	dir := t.TempDir()
	rows, sealedAt := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "sealed")
	first := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	first.Env = append(os.Environ(), "STRONGROOM_FIRST_SESSION="+dir)
	if out, err := first.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	envelope, err := os.ReadFile(sealedAt)
	if err != nil {
		t.Fatal(err)
	}
	v, kms := resumed(t, rows, service)
	opens(t, v, envelope)
	if kms.calls != 0 {
		t.Fatalf("%d KMS calls after a restart", kms.calls)
	}
	old, err := os.ReadFile(rows)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.SignOut(); err != nil {
		t.Fatal(err)
	}
	want(t, open(t, service))
	want(t, open(t, versions), "YWNtZQ")
	// A store that was set back to the version before.
	back := filepath.Join(dir, "back.jsonl")
	if err := os.WriteFile(back, old, 0o600); err != nil {
		t.Fatal(err)
	}
	v, _ = resumed(t, back, service)
	if _, err := v.Seal(t.Context(), password, nil, strongroom.SealOptions{}); !errors.Is(err, strongroom.ErrActiveRollback) {
		t.Fatalf("sealed on an older active row: %v", err)
	}
	v, kms = resumed(t, rows, service)
	opens(t, v, envelope)
	if kms.calls != 1 {
		t.Fatalf("%d KMS calls after a sign-out", kms.calls)
	}
}

func firstSession(t *testing.T, dir string) {
	v, kms := resumed(t, filepath.Join(dir, "rows.jsonl"), service)
	if _, err := v.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	envelope, err := v.Seal(t.Context(), password, []byte("secret"), strongroom.SealOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sealed"), envelope, 0o600); err != nil {
		t.Fatal(err)
	}
	if kms.calls != 1 {
		t.Fatalf("%d KMS calls for a rotation", kms.calls)
	}
}

func TestWhatIsOverOrOfATombstonedOrgIsDeletedAtTheStart(t *testing.T) {
	spoil := map[string]func(t *testing.T, k strongroom.Keychain, account string, store strongroom.WrapStore){
		"over": func(t *testing.T, k strongroom.Keychain, account string, _ strongroom.WrapStore) {
			secret, err := k.Get(account)
			if err != nil {
				t.Fatal(err)
			}
			var entry map[string]any
			if err := json.Unmarshal(secret, &entry); err != nil {
				t.Fatal(err)
			}
			entry["expires"] = 1
			secret, _ = json.Marshal(entry)
			set(t, k, account, secret)
		},
		"tombstoned": func(t *testing.T, _ strongroom.Keychain, _ string, store strongroom.WrapStore) {
			active, err := store.Active(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			var row map[string]any
			if err := json.Unmarshal([]byte(active.JSON()), &row); err != nil {
				t.Fatal(err)
			}
			row["state"], row["rev"] = "tombstoned", 2
			text, _ := json.Marshal(row)
			if err := store.CompareAndSetActive(t.Context(), strongroom.ActiveRowFromJSON(text)); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, spoil := range spoil {
		t.Run(name, func(t *testing.T) {
			rows, service := filepath.Join(t.TempDir(), "rows.jsonl"), "go."+name
			v, _ := resumed(t, rows, service)
			if _, err := v.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			k := open(t, service)
			account := dekOf(t, k)
			if account == "" {
				t.Fatal("no entry of the DEK")
			}
			store, err := strongroom.OpenJSONLinesStore(rows)
			if err != nil {
				t.Fatal(err)
			}
			spoil(t, k, account, store)
			resumed(t, rows, service)
			if left := dekOf(t, k); left != "" {
				t.Fatalf("left: %s", left)
			}
		})
	}
}

// dekOf is the account of the service's DEK, "" without one.
func dekOf(t *testing.T, k strongroom.Keychain) string {
	t.Helper()
	accounts, err := k.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range accounts {
		if strings.HasPrefix(account, "dek.") {
			return account
		}
	}
	return ""
}
