package strongroom

import (
	"context"
	"errors"
)

// PromoteReport says what [KmsVault.Promote] did.
type PromoteReport struct {
	// Version is the record DEK's version under which every field now stands.
	Version uint32
	// Resealed is how many fields were moved, Kept how many stood there already.
	Resealed int
	Kept     int
}

// Promote gives a record a DEK of its own, if it has none, and moves its fields from
// the org's DEK, or from an older version of the record's, under it: then the record can
// be shared. Only fields that need it are touched, each by compare-and-set, so a run
// that was cut off is finished by another, and two at once do no harm. Where two hosts
// made two DEKs of one version, both stay.
//
// It returns ErrBadInput for a name that is none or no store, ErrPreconditionFailed if
// fields still change after ten rounds, and the first error of a field that can't be
// opened, sealed or replaced.
func (v *KmsVault) Promote(ctx context.Context, table, record string, fields FieldStore) (PromoteReport, error) {
	ctx = v.begin(ctx)
	place := RecordPlace{table, record}
	if fields == nil {
		return PromoteReport{}, ErrBadInput
	}
	if err := v.judge(place); err != nil {
		return PromoteReport{}, err
	}
	if err := v.firstRecordDek(ctx, place); err != nil {
		return PromoteReport{}, err
	}
	return v.resealFields(ctx, place, fields)
}

// firstRecordDek makes a record's first DEK where there is none for this org.
func (v *KmsVault) firstRecordDek(ctx context.Context, place RecordPlace) error {
	free, err := v.making.take(ctx)
	if err != nil {
		return err
	}
	defer free()
	newest, err := v.newest(ctx, place, true)
	if newest != nil || err != nil {
		return err
	}
	// Above what a revocation that was cut off may have left for others.
	version, err := v.nextRecordVersion(ctx, place)
	if err != nil {
		return err
	}
	return second(v.makeRecordDek(ctx, place, version))
}

// resealFields moves every field of a record that isn't under its highest version
// there, until a look finds none.
func (v *KmsVault) resealFields(ctx context.Context, place RecordPlace, fields FieldStore) (PromoteReport, error) {
	var report PromoteReport
	failure := error(ErrPreconditionFailed)
	for range resealRounds {
		done, err := v.resealRound(ctx, place, fields, &report)
		switch {
		case errors.Is(err, ErrUnknownDek) && ended(ctx) == nil:
			// Another host may have moved the field and deleted the row since they were read.
			failure = err
		case done || err != nil:
			return report, err
		}
	}
	return report, failure
}

// resealRound looks once through a record's fields and is done if none had to be moved.
func (v *KmsVault) resealRound(
	ctx context.Context, place RecordPlace, fields FieldStore, report *PromoteReport,
) (done bool, err error) {
	highest, err := v.highest(ctx, place)
	if err != nil {
		return false, err
	}
	report.Version = highest.version
	found, err := fields.Fields(ctx, v.org, place.Table, place.Record)
	if err != nil {
		return false, err
	}
	behind, err := v.behind(place, found, highest)
	if err != nil {
		return false, err
	}
	for _, field := range behind {
		moved, err := v.moveField(ctx, field, fields)
		if err != nil {
			return false, err
		}
		if moved {
			report.Resealed++
		}
	}
	report.Kept = max(len(found)-report.Resealed, 0)
	return len(behind) == 0, nil
}

// behind lists the fields that are not under the highest version. What the field store
// says of another record is ErrRowInconsistent.
func (v *KmsVault) behind(place RecordPlace, found []StoredField, highest highestDek) ([]StoredField, error) {
	var behind []StoredField
	for _, field := range found {
		at := field.Binding
		if at.Org != v.org || at.Table != place.Table || at.Record != place.Record {
			return nil, ErrRowInconsistent
		}
		header, err := Inspect(field.Envelope)
		if err != nil {
			return nil, err
		}
		if !highest.refs[header.DekRef] {
			behind = append(behind, field)
		}
	}
	return behind, nil
}

// moveField reseals one field, unless another host was quicker.
func (v *KmsVault) moveField(ctx context.Context, field StoredField, fields FieldStore) (moved bool, err error) {
	scope := ScopeRecord
	envelope, err := v.reseal(ctx, field.Binding, field.Envelope, ResealOptions{Scope: &scope})
	if err != nil {
		return false, err
	}
	err = fields.Replace(ctx, field.Binding, field.Envelope, envelope)
	if errors.Is(err, ErrPreconditionFailed) {
		return false, nil
	}
	return err == nil, err
}

// highestDek is the highest version of a record's DEK: one DEK, or more where two hosts
// made one at once.
type highestDek struct {
	version uint32
	refs    map[DekRef]bool
}

// highest finds a record's highest version that has a row for this org, and gets its
// DEKs. A DEK of which only storage says that it is of this version doesn't count.
func (v *KmsVault) highest(ctx context.Context, place RecordPlace) (highestDek, error) {
	if _, err := v.readyRecord(ctx, place, true); err != nil {
		return highestDek{}, err
	}
	rows, err := v.recordRows(ctx, v.org, place)
	if err != nil {
		return highestDek{}, err
	}
	found := highestDek{highestOf(rows, v.org), map[DekRef]bool{}}
	for _, row := range rows {
		if m := &row.members; m.Reader == v.org && m.Version == found.version {
			if err := v.hold(ctx, m.DekRef); err != nil && !errors.Is(err, ErrUnknownDek) {
				return found, err
			}
			found.refs[m.DekRef] = true
		}
	}
	held, err := v.vault.Status()
	if err != nil {
		return found, err
	}
	proven := map[DekRef]bool{}
	for _, dek := range held {
		if found.refs[dek.DekRef] && dek.Version == found.version && dek.Org == v.org && dek.Kind == "record" {
			proven[dek.DekRef] = true
		}
	}
	found.refs = proven
	if len(proven) == 0 {
		return found, ErrRowInconsistent
	}
	return found, nil
}

// highestOf gives the highest version that has a row for a reader, 0 if none has.
func highestOf(rows []candidate, reader string) uint32 {
	var version uint32
	for _, row := range rows {
		if row.members.Reader == reader {
			version = max(version, row.members.Version)
		}
	}
	return version
}

func second[T any](_ T, err error) error { return err }

// How often a record's fields are looked through for what needs to be moved.
const resealRounds = 10
