package strongroom

import (
	"context"
	"errors"
	"time"
)

// knownActive is the active row as it was last read and told to the vault.
type knownActive struct {
	ref  DekRef
	read time.Time
}

// ready gets the active DEK, reading the row again after a while or if anew is set,
// and gives its dek_ref. An active row that is tombstoned is told to the vault, which
// refuses from then on.
func (v *KmsVault) ready(ctx context.Context, anew bool) (DekRef, error) {
	if err := v.alive(); err != nil {
		return DekRef{}, err
	}
	if ref, ok := v.knowsActive(); ok && !anew {
		return ref, nil
	}
	for {
		if err := v.flights.do(ctx, flightKey{work: readActive}, v.readActive); err != nil {
			return DekRef{}, err
		}
		v.lock.Lock()
		active := v.active
		v.lock.Unlock()
		if active != nil {
			return active.ref, nil
		}
		// Read and forgotten again, by a sign-out.
		if err := ended(ctx); err != nil {
			return DekRef{}, err
		}
	}
}

func (v *KmsVault) readActive(ctx context.Context) error {
	free, err := v.activating.take(ctx)
	if err != nil {
		return err
	}
	defer free()
	read := v.now()
	row, err := v.store.Active(ctx, v.org)
	if err != nil {
		return err
	}
	if row == nil {
		return ErrNoActiveDek
	}
	_, err = v.adopt(ctx, *row, read)
	return err
}

// freshen follows the active rows of the own org and of the owner whose record is
// opened, if they were read too long ago: a tombstone that another host wrote ends the
// work for that org here too. A store that can't be read, or doesn't answer, stops no
// opening, and is asked again soon.
func (v *KmsVault) freshen(ctx context.Context, owner string) {
	for _, org := range []string{v.org, owner} {
		if v.hasLooked(org) {
			continue
		}
		patient, cancel := context.WithTimeout(ctx, lookPatience)
		err := v.flights.do(patient, flightKey{work: lookAtActive, org: org}, func(ctx context.Context) error {
			return v.lookAt(ctx, org)
		})
		cancel()
		if err != nil {
			v.looks(ctx, org, v.now().Add(min(lookAgain-v.activeMaxAge, 0)))
		}
	}
}

func (v *KmsVault) lookAt(ctx context.Context, org string) error {
	if org == v.org {
		free, err := v.activating.take(ctx)
		if err != nil {
			return err
		}
		defer free()
	}
	read := v.now()
	row, err := v.store.Active(ctx, org)
	if err == nil && row != nil {
		err = v.follow(ctx, org, *row)
	}
	if err == nil {
		v.looks(ctx, org, read)
	}
	return err
}

// follow tells the vault of an active row that was read for opening. Of other orgs only
// a tombstone matters here.
func (v *KmsVault) follow(ctx context.Context, org string, row ActiveRow) error {
	if org == v.org {
		_, _, err := v.tell(ctx, row)
		return err
	}
	members, err := row.Members()
	if err != nil || members.Org != org || members.State != stateTombstoned {
		return err
	}
	return v.admit(ctx, func() error { return v.vault.Tombstone(org) })
}

func (v *KmsVault) hasLooked(org string) bool {
	v.lock.Lock()
	defer v.lock.Unlock()
	read, ok := v.looked[org]
	return ok && v.isFresh(read)
}

// looks notes when an org's active row was read, for as long as the errand's era lasts.
func (v *KmsVault) looks(ctx context.Context, org string, read time.Time) {
	_ = v.admit(context.WithoutCancel(ctx), func() error {
		v.lock.Lock()
		defer v.lock.Unlock()
		if len(v.looked) >= maxKnown {
			clear(v.looked)
		}
		v.looked[org] = read
		return nil
	})
}

