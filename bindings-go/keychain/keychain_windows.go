package keychain

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/danieljoos/wincred"
)

// maxSecret is CRED_MAX_CREDENTIAL_BLOB_SIZE.
const maxSecret = 2_560

func ready() error {
	_, err := wincred.List()
	return fault(err)
}

func fault(err error) error {
	if err == nil || errors.Is(err, wincred.ErrElementNotFound) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// entries are one service's. Its name is encoded: no service is the start of another's.
type entries struct{ service string }

func (e entries) prefix() string {
	return "strongroom:" + base64.RawURLEncoding.EncodeToString([]byte(e.service)) + ":"
}

func (e entries) get(account string) ([]byte, error) {
	found, err := wincred.GetGenericCredential(e.prefix() + account)
	if err != nil {
		return nil, fault(err)
	}
	return found.CredentialBlob, nil
}

func (e entries) set(account string, secret []byte) error {
	entry := wincred.NewGenericCredential(e.prefix() + account)
	entry.CredentialBlob = secret
	// This machine only: it doesn't roam.
	entry.Persist = wincred.PersistLocalMachine
	return fault(entry.Write())
}

func (e entries) remove(account string) error {
	found, err := wincred.GetGenericCredential(e.prefix() + account)
	if err != nil {
		return fault(err)
	}
	clear(found.CredentialBlob)
	return fault(found.Delete())
}

func (e entries) accounts() (accounts []string, err error) {
	all, err := wincred.List()
	if err != nil {
		return nil, fault(err)
	}
	for _, found := range all {
		clear(found.CredentialBlob)
		if account, ours := strings.CutPrefix(found.TargetName, e.prefix()); ours {
			accounts = append(accounts, account)
		}
	}
	return accounts, nil
}
