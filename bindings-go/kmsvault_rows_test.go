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

// TestALocalRowNeedsOneKmsCallForItsKek and no more, however many records there are.
func TestALocalRowNeedsOneKmsCallForItsKek(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	var items []strongroom.OpenItem
	for i := range 100 {
		at := password
		at.Record = fmt.Sprint(i)
		_, err := v.GenerateRecordDek(t.Context(), at.Table, at.Record)
		must(t, err)
		items = append(items, strongroom.OpenItem{Binding: at, Envelope: sealed(w, v, at, strongroom.ScopeRecord)})
	}
	results, err := w.vault("acme").OpenMany(t.Context(), items)
	must(t, err)
	for _, result := range results {
		must(t, result.Err)
	}
	w.kms.wantCalls(t, "Decrypt", 1)
}

func TestAPreviewOpensOneRecordWithoutTheOrgsDek(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	_, err := v.WrapForPreview(t.Context(), "hosts", "h-1")
	w.refused(strongroom.ErrNoActiveDek, err)
	_, err = v.GenerateRecordDek(t.Context(), "hosts", "h-1")
	must(t, err)
	envelope := sealed(w, v, password, strongroom.ScopeRecord)
	row, err := v.WrapForPreview(t.Context(), "hosts", "h-1")
	must(t, err)
	again, err := v.WrapForPreview(t.Context(), "hosts", "h-1")
	must(t, err)
	if row != again {
		t.Fatal("wrapped twice")
	}
	w.kms.wantCalls(t, "Encrypt", 1)
	// The preview's principal may not unwrap the org's DEK.
	w.kms.fail = func(r strongroom.KmsRequest) string {
		if r.Params.EncryptionContext["strongroom-purpose"] == "org-dek" {
			return "AccessDeniedException"
		}
		return ""
	}
	preview := w.vault("acme")
	w.opens(preview, password, envelope)
	w.kms.wantCalls(t, "Decrypt", 2)
	status, err := preview.Status()
	must(t, err)
	if len(status) != 1 || status[0].Kind != "record" {
		t.Fatalf("held: %v", status)
	}
	w.kms.wantWiped(t)
}

func TestAReaderOpensAShareAndCanDoNothingElse(t *testing.T) {
	w := newWorld(t)
	owner := w.rotated("acme")
	ctx := t.Context()
	_, err := owner.GenerateRecordDek(ctx, "hosts", "h-1")
	must(t, err)
	envelope := sealed(w, owner, password, strongroom.ScopeRecord)
	reader := w.rotated("globex")
	_, err = reader.Open(ctx, password, envelope)
	w.refused(strongroom.ErrUnknownDek, err)
	_, err = owner.Share(ctx, "hosts", "h-1", "globex", globexCmk)
	must(t, err)
	_, err = owner.Share(ctx, "hosts", "h-1", "globex", globexCmk)
	must(t, err)
	w.kms.wantCalls(t, "Encrypt", 1)
	w.opens(reader, password, envelope)
	w.kms.wantCalls(t, "Decrypt", 1)
	for _, wrong := range []strongroom.Binding{
		{Org: "globex", Table: "hosts", Record: "h-1", Field: "password"},
		{Org: "acme", Table: "host", Record: "h-1", Field: "password"},
		{Org: "acme", Table: "hosts", Record: "h-2", Field: "password"},
		{Org: "acme", Table: "hosts", Record: "h-1", Field: "note"},
		password.WithRevision(1),
	} {
		_, err = reader.Open(ctx, wrong, envelope)
		w.refused(strongroom.ErrAuthFailed, err)
	}
	_, err = reader.Seal(ctx, password, nil, strongroom.SealOptions{Scope: strongroom.ScopeRecord})
	w.refused(strongroom.ErrNoActiveDek, err)
	_, err = reader.Reseal(ctx, password, envelope, strongroom.ResealOptions{})
	w.refused(strongroom.ErrNoActiveDek, err)
	_, err = reader.Share(ctx, "hosts", "h-1", "acme", acmeCmk)
	w.refused(strongroom.ErrNoActiveDek, err)
	w.kms.wantCalls(t, "Encrypt", 0)
	// Who has no share has nothing, whatever the store shows.
	_, err = w.vault("globex", func(c *strongroom.KmsVaultConfig) {
		c.Org, c.Cmks = "initech", map[string][]string{"initech": {acmeCmk2}}
	}).Open(ctx, password, envelope)
	w.refused(strongroom.ErrUnknownDek, err)
}

