package strongroom

// Keychain is the operating system's store of secrets under one service name. Package
// strongroom.dev/go/keychain has the real ones; [ResumeKmsVault] works with any.
//
// An account is printable ASCII. Implementations must be safe for many goroutines, and
// return an error wherever the keychain is absent, locked or refuses: what should have
// gone there then stays in memory, never in a weaker store.
type Keychain interface {
	// Get gives an account's secret, nil without an error if there is no such account.
	// The caller wipes it.
	Get(account string) ([]byte, error)
	// Set stores a secret, in the place of whatever was there, and must not keep the
	// slice. It returns ErrLimit for one that is larger than the keychain takes.
	Set(account string, secret []byte) error
	// Delete removes an account. It succeeds if there is none.
	Delete(account string) error
	// Accounts lists the service's accounts, and no other service's.
	Accounts() ([]string, error)
}

// Keychains opens the keychain under a service name. It returns an error where there
// is none, or where it is locked.
type Keychains interface {
	Open(service string) (Keychain, error)
}
