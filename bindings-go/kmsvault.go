package strongroom

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// KmsVault is the ready-made loop around a [Vault] for one org: it finds which
// DEKs are missing, reads their rows, asks the KMS, admits the answers and works.
//
// However many goroutines wait for a DEK, it is fetched once, and no more than one
// KMS call is answered for it; one waiter's context ends only its own waiting. A
// denial is final. A throttled or unreachable KMS is asked again, with exponential
// back-off and full jitter.
//
// Its methods may be called from many goroutines at once. Besides the errors that
// they name they return those of [Vault], of the store, of the KMS
// (ErrKmsDenied, ErrKmsPendingDeletion, ErrKmsThrottled, ErrKmsUnavailable,
// ErrKeyIDUnexpected, ErrEndpointPolicy) and the context's.
type KmsVault struct {
	vault *Vault
	org   string
	cmks  map[string][]string
	kms   Kms
	store WrapStore
	tries int
	pause func(context.Context, time.Duration) error
	// calls limits how many KMS calls are under way at once.
	calls   chan struct{}
	flights flights
	// gate is held by what works in the vault, and alone by what ends the era, so that
	// nothing that began before a sign-out works after it.
	gate sync.RWMutex

	lock   sync.Mutex
	active *knownActive
	// rotated is what the last rotation made active.
	rotated ActiveRow
	places  map[RecordPlace]knownRecord
	kinds   map[DekRef]Scope
	// unstored has the rows of record DEKs that the vault made and the store has
	// not yet taken.
	unstored map[DekRef]WrapRow
	making   chan struct{}
	// activating has one place, for who reads the active row or writes a new one.
	activating chan struct{}
}

// KmsVaultConfig says what a [KmsVault] works with.
type KmsVaultConfig struct {
	// Org is the one for which the process acts: take it from your own session.
	Org string
	// Cmks lists by org the CMKs (key ARNs) that may wrap for it: Org's own, the
	// first of which wraps new DEKs, and those of the readers with whom it shares.
	// It is mandatory, because a row's word for its CMK is storage's word.
	Cmks map[string][]string
	// Kms makes the calls.
	Kms Kms
	// Store keeps the rows.
	Store WrapStore
	// Options are more options of the vault.
	Options []Option
	// Tries is how often a throttled or unreachable KMS is asked; 0 means 5.
	Tries int
}

// NewKmsVault makes the loop around a new, empty vault. It makes no call.
//
// It returns ErrBadInput if Org, its CMKs, Kms or Store are missing, and the
// errors of [NewVault].
func NewKmsVault(config KmsVaultConfig) (*KmsVault, error) {
	if config.Org == "" || len(config.Cmks[config.Org]) == 0 ||
		config.Kms == nil || config.Store == nil || config.Tries < 0 {
		return nil, ErrBadInput
	}
	vault, err := NewVault(append(slices.Clone(config.Options), WithCmks(config.Cmks))...)
	if err != nil {
		return nil, err
	}
	v := &KmsVault{
		vault:      vault,
		org:        config.Org,
		cmks:       maps.Clone(config.Cmks),
		kms:        config.Kms,
		store:      config.Store,
		tries:      config.Tries,
		pause:      sleep,
		calls:      make(chan struct{}, maxCalls),
		making:     make(chan struct{}, 1),
		activating: make(chan struct{}, 1),
		unstored:   map[DekRef]WrapRow{},
	}
	for org, list := range v.cmks {
		v.cmks[org] = slices.Clone(list)
	}
	if v.tries == 0 {
		v.tries = defaultTries
	}
	v.forget()
	return v, nil
}

// Vault is the vault inside, for what needs no KMS: status, keychain entries,
// tombstones. It ends with the KmsVault.
func (v *KmsVault) Vault() *Vault { return v.vault }

// Status describes the DEKs that are held and not over, ordered by dek_ref.
func (v *KmsVault) Status() ([]DekStatus, error) { return v.vault.Status() }

// SignOut wipes every DEK and lists those whose keychain entries must be deleted.
// Calls that began before it return ErrUnknownDek if they have not done their work:
// they bring nothing in and ask the KMS nothing any more, and no answer that is still
// under way is admitted. Later calls fetch anew.
func (v *KmsVault) SignOut() ([]DekRef, error) {
	v.gate.Lock()
	defer v.gate.Unlock()
	if err := v.alive(); err != nil {
		return nil, err
	}
	v.flights.stop(fmt.Errorf("%w: signed out", ErrUnknownDek), false)
	v.forget()
	return v.vault.SignOut()
}

// Close wipes every DEK and ends what is under way, as [KmsVault.SignOut] does. It may
// be called again; every later call returns ErrBadInput.
func (v *KmsVault) Close() error {
	v.gate.Lock()
	defer v.gate.Unlock()
	v.flights.stop(ErrBadInput, true)
	return v.vault.Close()
}

// alive is ErrBadInput after Close: the store is not asked for a vault that is closed.
func (v *KmsVault) alive() error {
	_, err := with(v.vault, func(handle) (struct{}, error) { return struct{}{}, nil })
	return err
}

// forget drops what was read from the store, so that it is read again.
func (v *KmsVault) forget() {
	v.lock.Lock()
	defer v.lock.Unlock()
	v.active = nil
	v.places = map[RecordPlace]knownRecord{}
	v.kinds = map[DekRef]Scope{}
}

// begin starts a call of a method, in the era that ends with the next sign-out.
func (v *KmsVault) begin(ctx context.Context) context.Context { return v.flights.begin(ctx) }

// admit runs a call that takes something into the vault, unless nobody waits for it
// any more or the vault was signed out since its errand began.
func (v *KmsVault) admit(ctx context.Context, call func() error) error {
	if err := ended(ctx); err != nil {
		return err
	}
	_, err := inEra(ctx, v, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// inEra runs a call that works in the vault, unless that was signed out since the
// errand began. The call must wait for nothing that may itself be in an era.
func inEra[T any](ctx context.Context, v *KmsVault, call func() (T, error)) (T, error) {
	v.gate.RLock()
	defer v.gate.RUnlock()
	if err := eraOver(ctx); err != nil {
		var none T
		return none, err
	}
	return call()
}

// now is the time for rows: unix seconds.
func now() uint64 { return uint64(time.Now().Unix()) }

const (
	defaultTries = 5
	maxCalls     = 16
	// How long an active row or a record's highest version counts as read: after
	// this another process's rotation or tombstone is seen.
	readAge = time.Minute
	// How many records and DEKs are remembered; then all are read again.
	maxKnown = 65_536
)
