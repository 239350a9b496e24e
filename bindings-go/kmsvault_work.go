package strongroom

import (
	"context"
	"errors"
)

// Ready gets every DEK that the envelopes need, so that opening them waits for
// nothing. Envelopes that Open would refuse to read are passed over.
//
// It returns ErrLimit for more than 10,000 envelopes, and otherwise the error of the
// first DEK that can't be had, after all others were fetched.
func (v *KmsVault) Ready(ctx context.Context, envelopes [][]byte) error {
	ctx = v.begin(ctx)
	missing, err := v.vault.Missing(envelopes)
	if err != nil {
		return err
	}
	failures := v.holdAll(ctx, missing)
	for _, ref := range missing {
		if err := failures[ref]; err != nil {
			return err
		}
	}
	return nil
}

// Seal encrypts one field; see [Vault.Seal]. It returns ErrNoActiveDek before the
// org's first [KmsVault.Rotate], and with [ScopeRecord] before the record's first
// [KmsVault.GenerateRecordDek].
func (v *KmsVault) Seal(ctx context.Context, at Binding, plaintext []byte, options SealOptions) ([]byte, error) {
	return v.seal(v.begin(ctx), at, plaintext, options)
}

func (v *KmsVault) seal(ctx context.Context, at Binding, plaintext []byte, options SealOptions) ([]byte, error) {
	return v.sealing(ctx, at, options.Scope, func() ([]byte, error) { return v.vault.Seal(at, plaintext, options) })
}

// Open decrypts one field; see [Vault.Open]. A reader opens a shared record with
// the owner's binding.
func (v *KmsVault) Open(ctx context.Context, at Binding, envelope []byte) ([]byte, error) {
	return v.open(v.begin(ctx), at, envelope)
}

func (v *KmsVault) open(ctx context.Context, at Binding, envelope []byte) ([]byte, error) {
	return v.opening(ctx, envelope, func() ([]byte, error) { return v.vault.Open(at, envelope) })
}

// Reseal opens an envelope and seals it under the DEK that is active now, or with
// [ScopeRecord] under the record's; see [Vault.Reseal].
func (v *KmsVault) Reseal(ctx context.Context, at Binding, envelope []byte, options ResealOptions) ([]byte, error) {
	ctx = v.begin(ctx)
	scope, err := v.scopeOf(ctx, envelope, options.Scope)
	if err != nil {
		return nil, err
	}
	return v.sealing(ctx, at, scope, func() ([]byte, error) {
		return v.opening(ctx, envelope, func() ([]byte, error) { return v.vault.Reseal(at, envelope, options) })
	})
}

// Rebind opens an envelope at one binding and seals it at another of the same
// org; see [Vault.Rebind].
func (v *KmsVault) Rebind(ctx context.Context, from, to Binding, envelope []byte) ([]byte, error) {
	ctx = v.begin(ctx)
	scope, err := v.scopeOf(ctx, envelope, nil)
	if err != nil {
		return nil, err
	}
	return v.sealing(ctx, to, scope, func() ([]byte, error) {
		return v.opening(ctx, envelope, func() ([]byte, error) { return v.vault.Rebind(from, to, envelope) })
	})
}

// sealing gets the DEK to seal under, works, and once more if it was lost meanwhile.
func (v *KmsVault) sealing(ctx context.Context, at Binding, scope Scope, seal func() ([]byte, error)) ([]byte, error) {
	work := func() ([]byte, error) { return inEra(ctx, v, seal) }
	if err := v.readyFor(ctx, at, scope, false); err != nil {
		if errors.Is(err, ErrNoActiveDek) {
			// The vault may find a graver fault in the input; it never gets this to work.
			if _, graver := work(); graver != nil {
				return nil, graver
			}
		}
		return nil, err
	}
	envelope, err := work()
	if stale(err) {
		if err := v.readyFor(ctx, at, scope, true); err != nil {
			return nil, err
		}
		envelope, err = work()
	}
	if err != nil {
		return nil, err
	}
	if err := v.settled(ctx, envelope); err != nil {
		return nil, err
	}
	return envelope, nil
}

// opening works, and once more after fetching the envelope's DEK.
func (v *KmsVault) opening(ctx context.Context, envelope []byte, open func() ([]byte, error)) ([]byte, error) {
	work := func() ([]byte, error) { return inEra(ctx, v, open) }
	made, err := work()
	if !gone(err) {
		return made, err
	}
	if err := v.holdFor(ctx, envelope); err != nil {
		return nil, err
	}
	return work()
}

// readyFor gets the DEK under which something is sealed. Another org's is left to
// the vault, which refuses.
func (v *KmsVault) readyFor(ctx context.Context, at Binding, scope Scope, anew bool) error {
	if at.Org != v.org {
		return nil
	}
	if scope == ScopeRecord {
		_, err := v.readyRecord(ctx, RecordPlace{at.Table, at.Record}, anew)
		return err
	}
	return v.ready(ctx, anew)
}

// withActive works with the active DEK held, and once more if it was lost meanwhile.
func (v *KmsVault) withActive(ctx context.Context, work func() error) error {
	if err := v.ready(ctx, false); err != nil {
		return err
	}
	err := work()
	if !stale(err) {
		return err
	}
	if err := v.ready(ctx, true); err != nil {
		return err
	}
	return work()
}

// stale says whether a seal failed because the store was read too long ago: the DEK
// is gone, or one of a newer version came in with an envelope.
func stale(err error) bool {
	return gone(err) || errors.Is(err, ErrNoActiveDek) || errors.Is(err, ErrActiveRollback)
}

// holdFor gets the DEK of an envelope.
func (v *KmsVault) holdFor(ctx context.Context, envelope []byte) error {
	header, err := Inspect(envelope)
	if err != nil {
		return err
	}
	return v.hold(ctx, header.DekRef)
}

// scopeOf says which kind of DEK a reseal seals under: the asked one, or that of
// the envelope, of which a row of its DEK tells.
func (v *KmsVault) scopeOf(ctx context.Context, envelope []byte, asked *Scope) (Scope, error) {
	if asked != nil {
		return *asked, nil
	}
	header, err := Inspect(envelope)
	if err != nil {
		return ScopeOrg, err
	}
	v.lock.Lock()
	kind, ok := v.kinds[header.DekRef]
	v.lock.Unlock()
	if ok {
		return kind, nil
	}
	rows, err := v.store.Rows(ctx, header.DekRef, v.org)
	if err != nil {
		return ScopeOrg, err
	}
	for _, row := range rows {
		if members, err := row.Members(); err == nil && members.Purpose != purposeOrgDek {
			kind = ScopeRecord
		}
	}
	return inEra(ctx, v, func() (Scope, error) {
		if len(rows) > 0 {
			v.lock.Lock()
			defer v.lock.Unlock()
			v.knowKind(header.DekRef, kind)
		}
		return kind, nil
	})
}

// knowKind remembers what a DEK is. v.lock is held.
func (v *KmsVault) knowKind(ref DekRef, kind Scope) {
	if len(v.kinds) >= maxKnown {
		clear(v.kinds)
	}
	v.kinds[ref] = kind
}
