// Package keychain is the operating system's store of secrets for
// [strongroom.ResumeKmsVault]: the Secret Service on Linux, the Keychain on macOS, the
// Credential Manager on Windows.
//
// There is no fall-back. Where the store is absent, locked or doesn't answer, every call
// returns an error, no prompt is shown, and the vault keeps in memory what it has.
package keychain

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	strongroom "strongroom.dev/go"
)

var (
	// ErrUnavailable says that there is no keychain, or that it didn't answer in time.
	ErrUnavailable = errors.New("keychain: unavailable")
	// ErrLocked says that the keychain is locked. It is never unlocked by this package.
	ErrLocked = errors.New("keychain: locked")
)

// maxName is the most bytes of a service or an account.
const maxName = 1_024

// System gives the operating system's keychain.
func System() strongroom.Keychains { return system{} }

type system struct{}

// Open looks at the keychain and opens it under a service name: ErrUnavailable or
// ErrLocked if it can't be used, ErrBadInput for a name that is empty, longer than
// 1,024 bytes, not UTF-8 or has a NUL.
func (system) Open(service string) (strongroom.Keychain, error) {
	if err := name(service); err != nil {
		return nil, err
	}
	if err := ready(); err != nil {
		return nil, err
	}
	return &checked{entries{service}}, nil
}

// checked keeps names and sizes within what every system takes before one is asked.
type checked struct{ entries entries }

func (c *checked) Get(account string) ([]byte, error) {
	if err := name(account); err != nil {
		return nil, err
	}
	return c.entries.get(account)
}

func (c *checked) Set(account string, secret []byte) error {
	if err := name(account); err != nil {
		return err
	}
	if len(secret) > maxSecret {
		return fmt.Errorf("keychain: more than %d bytes: %w", maxSecret, strongroom.ErrLimit)
	}
	return c.entries.set(account, secret)
}

func (c *checked) Delete(account string) error {
	if err := name(account); err != nil {
		return err
	}
	return c.entries.remove(account)
}

func (c *checked) Accounts() ([]string, error) { return c.entries.accounts() }

func name(text string) error {
	if text == "" || len(text) > maxName || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fmt.Errorf("keychain: a name that it can't take: %w", strongroom.ErrBadInput)
	}
	return nil
}