func TestAShareIsRefusedBeforeTheKmsIsAsked(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	_, err := v.GenerateRecordDek(t.Context(), "hosts", "h-1")
	must(t, err)
	for _, c := range []struct {
		record, reader, cmk string
		want                error
	}{
		{"h-2", "globex", globexCmk, strongroom.ErrNoActiveDek},
		{"h-1", "initech", globexCmk, strongroom.ErrKeyIDUnexpected},
		{"h-1", "globex", acmeCmk, strongroom.ErrKeyIDUnexpected},
		{"h-1", "globex", globexCmk + "x", strongroom.ErrKeyIDUnexpected},
		{"h-1", "globex", "alias/globex", strongroom.ErrBadInput},
		{"h-1", "acme", acmeCmk, strongroom.ErrBadInput},
		{"h-1", "", globexCmk, strongroom.ErrBadInput},
	} {
		if _, err := v.Share(t.Context(), "hosts", c.record, c.reader, c.cmk); !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c, err)
		}
	}
	w.kms.wantCalls(t, "Encrypt", 0)
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

func TestARecordsDekIsTheNewestVersion(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	other := w.vault("acme")
	for version := uint32(1); version <= 3; version++ {
		maker := []*strongroom.KmsVault{v, other}[version%2]
		row, err := maker.GenerateRecordDek(t.Context(), "hosts", "h-1")
		must(t, err)
		members := w.members(row)
		if members.Version != version {
			t.Fatalf("version %d, want %d", members.Version, version)
		}
		v.AgeReads()
		header, err := strongroom.Inspect(sealed(w, v, password, strongroom.ScopeRecord))
		must(t, err)
		if header.DekRef != members.DekRef {
			t.Fatalf("version %d is not used", version)
		}
	}
}

func TestVersionsOfARecordThatAreMadeAtOnceDiffer(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := v.GenerateRecordDek(t.Context(), "hosts", "h-1"); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	seen := map[uint32]bool{}
	for _, row := range w.owned("acme") {
		if members := w.members(row); members.Purpose == "record-dek" {
			seen[members.Version] = true
		}
	}
	if len(seen) != 8 {
		t.Fatalf("versions %v", seen)
	}
}

func TestNoEnvelopeLeavesBeforeTheRowOfItsDekIsStored(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	ctx := t.Context()
	w.store.put = func(strongroom.WrapRow) error { return strongroom.ErrStoreUnavailable }
	_, err := v.GenerateRecordDek(ctx, "hosts", "h-1")
	w.refused(strongroom.ErrStoreUnavailable, err)
	record := strongroom.SealOptions{Scope: strongroom.ScopeRecord}
	_, err = v.Seal(ctx, password, nil, record)
	w.refused(strongroom.ErrStoreUnavailable, err)
	results, err := v.SealMany(ctx, []strongroom.SealItem{{Binding: password, Options: record}, {Binding: password}})
	must(t, err)
	w.refused(strongroom.ErrStoreUnavailable, results[0].Err)
	if results[0].Value != nil {
		t.Fatal("an envelope came with its error")
	}
	must(t, results[1].Err)
	scope := strongroom.ScopeRecord
	_, err = v.Reseal(ctx, password, results[1].Value, strongroom.ResealOptions{Scope: &scope})
	w.refused(strongroom.ErrStoreUnavailable, err)
	v.AgeReads()
	_, err = v.Seal(ctx, password, nil, record)
	w.refused(strongroom.ErrStoreUnavailable, err)
	w.store.put = nil
	w.opens(w.vault("acme"), password, sealed(w, v, password, strongroom.ScopeRecord))
	if rows := w.owned("acme"); len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
}

