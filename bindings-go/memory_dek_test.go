//go:build cgo && linux && !race && !boringcrypto

package strongroom

import "testing"

// BoringCrypto's build is left out: crypto/aes keeps copies of a key that nobody can
// wipe, see SECURITY.md.

func TestNoDekAndNoHalfOfOneIsLeftAfterClose(t *testing.T) {
	scan := newScanner(t)
	for name, end := range map[string]func(*Vault) error{
		"close":     (*Vault).Close,
		"tombstone": func(v *Vault) error { return v.Tombstone("acme") },
		"sign-out":  func(v *Vault) error { _, err := v.SignOut(); return err },
	} {
		vault, dek := mintedDek(t)
		envelope, err := vault.Seal(password(), []byte("hunter2"), SealOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vault.Open(password(), envelope); err != nil {
			t.Fatal(err)
		}
		parts := []masked{dek, dek.part(0, 16), dek.part(16, 32)}
		if found := scan.count(t, parts...); found[1] == 0 || found[2] == 0 {
			t.Fatalf("%s: the scan does not find a DEK that is held: %v", name, found)
		}
		if err := end(vault); err != nil {
			t.Fatal(err)
		}
		if found := scan.count(t, parts...); found[0]+found[1]+found[2] != 0 {
			t.Errorf("after %s: %v", name, found)
		}
		vault.Close()
	}
}
