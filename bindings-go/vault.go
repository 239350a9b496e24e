package strongroom

import (
	"runtime"
	"sync"
)

// Vault holds the DEKs of one session, that is of one KMS principal: whoever
// holds a vault may use every DEK in it. Its methods may be called from many
// goroutines at once, Close included. After Close, and on a Vault that NewVault
// did not make, they return ErrBadInput.
type Vault struct {
	// Calls share the lock; Close takes it alone and so waits for them.
	lock    sync.RWMutex
	handle  handle
	cleanup runtime.Cleanup
}

// NewVault makes an empty vault.
//
// It returns ErrBadInput or ErrLimit for an option out of range, and ErrInternal
// on a processor without the AES instructions that the library was built for.
func NewVault(with ...Option) (*Vault, error) {
	set := options{}
	for _, option := range with {
		option(&set)
	}
	made, err := rawVaultNew(set.json())
	if err != nil {
		return nil, err
	}
	return adopt(made), nil
}

// Close wipes every DEK and frees the vault. It waits for calls that are under
// way and may be called again.
func (v *Vault) Close() error {
	if v == nil {
		return nil
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	if v.handle != nil {
		v.cleanup.Stop()
		rawVaultFree(v.handle)
		v.handle = nil
	}
	return nil
}

// Missing lists the DEKs that the envelopes need and the vault does not hold, each
// once. Envelopes that Open would refuse to read are passed over.
//
// It returns ErrLimit for more than 10,000 envelopes.
func (v *Vault) Missing(envelopes [][]byte) ([]DekRef, error) {
	if len(envelopes) > batchMax {
		return nil, ErrLimit
	}
	joined, lengths, err := join(envelopes)
	if err != nil {
		return nil, err
	}
	return with(v, func(h handle) ([]DekRef, error) { return rawMissing(h, joined, lengths) })
}

// Seal encrypts one field and returns its envelope.
//
// It returns ErrNoActiveDek before there is a DEK to seal under,
// ErrBudgetExhausted at the seal limit, ErrExpired or ErrClockRollback when the
// DEK's time is over, and ErrLimit for a field above the field limit.
func (v *Vault) Seal(at Binding, plaintext []byte, options SealOptions) ([]byte, error) {
	return v.AppendSeal(nil, at, plaintext, options)
}

// AppendSeal is [Vault.Seal] that appends the envelope to dst, which saves an
// allocation where dst has room. After an error dst is as it was.
func (v *Vault) AppendSeal(dst []byte, at Binding, plaintext []byte, options SealOptions) ([]byte, error) {
	h, err := v.begin()
	if err != nil {
		return nil, err
	}
	defer v.lock.RUnlock()
	dst, room := reserve(dst, SealedLen(len(plaintext), options.Padded))
	n, err := rawSeal(h, &at, plaintext, options, room)
	if err != nil {
		return nil, err
	}
	return dst[:len(dst)+n], nil
}

// Open decrypts one field. It returns ErrAuthFailed if at is not where the field
// was sealed or if a byte was changed, and ErrUnknownDek if the DEK is not held:
// see [Vault.Missing].
func (v *Vault) Open(at Binding, envelope []byte) ([]byte, error) {
	return v.AppendOpen(nil, at, envelope)
}

// AppendOpen is [Vault.Open] that appends the plaintext to dst, which saves an
// allocation where dst has room and lets the caller wipe it. After an error dst
// is as it was, the bytes behind its length included.
func (v *Vault) AppendOpen(dst []byte, at Binding, envelope []byte) ([]byte, error) {
	h, err := v.begin()
	if err != nil {
		return nil, err
	}
	defer v.lock.RUnlock()
	dst, room := reserve(dst, max(len(envelope)-overhead, 0))
	n, err := rawOpen(h, &at, envelope, room)
	if err != nil {
		return nil, err
	}
	return dst[:len(dst)+n], nil
}

// SealMany seals a batch in one call. Each item has its own result, in the order
// of the items; a bad one never spoils the others.
//
// It returns ErrLimit for more than 10,000 items.
func (v *Vault) SealMany(items []SealItem) ([]Result, error) {
	frame, err := sealFrame(items)
	if err != nil {
		return nil, err
	}
	// The frame holds a copy of every plaintext.
	defer clear(frame)
	reply := make([]byte, len(frame)+sealReplyExtra*len(items))
	return with(v, func(h handle) ([]Result, error) {
		n, err := rawSealMany(h, frame, reply)
		if err != nil {
			return nil, err
		}
		return results(reply[:n], len(items))
	})
}

// OpenMany opens a batch in one call. Each item has its own result, in the order
// of the items; a bad one never spoils the others. The values share one buffer.
//
// It returns ErrLimit for more than 10,000 items.
func (v *Vault) OpenMany(items []OpenItem) ([]Result, error) {
	frame, err := openFrame(items)
	if err != nil {
		return nil, err
	}
	reply := make([]byte, len(frame))
	return with(v, func(h handle) ([]Result, error) {
		n, err := rawOpenMany(h, frame, reply)
		if err != nil {
			return nil, err
		}
		return results(reply[:n], len(items))
	})
}

// Reseal opens an envelope and seals it again under the DEK that is active now.
// The plaintext does not leave the core. It returns the errors of Open and Seal.
func (v *Vault) Reseal(at Binding, envelope []byte, options ResealOptions) ([]byte, error) {
	return with(v, func(h handle) ([]byte, error) { return rawReseal(h, &at, envelope, options) })
}

// Rebind opens an envelope at one binding and seals it at another of the same
// org. An envelope under a record's DEK stays within its record.
//
// It returns ErrBadInput where the bindings don't allow that, and the errors of
// Open and Seal.
func (v *Vault) Rebind(from, to Binding, envelope []byte) ([]byte, error) {
	return with(v, func(h handle) ([]byte, error) { return rawRebind(h, &from, &to, envelope) })
}

// Status describes the DEKs that are held and not over, ordered by dek_ref.
func (v *Vault) Status() ([]DekStatus, error) {
	return with(v, func(h handle) ([]DekStatus, error) {
		text, err := rawStatus(h)
		if err != nil {
			return nil, err
		}
		var list []DekStatus
		return list, decode(text, &list)
	})
}

// adopt makes a vault of a handle: freed by Close, or when nobody holds the
// vault any more.
func adopt(made handle) *Vault {
	v := &Vault{handle: made}
	v.cleanup = runtime.AddCleanup(v, rawVaultFree, made)
	return v
}

// begin gives the handle to one call, which must end with v.lock.RUnlock: that
// also keeps the vault alive until then.
func (v *Vault) begin() (handle, error) {
	if v == nil {
		return nil, ErrBadInput
	}
	v.lock.RLock()
	if v.handle == nil {
		v.lock.RUnlock()
		return nil, ErrBadInput
	}
	return v.handle, nil
}

func with[T any](v *Vault, call func(handle) (T, error)) (T, error) {
	h, err := v.begin()
	if err != nil {
		var none T
		return none, err
	}
	defer v.lock.RUnlock()
	return call(h)
}

// reserve grows dst for n more bytes and gives it with the room behind its length.
func reserve(dst []byte, n int) (grown, room []byte) {
	if cap(dst)-len(dst) < n {
		grown = make([]byte, len(dst), len(dst)+n)
		copy(grown, dst)
		dst = grown
	}
	return dst, dst[len(dst) : len(dst)+n]
}
