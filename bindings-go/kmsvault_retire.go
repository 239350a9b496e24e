package strongroom

import (
	"cmp"
	"context"
	"slices"
)

// RetireReport says what [KmsVault.Retire] found.
type RetireReport struct {
	// Retired says that the version's rows are gone.
	Retired bool
	// DekRefs are the version's DEKs: one, and those that lost a race when it was made.
	DekRefs []DekRef
	// Envelopes and LocalWraps need the version: as long as there are any, it stays.
	Envelopes  int
	LocalWraps int
	// NotBefore is the unix second before which no inventory may begin, 0 if that time
	// has come.
	NotBefore uint64
}

// Retire deletes the rows of an older version of the org's DEK, if an inventory of the
// fields proves that no envelope needs it, and of the store that no local row does:
// [KmsVault.Reseal] and [KmsVault.RewrapLocal] come before. The inventory begins no
// sooner than every host must have noticed that the version isn't the active one (an
// hour) and every DEK that was held then is over (twelve hours). Where nobody noted
// since when that is, this run notes it and stops.
//
// fields must be all of the org's fields: what another store holds under the version is
// lost. It returns ErrBadInput for a version that isn't below the active one or no store,
// and the error of an envelope that can't be read. Nothing is deleted then.
func (v *KmsVault) Retire(ctx context.Context, version uint32, fields FieldStore) (RetireReport, error) {
	ctx = v.begin(ctx)
	if fields == nil || version == 0 {
		return RetireReport{}, ErrBadInput
	}
	active, err := v.ready(ctx, true)
	if err != nil {
		return RetireReport{}, err
	}
	row, err := v.store.Active(ctx, v.org)
	if err != nil || row == nil {
		return RetireReport{}, cmp.Or(err, error(ErrNoActiveDek))
	}
	members, err := v.activeMembers(*row)
	if err != nil {
		return RetireReport{}, err
	}
	if version >= members.Version {
		return RetireReport{}, ErrBadInput
	}
	rows, err := v.versionRows(ctx, version)
	if err != nil {
		return RetireReport{}, err
	}
	report := RetireReport{}
	for _, row := range rows {
		// Storage's word: that the active DEK is of an older version is a lie.
		if row.members.DekRef == active || row.members.DekRef == members.DekRef {
			return report, ErrRowInconsistent
		}
		if !slices.Contains(report.DekRefs, row.members.DekRef) {
			report.DekRefs = append(report.DekRefs, row.members.DekRef)
		}
	}
	if report.NotBefore, err = v.inactiveLongEnough(ctx, report.DekRefs); err != nil || report.NotBefore > 0 {
		return report, err
	}
	if report.Envelopes, err = v.inventory(ctx, report.DekRefs, fields); err != nil {
		return report, err
	}
	redundant, needed, err := v.localWraps(ctx, report.DekRefs, active)
	if report.LocalWraps = needed; err != nil || report.Envelopes+needed > 0 {
		return report, err
	}
	return v.deleteVersion(ctx, report, redundant, rows)
}

// versionRows reads the rows of a version of the org's DEK, those that lost a race too.
func (v *KmsVault) versionRows(ctx context.Context, version uint32) ([]candidate, error) {
	rows, err := v.store.RowsByOwner(ctx, v.org, nil)
	var found []candidate
	for _, row := range rows {
		m, err := row.Members()
		if err == nil && m.Purpose == purposeOrgDek && m.Owner == v.org && m.Reader == v.org && m.Version == version {
			found = append(found, candidate{row, m})
		}
	}
	return found, err
}

// inactiveLongEnough gives 0 if the DEKs have been inactive for long enough, or else the
// second from which they will have been.
func (v *KmsVault) inactiveLongEnough(ctx context.Context, refs []DekRef) (notBefore uint64, err error) {
	for _, ref := range refs {
		usage, err := v.store.Usage(ctx, ref)
		if err != nil {
			return 0, err
		}
		if usage == nil || usage.InactiveSince == 0 {
			noted, err := v.store.MarkInactive(ctx, ref, v.seconds())
			if err != nil {
				return 0, err
			}
			usage = &noted
		}
		notBefore = max(notBefore, usage.InactiveSince+inactiveFor)
	}
	if v.seconds() >= notBefore {
		return 0, nil
	}
	return notBefore, nil
}

// inventory counts the envelopes that need one of the DEKs.
func (v *KmsVault) inventory(ctx context.Context, refs []DekRef, fields FieldStore) (count int, err error) {
	err = fields.All(ctx, v.org, func(field StoredField) error {
		header, err := Inspect(field.Envelope)
		if err != nil {
			return err
		}
		if slices.Contains(refs, header.DekRef) {
			count++
		}
		return nil
	})
	return count, err
}

// localWraps looks through this org's local rows under the DEKs. One is redundant if the
// same DEK comes in by another row under the active DEK, which is tried here and now.
func (v *KmsVault) localWraps(ctx context.Context, refs []DekRef, active DekRef) (redundant []WrapRow, needed int, err error) {
	rows, err := v.store.RowsByReader(ctx, v.org)
	if err != nil {
		return nil, 0, err
	}
	current := map[DekRef]WrapRow{}
	var old []candidate
	for _, row := range rows {
		m, err := row.Members()
		if err != nil || m.Reader != v.org || m.Provider != providerLocal {
			continue
		}
		var kek DekRef
		if err := kek.UnmarshalText([]byte(m.KeyID)); err != nil {
			return nil, 0, err
		}
		if kek == active {
			current[m.DekRef] = row
		} else if slices.Contains(refs, kek) {
			old = append(old, candidate{row, m})
		}
	}
	for _, row := range old {
		again, ok := current[row.members.DekRef]
		if ok && v.admit(ctx, func() error { return second(v.vault.Admit(v.org, again, nil)) }) == nil {
			redundant = append(redundant, row.row)
		} else {
			needed++
		}
	}
	return redundant, needed, ended(ctx)
}

// deleteVersion deletes what nothing needs: a run that is cut off leaves what the next
// one finds.
func (v *KmsVault) deleteVersion(
	ctx context.Context, report RetireReport, redundant []WrapRow, rows []candidate,
) (RetireReport, error) {
	for _, row := range redundant {
		if err := v.store.Delete(ctx, row); err != nil {
			return report, err
		}
	}
	for _, row := range rows {
		if err := v.store.Delete(ctx, row.row); err != nil {
			return report, err
		}
	}
	for _, ref := range report.DekRefs {
		if err := v.store.DeleteUsage(ctx, ref); err != nil {
			return report, err
		}
	}
	report.Retired = true
	return report, nil
}

// inactiveFor is how long a DEK must have been inactive before an inventory may prove
// anything: no vault holds one longer than 43,200 s, and none goes by an active row that
// it read more than 3,600 s ago.
const inactiveFor = ttlMost + 3_600
