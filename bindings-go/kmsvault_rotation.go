package strongroom

import (
	"context"
	"errors"
)

// RotationCause is why a rotation is due.
type RotationCause string

const (
	// NotDue says that no rotation is due.
	NotDue RotationCause = ""
	// DueByAge says that the active DEK is older than [KmsVaultConfig.RotateAfter].
	DueByAge RotationCause = "age"
	// DueByUse says that all processes together have reserved
	// [KmsVaultConfig.RotateAfterSeals] seals or more.
	DueByUse RotationCause = "use"
)

// RotationDue says whether the active DEK should be replaced, and why. Its age is
// counted from what its row says, its use from its usage row.
//
// It returns ErrNoActiveDek before the org's first [KmsVault.Rotate].
func (v *KmsVault) RotationDue(ctx context.Context) (RotationCause, error) {
	ctx = v.begin(ctx)
	ref, err := v.ready(ctx, true)
	if err != nil {
		return NotDue, err
	}
	return v.dueOf(ctx, ref)
}

func (v *KmsVault) dueOf(ctx context.Context, ref DekRef) (RotationCause, error) {
	created, err := v.createdOf(ctx, ref)
	if err != nil {
		return NotDue, err
	}
	if now := v.seconds(); now >= created && now-created >= uint64(v.rotateAfter.Seconds()) {
		return DueByAge, nil
	}
	usage, err := v.store.Usage(ctx, ref)
	if err == nil && usage != nil && usage.Reserved >= v.rotateAfterSeals {
		return DueByUse, nil
	}
	return NotDue, err
}

// createdOf reads when an org DEK was made. Of several rows the oldest counts: a later
// wrap makes no DEK younger.
func (v *KmsVault) createdOf(ctx context.Context, ref DekRef) (uint64, error) {
	rows, err := v.kekRows(ctx, ref)
	if err != nil {
		return 0, err
	}
	if len(rows) == 0 {
		return 0, ErrUnknownDek
	}
	created := rows[0].members.Created
	for _, row := range rows {
		created = min(created, row.members.Created)
	}
	return created, nil
}

// RotateIfDue rotates if that is due and says why it was. Many hosts may ask at once:
// for those who come late it isn't due any more. See [KmsVault.Rotate].
func (v *KmsVault) RotateIfDue(ctx context.Context) (RotationCause, error) {
	ctx = v.begin(ctx)
	ref, err := v.ready(ctx, true)
	if err != nil {
		return NotDue, err
	}
	cause, err := v.dueOf(ctx, ref)
	if err != nil || cause == NotDue {
		return NotDue, err
	}
	err = v.flights.do(ctx, flightKey{work: rotateDek, ref: ref}, func(ctx context.Context) error {
		return v.rotateFrom(ctx, &ref)
	})
	if errors.Is(err, errNotDueAnyMore) {
		// Sealing goes on under what the other process made active.
		_, err = v.ready(ctx, true)
		return NotDue, err
	}
	if err != nil {
		return NotDue, err
	}
	return cause, nil
}

var errNotDueAnyMore = errors.New("another process has rotated")
