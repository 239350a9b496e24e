package strongroom

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// RevokeReport says what [KmsVault.Revoke] did, and what it could not undo.
type RevokeReport struct {
	// Version is the record DEK's version under which every field now stands.
	Version uint32
	// Resealed is how many fields were moved.
	Resealed int
	// Readers are the orgs with which the record is still shared, in order.
	Readers []string
	// Deleted is how many rows of older versions were deleted.
	Deleted int
	// CachedUntil is the unix second until which the old DEK may live in a vault or a
	// keychain of the reader. What the reader has read it may keep for ever.
	CachedUntil uint64
}

// Revoke ends a reader's share of a record. It makes the next version of the record's
// DEK, wraps it for the readers that remain, moves every field under it, and deletes the
// rows of older versions once no field needs them. A run that was cut off is finished by
// another, of any host; with a reader that has no share it only does what is left to do.
//
// Nothing that another host sealed under the old version may be on its way to the field
// store meanwhile: it would be lost with the rows. Hosts look for a new version as often
// as for the active row.
//
// It returns ErrBadInput for a name that is none, the own org or no store,
// ErrNoActiveDek for a record without a DEK of its own, ErrKeyIDUnexpected for a reader
// that remains without a CMK in the config, and ErrPreconditionFailed if fields or
// shares still change after ten rounds. No row is deleted then.
func (v *KmsVault) Revoke(ctx context.Context, table, record, reader string, fields FieldStore) (RevokeReport, error) {
	ctx = v.begin(ctx)
	place := RecordPlace{table, record}
	if fields == nil || reader == "" || reader == v.org {
		return RevokeReport{}, ErrBadInput
	}
	if err := v.judge(place); err != nil {
		return RevokeReport{}, err
	}
	report := RevokeReport{}
	for range resealRounds {
		if err := v.shutOut(ctx, place, reader); err != nil {
			return report, err
		}
		moved, err := v.resealFields(ctx, place, fields)
		report.Version, report.Resealed = moved.Version, report.Resealed+moved.Resealed
		if err != nil {
			return report, err
		}
		rows, err := v.recordRows(ctx, v.org, place)
		if err != nil {
			return report, err
		}
		readers := readersAt(rows, highestOf(rows, v.org), v.org)
		// Another host that revoked for somebody else may have shared anew with this one.
		if _, back := readers[reader]; back || highestOf(rows, v.org) != report.Version {
			continue
		}
		report.Readers = slices.Sorted(maps.Keys(readers))
		report.Deleted, err = v.deleteOlder(ctx, rows, report.Version)
		report.CachedUntil = v.seconds() + ttlMost
		return report, err
	}
	return report, ErrPreconditionFailed
}

// shutOut makes a new version of a record's DEK if the reader has a row of the highest:
// first the rows of the readers that remain, then the own one. That is what makes the
// version known; what is there before it is nobody's loss.
func (v *KmsVault) shutOut(ctx context.Context, place RecordPlace, reader string) error {
	free, err := v.making.take(ctx)
	if err != nil {
		return err
	}
	defer free()
	rows, err := v.recordRows(ctx, v.org, place)
	if err != nil {
		return err
	}
	highest := highestOf(rows, v.org)
	if highest == 0 {
		return ErrNoActiveDek
	}
	remaining := readersAt(rows, highest, v.org)
	if _, shared := remaining[reader]; !shared {
		return nil
	}
	delete(remaining, reader)
	dropOutcasts(remaining, rows, highest, v.org)
	cmks, err := v.cmksOf(remaining)
	if err != nil {
		return err
	}
	version, err := v.nextRecordVersion(ctx, place)
	if err != nil {
		return err
	}
	return v.draft(ctx, place, version, cmks)
}

// readersAt gives the readers with a row of that version and the key ids of their rows.
func readersAt(rows []candidate, version uint32, owner string) map[string][]string {
	readers := map[string][]string{}
	for _, row := range rows {
		if m := &row.members; m.Version == version && m.Reader != owner {
			readers[m.Reader] = append(readers[m.Reader], m.KeyID)
		}
	}
	return readers
}

// dropOutcasts drops the readers that another host shuts out at the same time: where two
// revocations made two DEKs of one version, each has left its own reader out, and only
// those that have both remain. Two first versions are two promotions', which shut nobody
// out.
func dropOutcasts(remaining map[string][]string, rows []candidate, version uint32, owner string) {
	if version == 1 {
		return
	}
	shared := map[DekRef]map[string]bool{}
	for _, row := range rows {
		if row.members.Version == version && row.members.Reader == owner {
			shared[row.members.DekRef] = map[string]bool{}
		}
	}
	for _, row := range rows {
		if of := shared[row.members.DekRef]; of != nil {
			of[row.members.Reader] = true
		}
	}
	for _, of := range shared {
		maps.DeleteFunc(remaining, func(reader string, _ []string) bool { return !of[reader] })
	}
}

