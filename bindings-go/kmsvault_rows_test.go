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

// members reads a row that must be well-formed.
func (w *world) members(row strongroom.WrapRow) strongroom.WrapMembers {
	w.Helper()
	members, err := row.Members()
	must(w.T, err)
	return members
}

func (w *world) owned(owner string) []strongroom.WrapRow {
	w.Helper()
	rows, err := w.store.RowsByOwner(w.Context(), owner, nil)
	must(w.T, err)
	return rows
}

func TestRotationMakesTheNextVersionActive(t *testing.T) {
	w := newWorld(t)
	v := w.vault("acme")
	old := []byte(nil)
	for version := uint32(1); version <= 3; version++ {
		active, err := v.Rotate(t.Context())
		must(t, err)
		members, err := active.Members()
		must(t, err)
		if members.Version != version || members.Rev != uint64(version) || members.Org != "acme" {
			t.Fatalf("%+v", members)
		}
		stored, err := w.store.Active(t.Context(), "acme")
		must(t, err)
		if *stored != active {
			t.Fatalf("stored: %v", stored)
		}
		envelope := sealed(w, v, password, strongroom.ScopeOrg)
		header, err := strongroom.Inspect(envelope)
		must(t, err)
		if header.DekRef != members.DekRef {
			t.Fatal("sealed under another DEK than the active one")
		}
		w.opens(v, password, envelope)
		if old != nil {
			w.opens(w.vault("acme"), password, old)
		}
		old = envelope
	}
}

func TestOfVaultsThatRotateAtOnceAllSealUnderTheWinnersDek(t *testing.T) {
	w := newWorld(t)
	vaults := make([]*strongroom.KmsVault, 8)
	var group sync.WaitGroup
	for i := range vaults {
		vaults[i] = w.vault("acme")
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := vaults[i].Rotate(t.Context()); err != nil {
				t.Errorf("vault %d: %v", i, err)
			}
		}()
	}
	group.Wait()
	for _, v := range vaults {
		v.AgeReads()
	}
	stored, err := w.store.Active(t.Context(), "acme")
	must(t, err)
	active, err := stored.Members()
	must(t, err)
	for i, v := range vaults {
		envelope := sealed(w, v, password, strongroom.ScopeOrg)
		header, err := strongroom.Inspect(envelope)
		must(t, err)
		if header.DekRef != active.DekRef {
			t.Fatalf("vault %d sealed under another DEK", i)
		}
		w.opens(vaults[(i+1)%len(vaults)], password, envelope)
	}
	w.kms.wantWiped(t)
}

func TestTheLoserOfARaceAdoptsTheWinnersRow(t *testing.T) {
	w := newWorld(t)
	winner, loser := w.vault("acme"), w.vault("acme")
	var once sync.Once
	w.store.cas = func(row strongroom.ActiveRow) (err error) {
		once.Do(func() {
			w.store.set(func(s *fakeStore) { s.cas = nil })
			_, err = winner.Rotate(t.Context())
			must(t, err)
		})
		return w.store.WrapStore.CompareAndSetActive(t.Context(), row)
	}
	lost, err := loser.Rotate(t.Context())
	must(t, err)
	stored, err := w.store.Active(t.Context(), "acme")
	must(t, err)
	if lost != *stored {
		t.Fatal("the loser goes on with its own row")
	}
	w.kms.wantCalls(t, "GenerateDataKey", 2)
	w.kms.wantCalls(t, "Decrypt", 1)
	w.opens(winner, password, sealed(w, loser, password, strongroom.ScopeOrg))
}

func TestTheRowIsStoredBeforeItBecomesActive(t *testing.T) {
	w := newWorld(t)
	v := w.vault("acme")
	down := fmt.Errorf("%w: for a test", strongroom.ErrStoreUnavailable)
	w.store.put = func(strongroom.WrapRow) error { return down }
	_, err := v.Rotate(t.Context())
	w.refused(strongroom.ErrStoreUnavailable, err)
	if row, err := w.store.Active(t.Context(), "acme"); err != nil || row != nil {
		t.Fatalf("active without its row: %v, %v", row, err)
	}
	_, err = v.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrNoActiveDek, err)
	w.store.put = nil
	w.store.cas = func(strongroom.ActiveRow) error { return down }
	_, err = v.Rotate(t.Context())
	w.refused(strongroom.ErrStoreUnavailable, err)
	_, err = v.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrNoActiveDek, err)
	w.store.cas = nil
	_, err = v.Rotate(t.Context())
	must(t, err)
	w.opens(w.vault("acme"), password, sealed(w, v, password, strongroom.ScopeOrg))
}

