//go:build cgo

package keychain

import (
	"errors"
	"fmt"

	apple "github.com/keybase/go-keychain"
)

// maxSecret keeps an entry to what the other systems take.
const maxSecret = 1 << 20

func ready() error {
	// Asks for no person: a keychain that would, refuses.
	_, err := apple.GetGenericPasswordAccounts("strongroom")
	return fault(err)
}

func fault(err error) error {
	switch {
	case err == nil, errors.Is(err, apple.ErrorItemNotFound):
		return nil
	case errors.Is(err, apple.ErrorInteractionNotAllowed), errors.Is(err, apple.ErrorAuthFailed):
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// entries are one service's.
type entries struct{ service string }

func (e entries) get(account string) ([]byte, error) {
	secret, err := apple.GetGenericPassword(e.service, account, "", "")
	return secret, fault(err)
}

func (e entries) set(account string, secret []byte) error {
	entry := apple.NewGenericPassword(e.service, account, e.service, secret, "")
	entry.SetSynchronizable(apple.SynchronizableNo)
	entry.SetAccessible(apple.AccessibleWhenUnlockedThisDeviceOnly)
	err := apple.AddItem(entry)
	if errors.Is(err, apple.ErrorDuplicateItem) {
		query := apple.NewGenericPassword(e.service, account, "", nil, "")
		change := apple.NewItem()
		change.SetData(secret)
		err = apple.UpdateItem(query, change)
	}
	return fault(err)
}

func (e entries) remove(account string) error {
	return fault(apple.DeleteGenericPasswordItem(e.service, account))
}

func (e entries) accounts() ([]string, error) {
	accounts, err := apple.GetGenericPasswordAccounts(e.service)
	return accounts, fault(err)
}
