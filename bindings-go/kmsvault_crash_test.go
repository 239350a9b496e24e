//go:build cgo

package strongroom_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	strongroom "strongroom.dev/go"
)

// mortal stands between a vault and everything outside of it, and kills it: its n-th
// call outside, counted from 0, takes effect or not, but is never answered, and no later
// call gets through.
type mortal struct {
	strongroom.WrapStore
	strongroom.FieldStore
	kms   strongroom.Kms
	lock  sync.Mutex
	left  int
	after bool
	dead  bool
}

var errDead = errors.New("the process is gone")

func (m *mortal) call(do func() error) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.dead {
		return errDead
	}
	if m.left--; m.left >= 0 {
		return do()
	}
	m.dead = true
	if m.after {
		_ = do()
	}
	return errDead
}

func (m *mortal) Send(ctx context.Context, r strongroom.KmsRequest, plaintext []byte) (reply strongroom.KmsReply, err error) {
	err = m.call(func() (err error) { reply, err = m.kms.Send(ctx, r, plaintext); return err })
	return reply, err
}

func (m *mortal) PutIfAbsent(ctx context.Context, row strongroom.WrapRow) error {
	return m.call(func() error { return m.WrapStore.PutIfAbsent(ctx, row) })
}

func (m *mortal) CompareAndSetActive(ctx context.Context, row strongroom.ActiveRow) error {
	return m.call(func() error { return m.WrapStore.CompareAndSetActive(ctx, row) })
}

func (m *mortal) Delete(ctx context.Context, row strongroom.WrapRow) error {
	return m.call(func() error { return m.WrapStore.Delete(ctx, row) })
}

func (m *mortal) Reserve(ctx context.Context, ref strongroom.DekRef, count, limit uint64) (sum uint64, err error) {
	err = m.call(func() (err error) { sum, err = m.WrapStore.Reserve(ctx, ref, count, limit); return err })
	return sum, err
}

func (m *mortal) MarkInactive(ctx context.Context, ref strongroom.DekRef, at uint64) (row strongroom.UsageRow, err error) {
	err = m.call(func() (err error) { row, err = m.WrapStore.MarkInactive(ctx, ref, at); return err })
	return row, err
}

func (m *mortal) DeleteUsage(ctx context.Context, ref strongroom.DekRef) error {
	return m.call(func() error { return m.WrapStore.DeleteUsage(ctx, ref) })
}

func (m *mortal) Fields(ctx context.Context, owner, table, record string) (found []strongroom.StoredField, err error) {
	err = m.call(func() (err error) { found, err = m.FieldStore.Fields(ctx, owner, table, record); return err })
	return found, err
}

func (m *mortal) Replace(ctx context.Context, at strongroom.Binding, old, new []byte) error {
	return m.call(func() error { return m.FieldStore.Replace(ctx, at, old, new) })
}

func (m *mortal) All(ctx context.Context, owner string, visit func(strongroom.StoredField) error) error {
	return m.call(func() error { return m.FieldStore.All(ctx, owner, visit) })
}

// crashes kills a vault at each of its calls outside in turn, before and after the call
// has taken effect, and has a fresh vault do the same work plainly afterwards.
func crashes(
	t *testing.T, least int,
	prepare func(*world) strongroom.FieldStore,
	work func(*world, *strongroom.KmsVault, strongroom.FieldStore) error,
	check func(*world, strongroom.FieldStore),
) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			w := newWorld(t)
			fields := prepare(w)
			m := &mortal{WrapStore: w.store, FieldStore: fields, kms: w.kms, left: n, after: after}
			err := work(w, w.vault("acme", func(c *strongroom.KmsVaultConfig) {
				c.Kms, c.Store, c.Tries, c.Cmks = m, m, 1, threeOrgs
			}), m)
			if !m.dead {
				must(t, err)
				if n < least {
					t.Errorf("it ended after %d calls outside, want %d at least", n, least)
				}
				break
			}
			if err := work(w, w.ofThree("acme"), fields); err != nil {
				t.Fatalf("the run after a crash at %d (after: %v): %v", n, after, err)
			}
			check(w, fields)
			if t.Failed() {
				t.Fatalf("after a crash at %d (after: %v)", n, after)
			}
		}
	}
}

const initechCmk = "arn:aws:kms:us-east-1:000000000000:key/initech"

var threeOrgs = map[string][]string{"acme": {acmeCmk}, "globex": {globexCmk}, "initech": {initechCmk}}

func (w *world) ofThree(org string) *strongroom.KmsVault {
	w.Helper()
	return w.vault(org, func(c *strongroom.KmsVaultConfig) { c.Cmks = threeOrgs })
}

// record seals n fields of a record and stores them.
func (w *world) record(v *strongroom.KmsVault, fields *strongroom.MemoryFieldStore, name string, n int, scope strongroom.Scope) {
	w.Helper()
	for i := range n {
		at := strongroom.Binding{Org: "acme", Table: "hosts", Record: name, Field: fmt.Sprint(i)}
		if i%3 == 1 {
			at = at.WithRevision(uint64(i))
		}
		must(w.T, fields.Put(w.Context(), at, sealed(w, v, at, scope)))
	}
}

// allOpen opens every field of a record in a fresh vault and gives the DEKs they are under.
func (w *world) allOpen(org string, fields strongroom.FieldStore, name string, n int) map[strongroom.DekRef]int {
	w.Helper()
	found, err := fields.Fields(w.Context(), "acme", "hosts", name)
	must(w.T, err)
	if len(found) != n {
		w.Errorf("%d fields of %d", len(found), n)
	}
	refs := map[strongroom.DekRef]int{}
	v := w.ofThree(org)
	for _, field := range found {
		w.opens(v, field.Binding, field.Envelope)
		header, err := strongroom.Inspect(field.Envelope)
		must(w.T, err)
		refs[header.DekRef]++
	}
	return refs
}

// noneOpens is the twin: not one field can be opened for that org.
func (w *world) noneOpens(org string, fields strongroom.FieldStore, name string) {
	w.Helper()
	found, err := fields.Fields(w.Context(), "acme", "hosts", name)
	must(w.T, err)
	v := w.ofThree(org)
	for _, field := range found {
		if _, err := v.Open(w.Context(), field.Binding, field.Envelope); !errors.Is(err, strongroom.ErrUnknownDek) {
			w.Errorf("%s opens %v: %v", org, field.Binding, err)
		}
	}
}

// recordRows gives a record's rows.
func (w *world) recordRows(name string) []strongroom.WrapMembers {
	w.Helper()
	rows, err := w.store.RowsByOwner(w.Context(), "acme", &strongroom.RecordPlace{Table: "hosts", Record: name})
	must(w.T, err)
	var all []strongroom.WrapMembers
	for _, row := range rows {
		members, err := row.Members()
		must(w.T, err)
		all = append(all, members)
	}
	return all
}

// replaced gives a row with one part of its text changed.
func replaced(row strongroom.WrapRow, old, new string) strongroom.WrapRow {
	return strongroom.WrapRowFromJSON([]byte(strings.Replace(row.JSON(), old, new, 1)))
}
