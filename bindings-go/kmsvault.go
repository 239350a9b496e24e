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
	settings
	pause func(context.Context, time.Duration) error
	now   func() time.Time
	// calls limits how many KMS calls are under way at once.
	calls   chan struct{}
	flights flights
	// gate is held by what works in the vault, and alone by what ends the era, so that
	// nothing that began before a sign-out works after it.
	gate sync.RWMutex

	lock   sync.Mutex
	active *knownActive
	// looked says when an org's active row was last read: the own one's, and those of
	// owners whose records are read.
	looked map[string]time.Time
	// seats has the seals that are reserved and not yet made.
	seats     map[DekRef]*seats
	reserving turn
	// lives and denials are of DEKs that came in, and of those that the KMS refused.
	lives   map[DekRef]*life
	denials map[DekRef]denial
	chain   *chain
	// rotated is what the last rotation made active.
	rotated ActiveRow
	places  map[RecordPlace]knownRecord
	kinds   map[DekRef]Scope
	// unstored has the rows of record DEKs that the vault made and the store has
	// not yet taken.
	unstored map[DekRef]WrapRow
	// drafts are the record DEKs that a revocation has made and not yet published.
	drafts map[DekRef]*draftDek
	// making is had by who makes a record DEK, so that two calls for a record make two
	// versions.
	making turn
	// activating is had by who is between reading the active row and telling the vault of
	// it, or rotates: an older row that is told between would discard a minted DEK, or
	// leave the vault with an active DEK that nobody gets.
	activating turn
}

// NewKmsVault makes the loop around a new, empty vault. It makes no call.
//
// It returns ErrBadInput if Org, its CMKs, Kms or Store are missing or a number is too
// small, ErrLimit if one is too large, and the errors of [NewVault].
//
// Nothing outlives the process: DEKs are fetched anew, and a store that gives an older
// active row than this org once had isn't found out. Warn is told so; [ResumeKmsVault]
// has a keychain for both.
func NewKmsVault(config KmsVaultConfig) (*KmsVault, error) {
	if config.Keychain != nil || config.Service != "" {
		return nil, ErrBadInput
	}
	v, err := newKmsVault(config, newChain(config.Warn))
	if err == nil && config.Warn != nil {
		config.Warn("there is no keychain: the highest versions seen are not kept")
	}
	return v, err
}

func newKmsVault(config KmsVaultConfig, chain *chain) (*KmsVault, error) {
	settings, err := config.settings()
	if err != nil {
		return nil, err
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
		settings:   settings,
		chain:      chain,
		now:        time.Now,
		pause:      sleep,
		calls:      make(chan struct{}, maxCalls),
		making:     newTurn(),
		activating: newTurn(),
		reserving:  newTurn(),
		seats:      map[DekRef]*seats{},
		unstored:   map[DekRef]WrapRow{},
		drafts:     map[DekRef]*draftDek{},
	}
	for org, list := range v.cmks {
		v.cmks[org] = slices.Clone(list)
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
//
// The keychain of [ResumeKmsVault] is emptied after that, but for the versions. If
// anything is left there the error is ErrStoreUnavailable; the vault is wiped all the same.
func (v *KmsVault) SignOut() ([]DekRef, error) {
	refs, err := v.wipe()
	if err != nil {
		return nil, err
	}
	return refs, v.chain.empty()
}

// wipe is the part of a sign-out that waits for nothing.
func (v *KmsVault) wipe() ([]DekRef, error) {
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
	v.chain.close()
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
	v.looked = map[string]time.Time{}
	v.places = map[RecordPlace]knownRecord{}
	v.kinds = map[DekRef]Scope{}
	v.lives = map[DekRef]*life{}
	v.denials = map[DekRef]denial{}
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

// seconds is the time for rows: unix seconds.
func (v *KmsVault) seconds() uint64 { return uint64(v.now().Unix()) }

// isFresh says whether something was read a moment ago, by the wall clock and by the
// monotonic one, which rests while a laptop sleeps.
func (v *KmsVault) isFresh(read time.Time) bool {
	now := v.now()
	mono, wall := now.Sub(read), now.Round(0).Sub(read.Round(0))
	return mono < v.activeMaxAge && wall >= 0 && wall < v.activeMaxAge
}

const (
	maxCalls = 16
	// How many records and DEKs are remembered; then all are read again.
	maxKnown = 65_536
)
