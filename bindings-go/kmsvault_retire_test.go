//go:build cgo

package strongroom_test

import (
	"context"
	"errors"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
)

const inactiveFor = 46_800 * time.Second

// outdated makes a record with one field under version 1, which is the active one no more,
// and a record DEK whose only local row is under it.
func (w *world) outdated() (*strongroom.KmsVault, *fakeClock, *strongroom.MemoryFieldStore) {
	w.Helper()
	v, clock := w.clocked("acme")
	must(w.T, errOf(v.Rotate(w.Context())))
	fields := strongroom.NewMemoryFieldStore()
	w.record(v, fields, "h-1", 1, strongroom.ScopeOrg)
	must(w.T, errOf(v.GenerateRecordDek(w.Context(), "hosts", "h-2")))
	w.record(v, fields, "h-2", 1, strongroom.ScopeRecord)
	must(w.T, errOf(v.Rotate(w.Context())))
	return v, clock, fields
}

// renewed does what makes version 1 unneeded.
func (w *world) renewed(v *strongroom.KmsVault, fields *strongroom.MemoryFieldStore) {
	w.Helper()
	found, err := fields.Fields(w.Context(), "acme", "hosts", "h-1")
	must(w.T, err)
	for _, field := range found {
		envelope, err := v.Reseal(w.Context(), field.Binding, field.Envelope, strongroom.ResealOptions{})
		must(w.T, err)
		must(w.T, fields.Replace(w.Context(), field.Binding, field.Envelope, envelope))
	}
	must(w.T, errOf(v.RewrapLocal(w.Context())))
}

func TestAVersionIsRetiredOnlyWhenNothingNeedsItAndItsTimeHasCome(t *testing.T) {
	w := newWorld(t)
	v, clock, fields := w.outdated()
	retire := func() strongroom.RetireReport {
		t.Helper()
		report, err := v.Retire(t.Context(), 1, fields)
		must(t, err)
		return report
	}
	rows, err := w.store.RowsByOwner(t.Context(), "acme", nil)
	must(t, err)
	stays := func() {
		t.Helper()
		after, err := w.store.RowsByOwner(t.Context(), "acme", nil)
		must(t, err)
		if len(after) < len(rows) {
			t.Fatal("rows were deleted")
		}
	}
	if report := retire(); report.Retired || report.NotBefore == 0 || len(report.DekRefs) != 1 {
		t.Fatalf("report is %+v", report)
	}
	clock.step(inactiveFor - 2*time.Second)
	if report := retire(); report.Retired || report.NotBefore == 0 {
		t.Fatalf("report is %+v", report)
	}
	clock.step(3 * time.Second)
	if report := retire(); report.Retired || report.NotBefore != 0 || report.Envelopes != 1 || report.LocalWraps != 1 {
		t.Fatalf("report is %+v", report)
	}
	stays()
	w.renewed(v, fields)
	ref := retire()
	if !ref.Retired || ref.Envelopes+ref.LocalWraps != 0 {
		t.Fatalf("report is %+v", ref)
	}
	left, err := w.store.RowsByOwner(t.Context(), "acme", nil)
	must(t, err)
	// Version 2 and the record's row under it.
	if len(left) != 2 {
		t.Fatalf("%d rows are left", len(left))
	}
	usage, err := w.store.Usage(t.Context(), ref.DekRefs[0])
	must(t, err)
	if usage != nil {
		t.Fatal("the usage row is left")
	}
	w.allOpen("acme", fields, "h-1", 1)
	w.allOpen("acme", fields, "h-2", 1)
	if again := retire(); !again.Retired || len(again.DekRefs) != 0 {
		t.Fatalf("report is %+v", again)
	}
}

func TestWithoutANotedTimeRetiringNotesItAndStops(t *testing.T) {
	w := newWorld(t)
	v, clock, fields := w.outdated()
	w.renewed(v, fields)
	rows, err := w.store.RowsByOwner(t.Context(), "acme", nil)
	must(t, err)
	members, err := rows[0].Members()
	must(t, err)
	must(t, w.store.DeleteUsage(t.Context(), members.DekRef))
	clock.step(2 * inactiveFor)
	now := uint64(clock.Now().Unix())
	report, err := v.Retire(t.Context(), 1, fields)
	must(t, err)
	if report.Retired || report.NotBefore != now+46_800 {
		t.Fatalf("report is %+v", report)
	}
	clock.step(inactiveFor + time.Second)
	report, err = v.Retire(t.Context(), 1, fields)
	must(t, err)
	if !report.Retired {
		t.Fatalf("report is %+v", report)
	}
}