func TestARotationWhoseAnswerWasLostIsFoundInTheStore(t *testing.T) {
	w := newWorld(t)
	v := w.vault("acme")
	w.store.cas = func(row strongroom.ActiveRow) error {
		must(t, w.store.WrapStore.CompareAndSetActive(t.Context(), row))
		return strongroom.ErrStoreUnavailable
	}
	_, err := v.Rotate(t.Context())
	must(t, err)
	w.opens(w.vault("acme"), password, sealed(w, v, password, strongroom.ScopeOrg))
}

func TestAnotherProcesssRotationIsSeenAfterAWhile(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	before := sealed(w, v, password, strongroom.ScopeOrg)
	_, err := w.vault("acme").Rotate(t.Context())
	must(t, err)
	v.AgeReads()
	after := sealed(w, v, password, strongroom.ScopeOrg)
	w.kms.wantCalls(t, "Decrypt", 1)
	first, err := strongroom.Inspect(before)
	must(t, err)
	second, err := strongroom.Inspect(after)
	must(t, err)
	if first.DekRef == second.DekRef {
		t.Fatal("still sealed under the old DEK")
	}
	again, err := v.Reseal(t.Context(), password, before, strongroom.ResealOptions{})
	must(t, err)
	third, err := strongroom.Inspect(again)
	must(t, err)
	if third.DekRef != second.DekRef {
		t.Fatal("resealed under the old DEK")
	}
}

func TestAnEnvelopeOfANewerDekShowsThatTheActiveRowIsOld(t *testing.T) {
	w := newWorld(t)
	v, other := w.rotated("acme"), w.vault("acme")
	sealed(w, v, password, strongroom.ScopeOrg)
	must(t, errOf(other.Rotate(t.Context())))
	newer := sealed(w, other, password, strongroom.ScopeOrg)
	w.opens(v, password, newer)
	again, err := v.SealMany(t.Context(), []strongroom.SealItem{{Binding: password}})
	must(t, err)
	must(t, again[0].Err)
	for _, envelope := range [][]byte{sealed(w, v, password, strongroom.ScopeOrg), again[0].Value} {
		if string(envelope[:36]) != string(newer[:36]) {
			t.Fatal("sealed under the older DEK")
		}
	}
}

func TestAnActiveRowThatCanNotBeRightStopsSealing(t *testing.T) {
	w := newWorld(t)
	stored := func(v *strongroom.KmsVault) string {
		row, err := w.store.Active(t.Context(), "acme")
		must(t, err)
		return row.JSON()
	}
	good := stored(w.rotated("acme"))
	for name, c := range map[string]struct {
		row  string
		want error
	}{
		"tombstoned":     {strings.Replace(good, `"state":"active"`, `"state":"tombstoned"`, 1), strongroom.ErrOrgTombstoned},
		"of another org": {strings.Replace(good, "acme", "globex", 1), strongroom.ErrRowInconsistent},
		"another version": {
			strings.Replace(good, `"version":1`, `"version":2`, 1), strongroom.ErrRowInconsistent,
		},
		"a DEK without a row": {strings.Replace(good, `"dekRef":"`, `"dekRef":"AAAA`, 1), strongroom.ErrRowInconsistent},
		"no row at all":       {`{}`, strongroom.ErrRowInconsistent},
	} {
		store := &shownActive{w.store, strongroom.ActiveRowFromJSON([]byte(c.row))}
		v := w.vault("acme", func(config *strongroom.KmsVaultConfig) { config.Store = store })
		_, err := v.Seal(t.Context(), password, nil, strongroom.SealOptions{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := v.Rotate(t.Context()); err == nil {
			t.Errorf("%s: rotated", name)
		}
	}
	old := w.vault("acme", func(c *strongroom.KmsVaultConfig) {
		c.Options = []strongroom.Option{strongroom.WithMinVersions(map[string]uint32{"acme": 2})}
	})
	_, err := old.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrActiveRollback, err)
}

func TestRowsThatNameEachOtherDoNotHang(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	var rows []strongroom.WrapMembers
	var texts []strongroom.WrapRow
	for _, record := range []string{"a", "b"} {
		row, err := v.GenerateRecordDek(t.Context(), "hosts", record)
		must(t, err)
		texts, rows = append(texts, row), append(rows, w.members(row))
	}
	at := strongroom.Binding{Org: "acme", Table: "hosts", Record: "a", Field: "f"}
	left := sealed(w, v, at, strongroom.ScopeRecord)
	at.Record = "b"
	right := sealed(w, v, at, strongroom.ScopeRecord)
	knot := strongroom.NewMemoryStore()
	for i, row := range texts {
		for _, kek := range []string{rows[1-i].DekRef.String(), rows[i].DekRef.String()} {
			text := strings.Replace(row.JSON(), rows[i].KeyID, kek, 1)
			must(t, knot.PutIfAbsent(t.Context(), strongroom.WrapRowFromJSON([]byte(text))))
		}
	}
	victim := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = knot })
	results, err := victim.OpenMany(t.Context(), []strongroom.OpenItem{{Binding: password, Envelope: left}, {Binding: at, Envelope: right}})
	must(t, err)
	for _, result := range results {
		if result.Err == nil {
			t.Fatal("opened")
		}
	}
	w.kms.wantCalls(t, "Decrypt", 0)
}