func TestResealKeepsWhatItIsNotToldToChange(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	ctx := t.Context()
	_, err := v.GenerateRecordDek(ctx, "hosts", "h-1")
	must(t, err)
	org, record := sealed(w, v, password, strongroom.ScopeOrg), sealed(w, v, password, strongroom.ScopeRecord)
	toRecord, padded := strongroom.ScopeRecord, true
	cold := w.vault("acme")
	for _, c := range []struct {
		envelope []byte
		options  strongroom.ResealOptions
		like     []byte
		padded   bool
	}{
		{org, strongroom.ResealOptions{}, org, false},
		{record, strongroom.ResealOptions{}, record, false},
		{org, strongroom.ResealOptions{Scope: &toRecord}, record, false},
		{record, strongroom.ResealOptions{Padded: &padded}, record, true},
	} {
		again, err := cold.Reseal(ctx, password, c.envelope, c.options)
		must(t, err)
		got, err := strongroom.Inspect(again)
		must(t, err)
		want, err := strongroom.Inspect(c.like)
		must(t, err)
		if got.DekRef != want.DekRef || got.Padded != c.padded || string(again) == string(c.envelope) {
			t.Fatalf("%+v of %+v", got, want)
		}
		w.opens(v, password, again)
	}
	elsewhere := password
	elsewhere.Record = "h-2"
	_, err = cold.Reseal(ctx, elsewhere, org, strongroom.ResealOptions{})
	w.refused(strongroom.ErrAuthFailed, err)
	_, err = cold.Reseal(ctx, password, []byte("no envelope"), strongroom.ResealOptions{})
	w.refused(strongroom.ErrNotAnEnvelope, err)
}

func TestRebindStaysInItsOrgAndARecordsEnvelopeInItsRecord(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	ctx := t.Context()
	_, err := v.GenerateRecordDek(ctx, "hosts", "h-1")
	must(t, err)
	org, record := sealed(w, v, password, strongroom.ScopeOrg), sealed(w, v, password, strongroom.ScopeRecord)
	note, elsewhere, other := password, password, password
	note.Field, elsewhere.Record, other.Org = "note", "h-2", "globex"
	cold := w.vault("acme")
	for _, c := range []struct {
		envelope []byte
		from, to strongroom.Binding
		want     error
	}{
		{org, password, note, nil},
		{org, password, elsewhere, nil},
		{record, password, note, nil},
		{record, password, elsewhere, strongroom.ErrBadInput},
		{org, password, other, strongroom.ErrBadInput},
		{org, note, password, strongroom.ErrAuthFailed},
		{record, note, password, strongroom.ErrAuthFailed},
	} {
		moved, err := cold.Rebind(ctx, c.from, c.to, c.envelope)
		if !errors.Is(err, c.want) {
			t.Fatalf("%v to %v: %v", c.from, c.to, err)
		}
		if err == nil {
			w.opens(v, c.to, moved)
		}
	}
}

func TestARecordWhoseRowsWereDeletedIsNotSealed(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	for _, row := range w.owned("acme") {
		if w.members(row).Purpose == "record-dek" {
			must(t, w.store.Delete(t.Context(), row))
		}
	}
	v.AgeReads()
	_, err := v.Seal(t.Context(), password, nil, strongroom.SealOptions{Scope: strongroom.ScopeRecord})
	w.refused(strongroom.ErrNoActiveDek, err)
}

func TestWhatIsWrongWithTheInputIsSaidFirst(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	record := strongroom.SealOptions{Scope: strongroom.ScopeRecord}
	nowhere := strongroom.Binding{Org: "acme", Table: "hosts", Field: "password"}
	_, err := v.Seal(t.Context(), nowhere, nil, record)
	w.refused(strongroom.ErrBadInput, err)
	results, err := v.SealMany(t.Context(), []strongroom.SealItem{
		{Binding: nowhere, Options: record}, {Binding: password, Options: record}, {Binding: password},
	})
	must(t, err)
	w.refused(strongroom.ErrBadInput, results[0].Err)
	w.refused(strongroom.ErrNoActiveDek, results[1].Err)
	must(t, results[2].Err)
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
