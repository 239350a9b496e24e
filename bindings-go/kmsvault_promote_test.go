//go:build cgo

package strongroom_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	strongroom "strongroom.dev/go"
)

func promote(w *world, v *strongroom.KmsVault, fields strongroom.FieldStore) error {
	return errOf(v.Promote(w.Context(), "hosts", "h-1", fields))
}

func TestPromotingMovesARecordUnderADekOfItsOwnOnce(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	fields := strongroom.NewMemoryFieldStore()
	w.record(v, fields, "h-1", 7, strongroom.ScopeOrg)
	w.record(v, fields, "h-2", 2, strongroom.ScopeOrg)
	for _, want := range []strongroom.PromoteReport{{Version: 1, Resealed: 7}, {Version: 1, Kept: 7}} {
		report, err := v.Promote(t.Context(), "hosts", "h-1", fields)
		must(t, err)
		if report != want {
			t.Fatalf("report is %+v, want %+v", report, want)
		}
	}
	if refs := w.allOpen("acme", fields, "h-1", 7); len(refs) != 1 {
		t.Fatalf("under %d DEKs", len(refs))
	}
	w.allOpen("acme", fields, "h-2", 2)
	if rows := w.recordRows("h-2"); len(rows) != 0 {
		t.Fatal("another record was promoted")
	}
	w.kms.wantCalls(t, "Encrypt", 0)
}

func TestSharingFortyFieldsWithFiveOrgsIsFiveCalls(t *testing.T) {
	w := newWorld(t)
	cmks := map[string][]string{"acme": {acmeCmk}}
	for i := range 5 {
		cmks[fmt.Sprint("org-", i)] = []string{fmt.Sprint("arn:aws:kms:us-east-1:000000000000:key/", i)}
	}
	v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Cmks = cmks })
	must(t, errOf(v.Rotate(t.Context())))
	fields := strongroom.NewMemoryFieldStore()
	w.record(v, fields, "h-1", 40, strongroom.ScopeOrg)
	must(t, promote(w, v, fields))
	before := w.kms.total()
	for i := range 5 {
		org := fmt.Sprint("org-", i)
		must(t, errOf(v.Share(t.Context(), "hosts", "h-1", org, cmks[org][0])))
	}
	if calls := w.kms.total() - before; calls != 5 {
		t.Fatalf("%d calls", calls)
	}
}