func TestARowOfAStrangersCmkNeverReachesTheKms(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	envelope := sealed(w, v, password, strongroom.ScopeOrg)
	good := w.owned("acme")[0]
	strange := func(cmk string) strongroom.WrapRow {
		return strongroom.WrapRowFromJSON([]byte(strings.Replace(good.JSON(), acmeCmk, cmk, 1)))
	}
	for _, cmk := range []string{globexCmk, acmeCmk + "x", "alias/acme", "arn:aws:kms:us-east-1:999999999999:key/thief"} {
		store := strongroom.NewMemoryStore()
		must(t, store.PutIfAbsent(t.Context(), strange(cmk)))
		_, err := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = store }).Open(t.Context(), password, envelope)
		w.refused(strongroom.ErrKeyIDUnexpected, err)
		w.kms.wantCalls(t, "Decrypt", 0)
		// In front of the good row it does no harm either.
		must(t, store.PutIfAbsent(t.Context(), good))
		w.opens(w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = store }), password, envelope)
		w.kms.wantCalls(t, "Decrypt", 1)
	}
}

func TestTheCmkThatTheHostListsFirstIsAskedFirst(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	_, err := v.GenerateRecordDek(t.Context(), "hosts", "h-1")
	must(t, err)
	envelope := sealed(w, v, password, strongroom.ScopeRecord)
	swapped := func(c *strongroom.KmsVaultConfig) { c.Cmks["acme"] = []string{acmeCmk2, acmeCmk} }
	_, err = v.WrapForPreview(t.Context(), "hosts", "h-1")
	must(t, err)
	_, err = w.vault("acme", swapped).WrapForPreview(t.Context(), "hosts", "h-1")
	must(t, err)
	w.kms.count("Decrypt")
	w.kms.fail = func(r strongroom.KmsRequest) string {
		if r.Params.EncryptionContext["strongroom-purpose"] == "org-dek" || r.Params.KeyID == acmeCmk {
			return "AccessDeniedException"
		}
		return ""
	}
	w.opens(w.vault("acme", swapped), password, envelope)
	_, err = w.vault("acme").Open(t.Context(), password, envelope)
	w.refused(strongroom.ErrKmsDenied, err)
}

func TestAStoreThatFailsIsNoDenialAndNoEmptyStore(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	v := w.vault("acme")
	down := fmt.Errorf("%w: for a test", strongroom.ErrStoreUnavailable)
	w.store.set(func(s *fakeStore) { s.failing = down })
	_, err := v.Open(t.Context(), password, envelope)
	w.refused(strongroom.ErrStoreUnavailable, err)
	w.kms.wantCalls(t, "Decrypt", 0)
	w.store.set(func(s *fakeStore) { s.failing = nil })
	w.opens(v, password, envelope)
}

// shownActive is a store that shows an active row of the test's choice.
type shownActive struct {
	*fakeStore
	row strongroom.ActiveRow
}

func (s *shownActive) Active(ctx context.Context, _ string) (*strongroom.ActiveRow, error) {
	return &s.row, ctx.Err()
}
