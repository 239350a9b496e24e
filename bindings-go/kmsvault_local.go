package strongroom

import (
	"context"
	"errors"
)

// WrapLocal makes a row of a record's newest DEK, of those that this org can read, under
// the org's own active DEK and stores it: after a rotation, or for a reader of a share,
// which can then open the record without asking the KMS for it. A row that is already
// there is returned.
//
// It returns ErrNoActiveDek where the org has no active DEK, or no row of a DEK of that
// record.
func (v *KmsVault) WrapLocal(ctx context.Context, owner, table, record string) (WrapRow, error) {
	ctx = v.begin(ctx)
	place := RecordPlace{table, record}
	if err := v.judgeAt(owner, place); err != nil {
		return WrapRow{}, err
	}
	v.freshen(ctx, owner)
	rows, err := v.recordRows(ctx, owner, place)
	if err != nil {
		return WrapRow{}, err
	}
	version := highestOf(rows, v.org)
	if version == 0 {
		return WrapRow{}, ErrNoActiveDek
	}
	failure := error(ErrNoActiveDek)
	for _, row := range rows {
		if row.members.Reader != v.org || row.members.Version != version {
			continue
		}
		if failure = v.hold(ctx, row.members.DekRef); failure == nil {
			return v.wrapLocal(ctx, row.members.DekRef)
		}
	}
	return WrapRow{}, failure
}

// RewrapLocal makes the rows that are still lacking after a rotation: each DEK with a
// local row of this org under an older DEK of the org, and none under the active one,
// gets one. It gives how many it made. One that can't be had keeps the others from
// nothing; its error is returned in the end.
func (v *KmsVault) RewrapLocal(ctx context.Context) (int, error) {
	ctx = v.begin(ctx)
	active, err := v.ready(ctx, true)
	if err != nil {
		return 0, err
	}
	rows, err := v.store.RowsByReader(ctx, v.org)
	if err != nil {
		return 0, err
	}
	current := map[DekRef]bool{}
	var old []DekRef
	for _, row := range rows {
		members, err := row.Members()
		switch {
		case err != nil || members.Reader != v.org || members.Provider != providerLocal:
		case members.KeyID == active.String():
			current[members.DekRef] = true
		default:
			old = append(old, members.DekRef)
		}
	}
	made, failure := 0, error(nil)
	for _, ref := range old {
		if current[ref] {
			continue
		}
		current[ref] = true
		err := v.hold(ctx, ref)
		if err == nil {
			_, err = v.wrapLocal(ctx, ref)
		}
		if err == nil {
			made++
			continue
		}
		if over := ended(ctx); over != nil {
			return made, over
		}
		failure = errors.Join(failure, err)
	}
	return made, failure
}

// wrapLocal wraps a record DEK that is held under the active DEK and stores the row,
// unless there is one.
func (v *KmsVault) wrapLocal(ctx context.Context, ref DekRef) (WrapRow, error) {
	active, err := v.ready(ctx, false)
	if err != nil {
		return WrapRow{}, err
	}
	if found, err := v.wrappedBy(ctx, ref, v.org, active.String()); found != nil || err != nil {
		return orNone(found), err
	}
	var row WrapRow
	err = v.withActive(ctx, func() (WrapRow, error) {
		err := v.admit(ctx, func() (err error) {
			row, err = v.vault.WrapLocal(v.org, ref, v.seconds())
			return err
		})
		return row, err
	})
	if err != nil {
		return WrapRow{}, err
	}
	members, err := row.Members()
	if err != nil {
		return WrapRow{}, err
	}
	return v.putOrFind(ctx, row, ref, v.org, members.KeyID)
}
