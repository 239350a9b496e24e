package strongroom

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// life is the time for which the vault holds a DEK. The core alone ends it; this says
// when to ask for the DEK again before that.
type life struct {
	soft, end time.Time
	// refreshing is set while it is asked for.
	refreshing bool
}

// denial is a KMS's refusal of a DEK, which is not asked for again for a while.
type denial struct {
	err   error
	until time.Time
}

// born notes that a DEK came in by the KMS; its soft end is between 80 % and 95 % of its
// time, at another point for each, so that the hosts of a fleet don't ask all at once.
func (v *KmsVault) born(ref DekRef) { v.bornUntil(ref, v.now().Add(v.ttl)) }

// bornUnder notes that a DEK came in by a local row: it doesn't outlive its KEK.
func (v *KmsVault) bornUnder(ref, kek DekRef) {
	v.lock.Lock()
	above, ok := v.lives[kek]
	end := v.now().Add(v.ttl)
	if ok && above.end.Before(end) {
		end = above.end
	}
	v.lock.Unlock()
	v.bornUntil(ref, end)
	if !ok {
		return
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	// Before the KEK is due there is nothing to be won.
	if mine := v.lives[ref]; mine != nil && end.Equal(above.end) && mine.soft.Before(above.soft) {
		mine.soft = above.soft
	}
}

// bornBy notes a record DEK that was made, by its local row.
func (v *KmsVault) bornBy(row WrapRow) {
	var kek DekRef
	if members, err := row.Members(); err == nil && kek.UnmarshalText([]byte(members.KeyID)) == nil {
		v.bornUnder(members.DekRef, kek)
	}
}

func (v *KmsVault) bornUntil(ref DekRef, end time.Time) {
	now := v.now()
	v.lock.Lock()
	defer v.lock.Unlock()
	if len(v.lives) >= maxKnown {
		clear(v.lives)
	}
	left := end.Sub(now)
	soft := now.Add(left*8/10 + time.Duration(rand.Float64()*0.15*float64(left)))
	v.lives[ref] = &life{soft: soft, end: end}
	delete(v.denials, ref)
}

// used starts a refresh in the background for a DEK whose soft end has come.
func (v *KmsVault) used(ctx context.Context, envelope []byte) {
	if len(envelope) < overhead {
		return
	}
	ref := refOf(envelope)
	if !v.mustRefresh(ref) {
		return
	}
	// It goes on after the call that noticed, but not after a sign-out.
	ctx = context.WithoutCancel(ctx)
	go func() {
		err := v.flights.do(ctx, flightKey{work: refreshDek, ref: ref}, func(ctx context.Context) error { return v.refresh(ctx, ref) })
		v.refreshed(ref, err)
	}()
}

// mustRefresh claims the refresh of a DEK that is due.
func (v *KmsVault) mustRefresh(ref DekRef) bool {
	v.lock.Lock()
	defer v.lock.Unlock()
	mine := v.lives[ref]
	if mine == nil || mine.refreshing {
		return false
	}
	now := v.now()
	mine.refreshing = !now.Before(mine.soft) && now.Before(mine.end)
	return mine.refreshing
}

// refreshed notes how a refresh ended. A success has made a new life; after a failure
// the DEK lives on to its old end, and is asked for once more in a while.
func (v *KmsVault) refreshed(ref DekRef, err error) {
	v.lock.Lock()
	defer v.lock.Unlock()
	mine := v.lives[ref]
	if mine == nil || err == nil {
		return
	}
	mine.refreshing = false
	now := v.now()
	mine.soft = now.Add(max(mine.end.Sub(now)/4, time.Second))
}

// refresh brings a DEK in anew while the vault still holds it.
func (v *KmsVault) refresh(ctx context.Context, ref DekRef) error {
	rows, err := v.rowsOf(ctx, ref)
	if err != nil {
		return err
	}
	var wrapped []candidate
	for _, row := range rows {
		members, err := row.Members()
		switch {
		case err != nil || members.DekRef != ref:
		case members.Provider != providerLocal:
			wrapped = append(wrapped, candidate{row, members})
		default:
			if err := v.refreshLocal(ctx, row, &members); err == nil {
				return nil
			}
		}
	}
	if len(wrapped) == 0 {
		return ErrUnknownDek
	}
	return v.renew(ctx, ref, wrapped)
}

// refreshLocal admits a local row again, after its KEK where that is due. It asks the
// KMS for nothing else.
func (v *KmsVault) refreshLocal(ctx context.Context, row WrapRow, members *WrapMembers) error {
	var kek DekRef
	if err := kek.UnmarshalText([]byte(members.KeyID)); err != nil {
		return err
	}
	if v.mustRefresh(kek) {
		rows, err := v.kekRows(ctx, kek)
		if err == nil {
			err = v.renew(ctx, kek, rows)
		}
		v.refreshed(kek, err)
		if err != nil {
			return err
		}
	}
	if err := v.admit(ctx, func() error { return second(v.vault.Admit(v.org, row, nil)) }); err != nil {
		return err
	}
	v.bornUnder(members.DekRef, kek)
	v.chain.keep(ctx, v, members.DekRef, []WrapRow{row})
	return nil
}

// renew has the KMS unwrap a DEK that is held, once however many wait.
func (v *KmsVault) renew(ctx context.Context, ref DekRef, rows []candidate) error {
	return v.flights.do(ctx, flightKey{work: unwrapDek, ref: ref}, func(ctx context.Context) error {
		return v.unwrapFirst(ctx, rows)
	})
}

// denied notes a refusal of the KMS; the core has dropped the DEK if it was held.
func (v *KmsVault) denied(ref DekRef, err error) {
	if !errors.Is(err, ErrKmsDenied) && !errors.Is(err, ErrKmsPendingDeletion) {
		return
	}
	v.chain.drop(ref)
	v.lock.Lock()
	defer v.lock.Unlock()
	delete(v.lives, ref)
	if v.denialTTL <= 0 {
		return
	}
	if len(v.denials) >= maxKnown {
		clear(v.denials)
	}
	v.denials[ref] = denial{err, v.now().Add(v.denialTTL)}
}

// stillDenied is the KMS's refusal of a DEK, if that was a moment ago.
func (v *KmsVault) stillDenied(ref DekRef) error {
	v.lock.Lock()
	defer v.lock.Unlock()
	refusal, ok := v.denials[ref]
	if !ok {
		return nil
	}
	// A clock that went back makes no refusal last longer.
	if left := refusal.until.Sub(v.now()); left > 0 && left <= v.denialTTL {
		return refusal.err
	}
	delete(v.denials, ref)
	return nil
}
