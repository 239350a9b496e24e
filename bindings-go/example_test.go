//go:build cgo

package strongroom_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	strongroom "strongroom.dev/go"
)

func Example() {
	kms, ctx := strongroom.Kms(&fakeKms{}), context.Background()
	const cmk = "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e"

	vault, err := strongroom.NewKmsVault(strongroom.KmsVaultConfig{
		Org: "acme", Cmks: map[string][]string{"acme": {cmk}},
		Kms: kms, Store: strongroom.NewMemoryStore(),
	})
	check(err)
	defer vault.Close()
	_, err = vault.Rotate(ctx) // once per org: makes its first DEK
	check(err)
	at := strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-17", Field: "password"}
	envelope, err := vault.Seal(ctx, at, []byte("hunter2"), strongroom.SealOptions{})
	check(err)
	plaintext, err := vault.Open(ctx, at, envelope)
	fmt.Println(string(plaintext), err)
	at.Record = "h-18"
	_, err = vault.Open(ctx, at, envelope)
	fmt.Println(errors.Is(err, strongroom.ErrAuthFailed))
	// Output:
	// hunter2 <nil>
	// true
}

func TestTheReadmesQuickstartIsTheExample(t *testing.T) {
	readme, source := contents(t, "README.md"), contents(t, "example_test.go")
	_, block, found := strings.Cut(readme, "```go\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed || strings.Count(block, "\n") < 8 {
		t.Fatal("the README has no quickstart")
	}
	if !strings.Contains(unindented(source), unindented(block)) {
		t.Error("the README's quickstart is not what the example runs")
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func contents(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}