func TestRetiringRefusesWhatItCantProve(t *testing.T) {
	w := newWorld(t)
	v, clock, fields := w.outdated()
	w.renewed(v, fields)
	clock.step(inactiveFor + time.Second)
	for version, want := range map[uint32]error{0: strongroom.ErrBadInput, 2: strongroom.ErrBadInput, 3: strongroom.ErrBadInput} {
		_, err := v.Retire(t.Context(), version, fields)
		w.refused(want, err)
	}
	_, err := v.Retire(t.Context(), 1, nil)
	w.refused(strongroom.ErrBadInput, err)
	_, err = w.vault("globex").Retire(t.Context(), 1, fields)
	w.refused(strongroom.ErrNoActiveDek, err)
	_, err = v.Retire(t.Context(), 1, unlisted{fields})
	w.refused(strongroom.ErrStoreUnavailable, err)
	// An envelope that can't be read may be one that needs it.
	at := strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-9", Field: "a"}
	must(t, fields.Put(t.Context(), at, []byte("no envelope")))
	_, err = v.Retire(t.Context(), 1, fields)
	w.refused(strongroom.ErrNotAnEnvelope, err)
	must(t, fields.Put(t.Context(), at, sealed(w, v, at, strongroom.ScopeOrg)))
	// A row under the active DEK that only looks as if it brought the DEK in.
	lying := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = damaged{w.store} })
	lying.SetClock(clock.Now)
	report, err := lying.Retire(t.Context(), 1, fields)
	must(t, err)
	if report.Retired || report.LocalWraps != 1 {
		t.Fatalf("report is %+v", report)
	}
	report, err = v.Retire(t.Context(), 1, fields)
	must(t, err)
	if !report.Retired {
		t.Fatalf("report is %+v", report)
	}
}

type unlisted struct{ strongroom.FieldStore }

func (unlisted) All(context.Context, string, func(strongroom.StoredField) error) error {
	return strongroom.ErrStoreUnavailable
}

// damaged spoils the blobs of local rows.
type damaged struct{ strongroom.WrapStore }

func (s damaged) RowsByReader(ctx context.Context, reader string) ([]strongroom.WrapRow, error) {
	rows, err := s.WrapStore.RowsByReader(ctx, reader)
	for i, row := range rows {
		// Local blobs begin with F7 57 01 01 and their KEK; their end is the tag.
		if members, _ := row.Members(); members.Provider == "local" {
			text := row.JSON()
			rows[i] = replaced(row, text[len(text)-12:len(text)-6], "AAAAAA")
		}
	}
	return rows, err
}

func TestADekThatLostARaceIsRetiredWithItsVersion(t *testing.T) {
	w := newWorld(t)
	v, clock := w.clocked("acme")
	must(t, errOf(v.Rotate(t.Context())))
	// One whose active row was never written.
	orphan := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = &deafActive{w.store} })
	w.refused(strongroom.ErrStoreUnavailable, errOf(orphan.Rotate(t.Context())))
	must(t, errOf(v.Rotate(t.Context())))
	must(t, errOf(v.Rotate(t.Context())))
	fields := strongroom.NewMemoryFieldStore()
	report, err := v.Retire(t.Context(), 2, fields)
	must(t, err)
	if report.Retired || len(report.DekRefs) != 2 {
		t.Fatalf("report is %+v", report)
	}
	clock.step(inactiveFor + time.Second)
	report, err = v.Retire(t.Context(), 2, fields)
	must(t, err)
	if !report.Retired || len(report.DekRefs) != 2 {
		t.Fatalf("report is %+v", report)
	}
}

// deafActive takes no active row.
type deafActive struct{ strongroom.WrapStore }

func (*deafActive) CompareAndSetActive(context.Context, strongroom.ActiveRow) error {
	return strongroom.ErrStoreUnavailable
}

func TestARetirementThatIsCutOffAnywhereIsFinishedByAnother(t *testing.T) {
	var clock *fakeClock
	crashes(t, 4, func(w *world) strongroom.FieldStore {
		v, moved, fields := w.outdated()
		w.renewed(v, fields)
		moved.step(inactiveFor + time.Second)
		clock = moved
		return fields
	}, func(w *world, v *strongroom.KmsVault, fields strongroom.FieldStore) error {
		v.SetClock(clock.Now)
		report, err := v.Retire(w.Context(), 1, fields)
		if err == nil && !report.Retired {
			err = errors.New("not retired")
		}
		return err
	}, func(w *world, fields strongroom.FieldStore) {
		w.allOpen("acme", fields, "h-1", 1)
		w.allOpen("acme", fields, "h-2", 1)
		rows, err := w.store.RowsByOwner(w.Context(), "acme", nil)
		must(w.T, err)
		if len(rows) != 2 {
			w.Errorf("%d rows are left", len(rows))
		}
	})
}