// cmksOf chooses the CMK for each reader: one that its rows name and the config lists,
// or else the first that the config lists.
func (v *KmsVault) cmksOf(readers map[string][]string) (map[string]string, error) {
	cmks := map[string]string{}
	for reader, named := range readers {
		listed := v.cmks[reader]
		if len(listed) == 0 {
			return nil, ErrKeyIDUnexpected
		}
		cmks[reader] = listed[0]
		for _, keyID := range named {
			if slices.Contains(listed, keyID) {
				cmks[reader] = keyID
				break
			}
		}
	}
	return cmks, nil
}

// draftDek is a record DEK between its making and the storing of its own row. What is
// sealed under it waits.
type draftDek struct {
	row  WrapRow
	done chan struct{}
	// err is why it wasn't published.
	err error
}

// draft makes a record DEK, wraps it for its readers, and publishes it.
func (v *KmsVault) draft(ctx context.Context, place RecordPlace, version uint32, cmks map[string]string) error {
	var ref DekRef
	var draft *draftDek
	err := v.withActive(ctx, func() (WrapRow, error) {
		err := v.admit(ctx, func() (err error) {
			ref, draft, err = v.generateDraft(place, version)
			return err
		})
		if err != nil {
			return WrapRow{}, err
		}
		return draft.row, nil
	})
	if draft == nil {
		return err
	}
	v.bornBy(draft.row)
	if err == nil {
		err = v.shareAll(ctx, place, ref, cmks)
	}
	if err == nil {
		err = v.store.PutIfAbsent(ctx, draft.row)
	}
	if err == nil {
		v.keepBy(ctx, draft.row)
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	if draft.err = err; err == nil {
		delete(v.drafts, ref)
		v.know(place, ref)
	}
	close(draft.done)
	return err
}

// generateDraft makes a record DEK, which is a draft from the moment it exists.
func (v *KmsVault) generateDraft(place RecordPlace, version uint32) (DekRef, *draftDek, error) {
	v.lock.Lock()
	defer v.lock.Unlock()
	row, err := v.vault.GenerateRecordDek(v.org, place.Table, place.Record, version, v.seconds())
	if err != nil {
		return DekRef{}, nil, err
	}
	members, err := row.Members()
	if err != nil {
		return DekRef{}, nil, err
	}
	draft := &draftDek{row: row, done: make(chan struct{})}
	v.drafts[members.DekRef] = draft
	v.knowKind(members.DekRef, ScopeRecord)
	return members.DekRef, draft, nil
}

// shareAll wraps a DEK for its readers. One that is tombstoned has nothing to read with.
func (v *KmsVault) shareAll(ctx context.Context, place RecordPlace, ref DekRef, cmks map[string]string) error {
	failures := sideBySide(sorted(cmks), func(reader string) error {
		_, err := v.wrapDek(ctx, place, ref, reader, cmks[reader], v.shareRequest(reader, cmks[reader]))
		return err
	})
	for _, reader := range sorted(failures) {
		if err := failures[reader]; !errors.Is(err, ErrOrgTombstoned) {
			return err
		}
	}
	return nil
}

// published waits until a draft's own row is stored. Where that failed, nothing sealed
// under it gets out until another revocation makes a version more, unless the store
// has the row all the same.
func (v *KmsVault) published(ctx context.Context, ref DekRef, draft *draftDek) error {
	select {
	case <-draft.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if draft.err == nil {
		return nil
	}
	members, err := draft.row.Members()
	if err != nil {
		return err
	}
	found, err := v.wrappedBy(ctx, ref, v.org, members.KeyID)
	if err != nil {
		return err
	}
	if found == nil {
		return draft.err
	}
	v.lock.Lock()
	defer v.lock.Unlock()
	delete(v.drafts, ref)
	return nil
}

// deleteOlder deletes the rows of versions below one, whoever they are for.
func (v *KmsVault) deleteOlder(ctx context.Context, rows []candidate, version uint32) (deleted int, err error) {
	for _, row := range rows {
		if row.members.Version >= version {
			continue
		}
		if err := v.store.Delete(ctx, row.row); err != nil {
			return deleted, err
		}
		deleted++
	}
	return deleted, nil
}
