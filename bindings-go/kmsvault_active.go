package strongroom

import (
	"context"
	"errors"
	"time"
)

// knownActive is the active row as it was last read and told to the vault.
type knownActive struct {
	row  ActiveRow
	read time.Time
}

// ready gets the active DEK, reading the row again after a while or if anew is set.
// An active row that is tombstoned is told to the vault, which refuses from then on.
func (v *KmsVault) ready(ctx context.Context, anew bool) error {
	if err := v.alive(); err != nil {
		return err
	}
	if !anew && v.knowsActive() {
		return nil
	}
	return v.flights.do(ctx, flightKey{work: readActive}, func(ctx context.Context) error {
		free, err := v.turn(ctx)
		if err != nil {
			return err
		}
		defer free()
		row, err := v.store.Active(ctx, v.org)
		if err != nil {
			return err
		}
		if row == nil {
			return ErrNoActiveDek
		}
		_, err = v.adopt(ctx, *row)
		return err
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

// turn waits until no other goroutine is between reading the active row and telling
// the vault of it, or rotates: an older row that is told between would discard a
// minted DEK, or leave the vault with an active DEK that nobody gets.
func (v *KmsVault) turn(ctx context.Context) (free func(), err error) {
	select {
	case v.activating <- struct{}{}:
		return func() { <-v.activating }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// rotate leaves the row that is active afterwards in v.rotated.
func (v *KmsVault) rotate(ctx context.Context) error {
	free, err := v.turn(ctx)
	if err != nil {
		return err
	}
	defer free()
	version, err := v.nextVersion(ctx)
	if err != nil {
		return err
	}
	request, err := inEra(ctx, v, func() (KmsRequest, error) {
		return v.vault.MintRequest(v.org, v.cmks[v.org][0], version, now())
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
	if err := v.store.PutIfAbsent(ctx, wrap); err != nil {
		return err
	}
	if active, err = v.activate(ctx, active); err != nil {
		return err
	}
	if active, err = v.adopt(ctx, active); err != nil {
		return err
	}
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

// nextVersion tells the vault which row is stored now, because the vault numbers
// the next one after it.
func (v *KmsVault) nextVersion(ctx context.Context) (uint32, error) {
	row, err := v.store.Active(ctx, v.org)
	if err != nil || row == nil {
		return 1, err
	}
	_, members, err := v.tell(ctx, *row)
	if err != nil {
		return 0, err
	}
	if members.Version == lastVersion {
		return 0, ErrLimit
	}
	return members.Version + 1, nil
}

// adopt tells the vault of a stored active row, or of a newer one, and gets the DEK
// of that. It gives the row that was told.
func (v *KmsVault) adopt(ctx context.Context, row ActiveRow) (ActiveRow, error) {
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
		v.active = &knownActive{row, time.Now()}
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

func (v *KmsVault) knowsActive() bool {
	v.lock.Lock()
	defer v.lock.Unlock()
	return v.active != nil && time.Since(v.active.read) < readAge
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
)