func TestPromotingRefusesWhatItCantDoRight(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	ctx := t.Context()
	fields := strongroom.NewMemoryFieldStore()
	_, err := v.Promote(ctx, "hosts", "h-1", nil)
	w.refused(strongroom.ErrBadInput, err)
	_, err = v.Promote(ctx, "", "h-1", fields)
	w.refused(strongroom.ErrBadInput, err)
	_, err = v.Promote(ctx, "hosts", string(make([]byte, 1_025)), fields)
	w.refused(strongroom.ErrLimit, err)
	_, err = w.vault("globex").Promote(ctx, "hosts", "h-1", fields)
	w.refused(strongroom.ErrNoActiveDek, err)
	// A field that was moved from elsewhere, and one that is none.
	at := password
	must(t, fields.Put(ctx, at, sealed(w, v, strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-2", Field: "password"}, strongroom.ScopeOrg)))
	w.refused(strongroom.ErrAuthFailed, promote(w, v, fields))
	must(t, fields.Put(ctx, at, []byte("no envelope")))
	w.refused(strongroom.ErrNotAnEnvelope, promote(w, v, fields))
	// A field store that gives another record's fields.
	must(t, fields.Put(ctx, at, sealed(w, v, at, strongroom.ScopeOrg)))
	w.refused(strongroom.ErrRowInconsistent, promote(w, v, straying{fields}))
	w.refused(strongroom.ErrStoreUnavailable, promote(w, v, failing{fields}))
	must(t, promote(w, v, fields))
}

// straying gives one record's fields for every record.
type straying struct{ strongroom.FieldStore }

func (s straying) Fields(ctx context.Context, owner, table, _ string) ([]strongroom.StoredField, error) {
	found, err := s.FieldStore.Fields(ctx, owner, table, "h-1")
	for i := range found {
		found[i].Binding.Record = "h-9"
	}
	return found, err
}

type failing struct{ strongroom.FieldStore }

func (s failing) Replace(context.Context, strongroom.Binding, []byte, []byte) error {
	return strongroom.ErrStoreUnavailable
}

func TestAFieldThatChangesMeanwhileIsReadAgainAndNotForEver(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	fields := strongroom.NewMemoryFieldStore()
	w.record(v, fields, "h-1", 3, strongroom.ScopeOrg)
	for changes, want := range map[int]error{2: nil, 1_000: strongroom.ErrPreconditionFailed} {
		left := changes
		restless := &hookedFields{FieldStore: fields, before: func(at strongroom.Binding) {
			if left--; left >= 0 {
				must(t, fields.Put(t.Context(), at, sealed(w, v, at, strongroom.ScopeOrg)))
			}
		}}
		w.refused(want, promote(w, v, restless))
		if want != nil && restless.calls > 100 {
			t.Fatalf("tried %d times", restless.calls)
		}
		w.record(v, fields, "h-1", 3, strongroom.ScopeOrg)
	}
	must(t, promote(w, v, fields))
	w.allOpen("acme", fields, "h-1", 3)
}

// hookedFields lets a test do something before each replacement.
type hookedFields struct {
	strongroom.FieldStore
	before func(strongroom.Binding)
	calls  int
}

func (s *hookedFields) Replace(ctx context.Context, at strongroom.Binding, old, new []byte) error {
	s.calls++
	s.before(at)
	return s.FieldStore.Replace(ctx, at, old, new)
}

func TestAPromotionThatIsCutOffAnywhereIsFinishedByAnother(t *testing.T) {
	crashes(t, 8, func(w *world) strongroom.FieldStore {
		fields := strongroom.NewMemoryFieldStore()
		w.record(w.rotated("acme"), fields, "h-1", 4, strongroom.ScopeOrg)
		return fields
	}, promote, func(w *world, fields strongroom.FieldStore) {
		refs := w.allOpen("acme", fields, "h-1", 4)
		rows := w.recordRows("h-1")
		for _, row := range rows {
			delete(refs, row.DekRef)
		}
		if len(refs) != 0 || len(rows) != 1 {
			w.Errorf("%d rows, %d DEKs without", len(rows), len(refs))
		}
	})
}

func TestTwoHostsThatPromoteAtOnceLoseNothing(t *testing.T) {
	for range 20 {
		w := newWorld(t)
		fields := strongroom.NewMemoryFieldStore()
		w.record(w.rotated("acme"), fields, "h-1", 12, strongroom.ScopeOrg)
		var group sync.WaitGroup
		var failed atomic.Int32
		for range 2 {
			v := w.ofThree("acme")
			group.Add(1)
			go func() {
				defer group.Done()
				if err := promote(w, v, fields); err != nil {
					failed.Add(1)
				}
			}()
		}
		group.Wait()
		if failed.Load() != 0 {
			t.Fatal("a promotion failed")
		}
		refs := w.allOpen("acme", fields, "h-1", 12)
		for _, row := range w.recordRows("h-1") {
			if row.Version != 1 {
				t.Fatalf("version %d", row.Version)
			}
			delete(refs, row.DekRef)
		}
		if len(refs) != 0 {
			t.Fatal("a field is under a DEK without a row")
		}
	}
}

func TestBothDeksOfOneVersionStayWhileFieldsNeedThem(t *testing.T) {
	w := newWorld(t)
	w.rotated("acme")
	fields := strongroom.NewMemoryFieldStore()
	// Two hosts that don't see each other's row make two DEKs of version 1.
	for i := range 2 {
		apart := strongroom.NewMemoryStore()
		org, err := w.store.RowsByOwner(t.Context(), "acme", nil)
		must(t, err)
		active, err := w.store.Active(t.Context(), "acme")
		must(t, err)
		must(t, apart.PutIfAbsent(t.Context(), org[0]))
		must(t, apart.CompareAndSetActive(t.Context(), *active))
		v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = apart })
		row, err := v.GenerateRecordDek(t.Context(), "hosts", "h-1")
		must(t, err)
		must(t, w.store.PutIfAbsent(t.Context(), row))
		at := password
		at.Field = fmt.Sprint(i)
		must(t, fields.Put(t.Context(), at, sealed(w, v, at, strongroom.ScopeRecord)))
	}
	report, err := w.ofThree("acme").Promote(t.Context(), "hosts", "h-1", fields)
	must(t, err)
	if report != (strongroom.PromoteReport{Version: 1, Kept: 2}) {
		t.Fatalf("report is %+v", report)
	}
	if refs := w.allOpen("acme", fields, "h-1", 2); len(refs) != 2 || len(w.recordRows("h-1")) != 2 {
		t.Fatalf("%d DEKs", len(refs))
	}
}

func TestARowThatOnlySaysItIsOfTheHighestVersionKeepsNoField(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	fields := strongroom.NewMemoryFieldStore()
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	w.record(v, fields, "h-1", 2, strongroom.ScopeRecord)
	old := w.recordRows("h-1")[0].DekRef
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	lying := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = upgrading{w.store} })
	// It holds the old DEK, by its true row.
	found, err := fields.Fields(t.Context(), "acme", "hosts", "h-1")
	must(t, err)
	w.opens(lying, found[0].Binding, found[0].Envelope)
	report, err := lying.Promote(t.Context(), "hosts", "h-1", fields)
	must(t, err)
	if report.Resealed != 2 || slices.ContainsFunc(keysOf(w.allOpen("acme", fields, "h-1", 2)), func(r strongroom.DekRef) bool { return r == old }) {
		t.Fatalf("report is %+v", report)
	}
}

// upgrading says of every row of a record that it is of version 2.
type upgrading struct{ strongroom.WrapStore }

func (s upgrading) RowsByOwner(ctx context.Context, owner string, at *strongroom.RecordPlace) ([]strongroom.WrapRow, error) {
	rows, err := s.WrapStore.RowsByOwner(ctx, owner, at)
	slices.Reverse(rows)
	for i := range rows {
		rows[i] = replaced(rows[i], `"version":1`, `"version":2`)
	}
	return rows, err
}

func keysOf[K comparable, V any](of map[K]V) []K {
	var keys []K
	for key := range of {
		keys = append(keys, key)
	}
	return keys
}

func TestAPromotionEndsWithTheSession(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	fields := strongroom.NewMemoryFieldStore()
	w.record(v, fields, "h-1", 3, strongroom.ScopeOrg)
	err := promote(w, v, &hookedFields{FieldStore: fields, before: func(strongroom.Binding) { must(t, errOf(v.SignOut())) }})
	if !errors.Is(err, strongroom.ErrUnknownDek) {
		t.Fatalf("got %v", err)
	}
	w.allOpen("acme", fields, "h-1", 3)
	must(t, v.Close())
	w.refused(strongroom.ErrBadInput, promote(w, v, fields))
}
