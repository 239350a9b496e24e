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
	return v.sealing(ctx, at, options.Scope, nil, func() ([]byte, error) { return v.vault.Seal(at, plaintext, options) })
}

// Open decrypts one field; see [Vault.Open]. A reader opens a shared record with
// the owner's binding.
func (v *KmsVault) Open(ctx context.Context, at Binding, envelope []byte) ([]byte, error) {
	return v.open(v.begin(ctx), at, envelope)
}

func (v *KmsVault) open(ctx context.Context, at Binding, envelope []byte) ([]byte, error) {
	return v.opening(ctx, at.Org, envelope, func() ([]byte, error) { return v.vault.Open(at, envelope) })
}

// Reseal opens an envelope and seals it under the DEK that is active now, or with
// [ScopeRecord] under the record's; see [Vault.Reseal].
func (v *KmsVault) Reseal(ctx context.Context, at Binding, envelope []byte, options ResealOptions) ([]byte, error) {
	return v.reseal(v.begin(ctx), at, envelope, options)
}

func (v *KmsVault) reseal(ctx context.Context, at Binding, envelope []byte, options ResealOptions) ([]byte, error) {
	scope, err := v.scopeOf(ctx, envelope, options.Scope)
	if err != nil {
		return nil, err
	}
	v.freshen(ctx, at.Org)
	return v.sealing(ctx, at, scope, envelope, func() ([]byte, error) { return v.vault.Reseal(at, envelope, options) })
}

// Rebind opens an envelope at one binding and seals it at another of the same
// org; see [Vault.Rebind].
func (v *KmsVault) Rebind(ctx context.Context, from, to Binding, envelope []byte) ([]byte, error) {
	ctx = v.begin(ctx)
	scope, err := v.scopeOf(ctx, envelope, nil)
	if err != nil {
		return nil, err
	}
	v.freshen(ctx, from.Org)
	return v.sealing(ctx, to, scope, envelope, func() ([]byte, error) { return v.vault.Rebind(from, to, envelope) })
}

// sealing gets the DEK to seal under and reserves a seal, works, and again if a DEK was
// lost meanwhile, or that of the envelope which is opened for it isn't held.
func (v *KmsVault) sealing(
	ctx context.Context, at Binding, scope Scope, opened []byte, seal func() ([]byte, error),
) ([]byte, error) {
	work := func() ([]byte, error) { return inEra(ctx, v, seal) }
	ref, err := v.readyFor(ctx, at, scope, false)
	if err != nil {
		if errors.Is(err, ErrNoActiveDek) {
			// The vault may find a graver fault in the input; it never gets this to work.
			if _, graver := work(); graver != nil {
				return nil, graver
			}
		}
		return nil, err
	}
	for try := 1; ; try++ {
		envelope, err := v.seatedWork(ctx, at, ref, work)
		if !worthAnother(err, try) {
			return envelope, err
		}
		if opened != nil {
			if err := v.holdFor(ctx, opened); err != nil {
				return nil, err
			}
		}
		if ref, err = v.readyFor(ctx, at, scope, true); err != nil {
			return nil, err
		}
	}
}

// seatedWork works with a seal reserved, and lets the envelope out once the row of its
// DEK is stored.
func (v *KmsVault) seatedWork(ctx context.Context, at Binding, ref DekRef, work func() ([]byte, error)) ([]byte, error) {
	if at.Org != v.org {
		return work()
	}
	if _, err := v.reserve(ctx, ref, 1); err != nil {
		return nil, err
	}
	envelope, err := work()
	if err != nil {
		v.giveBack(ref, 1)
		return nil, err
	}
	if err := v.seated(ctx, ref, envelope); err != nil {
		return nil, err
	}
	if err := v.settled(ctx, envelope); err != nil {
		return nil, err
	}
	v.used(ctx, envelope)
	return envelope, nil
}

// opening works, and once more after fetching the envelope's DEK.
func (v *KmsVault) opening(ctx context.Context, owner string, envelope []byte, open func() ([]byte, error)) ([]byte, error) {
	v.freshen(ctx, owner)
	work := func() ([]byte, error) { return inEra(ctx, v, open) }
	made, err := work()
	if !gone(err) {
		v.used(ctx, envelope)
		return made, err
	}
	if err := v.holdFor(ctx, envelope); err != nil {
		return nil, err
	}
	return work()
}

// readyFor gets the DEK under which something is sealed. Another org's is left to
// the vault, which refuses.
func (v *KmsVault) readyFor(ctx context.Context, at Binding, scope Scope, anew bool) (DekRef, error) {
	if at.Org != v.org {
		return DekRef{}, nil
	}
	if scope == ScopeRecord {
		return v.readyRecord(ctx, RecordPlace{at.Table, at.Record}, anew)
	}
	return v.ready(ctx, anew)
}

// withActive works with the active DEK held and a seal under it reserved, for a local
// wrap, and again if the DEK was lost meanwhile. If the wrap turns out to be under a
// newer DEK, a seal is reserved under that before the row gets out.
func (v *KmsVault) withActive(ctx context.Context, wrap func() (WrapRow, error)) error {
	for try := 1; ; try++ {
		ref, err := v.ready(ctx, try > 1)
		if err != nil {
			return err
		}
		if _, err := v.reserve(ctx, ref, 1); err != nil {
			return err
		}
		row, err := wrap()
		if err == nil {
			return v.seatedRow(ctx, ref, row)
		}
		v.giveBack(ref, 1)
		if !worthAnother(err, try) {
			return err
		}
	}
}

func (v *KmsVault) seatedRow(ctx context.Context, ref DekRef, row WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	var kek DekRef
	if err := kek.UnmarshalText([]byte(members.KeyID)); err != nil {
		return err
	}
	return v.seatedUnder(ctx, ref, kek)
}

// stale says whether a seal failed because the store was read too long ago: the DEK
// is gone, or one of a newer version came in with an envelope.
func stale(err error) bool {
	return gone(err) || errors.Is(err, ErrNoActiveDek) || errors.Is(err, ErrActiveRollback)
}

// worthAnother says whether reading the store again can make work succeed that was
// refused so many times: a DEK that was just had can be replaced again before the work,
// each time by one rotation more; anything else is tried once more.
func worthAnother(err error, tries int) bool {
	return stale(err) && (tries < 2 || gone(err) && tries < tellTries)
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

// refOf reads the dek_ref of an envelope that the vault made or opened: no call into the
// core for what stands in the clear.
func refOf(envelope []byte) DekRef { return DekRef(envelope[4:36]) }