// Rotate mints a DEK of the next version, which is active from then on, and gives
// the active row. Old envelopes stay readable. The org's first DEK is made in the
// same way.
//
// Its row is stored before it becomes active. Where another process was quicker,
// that one's DEK is the active one and its row is returned.
func (v *KmsVault) Rotate(ctx context.Context) (ActiveRow, error) {
	if err := v.alive(); err != nil {
		return ActiveRow{}, err
	}
	err := v.flights.do(v.begin(ctx), flightKey{work: rotateDek}, v.rotate)
	if err != nil {
		return ActiveRow{}, err
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	return v.rotated, nil
}

// rotate leaves the row that is active afterwards in v.rotated.
func (v *KmsVault) rotate(ctx context.Context) error { return v.rotateFrom(ctx, nil) }

// rotateFrom rotates, but with a DEK only if that is still the active one.
func (v *KmsVault) rotateFrom(ctx context.Context, from *DekRef) error {
	free, err := v.activating.take(ctx)
	if err != nil {
		return err
	}
	defer free()
	before, err := v.beforeNext(ctx)
	if err != nil {
		return err
	}
	switch {
	case from != nil && before.DekRef != *from:
		return errNotDueAnyMore
	case before.Version == lastVersion:
		return ErrLimit
	}
	request, err := inEra(ctx, v, func() (KmsRequest, error) {
		return v.vault.MintRequest(v.org, v.cmks[v.org][0], before.Version+1, v.seconds())
	})
	if err != nil {
		return err
	}
	var wrap WrapRow
	var active ActiveRow
	err = v.ask(ctx, request, nil, func(reply KmsReply) (err error) {
		wrap, active, err = v.vault.AdmitMinted(request.ID, reply)
		return err
	})
	if err != nil {
		return err
	}
	came := v.now()
	if err := v.store.PutIfAbsent(ctx, wrap); err != nil {
		return err
	}
	minted, err := active.Members()
	if err != nil {
		return err
	}
	if active, err = v.activate(ctx, active); err != nil {
		return err
	}
	if stored, err := active.Members(); err == nil && stored.DekRef == minted.DekRef && before.Version > 0 {
		// Where this is lost, retiring notes a later time and waits longer.
		_, _ = v.store.MarkInactive(ctx, before.DekRef, v.seconds())
	}
	if active, err = v.adopt(ctx, active, came); err != nil {
		return err
	}
	v.bornUntil(minted.DekRef, came.Add(v.ttl))
	v.chain.keep(ctx, v, minted.DekRef, []WrapRow{wrap})
	v.lock.Lock()
	defer v.lock.Unlock()
	v.rotated = active
	return nil
}

// activate writes the active row and gives the one that stands there afterwards.
func (v *KmsVault) activate(ctx context.Context, active ActiveRow) (ActiveRow, error) {
	failure := v.store.CompareAndSetActive(ctx, active)
	if failure == nil {
		return active, nil
	}
	// Either another process won, or it can't be told whether this one did.
	stored, err := v.store.Active(ctx, v.org)
	if err != nil || stored == nil {
		return active, failure
	}
	if !errors.Is(failure, ErrPreconditionFailed) && !sameActive(*stored, active) {
		return active, failure
	}
	return *stored, nil
}

// beforeNext gives the row that is stored now, with version 0 where none is. The vault
// is told of it, because it numbers the next one after it.
func (v *KmsVault) beforeNext(ctx context.Context) (ActiveMembers, error) {
	row, err := v.store.Active(ctx, v.org)
	if err != nil || row == nil {
		return ActiveMembers{}, err
	}
	_, members, err := v.tell(ctx, *row)
	return members, err
}

// adopt tells the vault of a stored active row, or of a newer one, and gets the DEK
// of that; read is when it was read. It gives the row that was told.
func (v *KmsVault) adopt(ctx context.Context, row ActiveRow, read time.Time) (ActiveRow, error) {
	// Told first: a minted DEK is held only from then on.
	row, members, err := v.tell(ctx, row)
	if err != nil {
		return row, err
	}
	if members.State != stateTombstoned {
		if err := v.hold(ctx, members.DekRef); err != nil {
			return row, err
		}
	}
	return row, v.admit(ctx, func() error {
		v.lock.Lock()
		defer v.lock.Unlock()
		v.active = &knownActive{members.DekRef, read}
		v.looked[v.org] = read
		return nil
	})
}

// tell says to the vault which active row is stored, and gives the row that it was
// told. A row may have been read before a DEK of a newer version came in with an
// envelope: then the store has its row by now, and is read again. A row that the store
// still gives is a rollback.
func (v *KmsVault) tell(ctx context.Context, row ActiveRow) (ActiveRow, ActiveMembers, error) {
	for try := 1; ; try++ {
		members, err := v.activeMembers(row)
		if err != nil {
			return row, members, err
		}
		refused := v.admit(ctx, func() error { return v.vault.SetActive(row) })
		if refused == nil {
			v.chain.saw(members.Org, members.Version)
		}
		if !errors.Is(refused, ErrActiveRollback) || try == tellTries {
			return row, members, refused
		}
		stored, err := v.store.Active(ctx, v.org)
		if err != nil {
			return row, members, err
		}
		if stored == nil || sameActive(*stored, row) {
			return row, members, refused
		}
		row = *stored
	}
}

// activeMembers reads an active row; one of another org is ErrRowInconsistent.
func (v *KmsVault) activeMembers(row ActiveRow) (ActiveMembers, error) {
	members, err := row.Members()
	if err == nil && members.Org != v.org {
		err = ErrRowInconsistent
	}
	return members, err
}

func (v *KmsVault) knowsActive() (DekRef, bool) {
	v.lock.Lock()
	defer v.lock.Unlock()
	if v.active == nil || !v.isFresh(v.active.read) {
		return DekRef{}, false
	}
	return v.active.ref, true
}

func sameActive(a, b ActiveRow) bool {
	left, err := a.Members()
	if err != nil {
		return false
	}
	right, err := b.Members()
	return err == nil && left == right
}

const (
	lastVersion = 1<<32 - 1
	// Each try more needs a rotation more that was read and overtaken meanwhile; a store
	// that never gives the same row twice is lying.
	tellTries = 8
	// How soon a store that couldn't be read for an opening is asked again.
	lookAgain = 5 * time.Second
	// How long an opening waits for a store that doesn't answer.
	lookPatience = 2 * time.Second
)
