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

func TestNamesThatAreNoneAreRefusedBeforeAnyStoreOrKmsIsAsked(t *testing.T) {
	w := newWorld(t)
	// It panics when it is asked.
	v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = struct{ strongroom.WrapStore }{} })
	long, ctx := strings.Repeat("x", 1_025), t.Context()
	for name, want := range map[string]error{"": strongroom.ErrBadInput, "\xff": strongroom.ErrBadInput, long: strongroom.ErrLimit} {
		for call, err := range map[string]error{
			"generate, table":  errOf(v.GenerateRecordDek(ctx, name, "h-1")),
			"generate, record": errOf(v.GenerateRecordDek(ctx, "hosts", name)),
			"share, table":     errOf(v.Share(ctx, name, "h-1", "globex", globexCmk)),
			"share, record":    errOf(v.Share(ctx, "hosts", name, "globex", globexCmk)),
			"share, reader":    errOf(v.Share(ctx, "hosts", "h-1", name, globexCmk)),
			"preview, table":   errOf(v.WrapForPreview(ctx, name, "h-1")),
			"preview, record":  errOf(v.WrapForPreview(ctx, "hosts", name)),
		} {
			if !errors.Is(err, want) {
				t.Errorf("%.3q, %s: %v, want %v", name, call, err, want)
			}
		}
		w.refused(strongroom.ErrBadInput, errOf(v.Share(ctx, "hosts", "h-1", "globex", name)))
	}
}

// lyingStore answers what it likes when it is asked for a record's rows.
type lyingStore struct {
	strongroom.WrapStore
	rows []strongroom.WrapRow
}

func (s *lyingStore) RowsByOwner(context.Context, string, *strongroom.RecordPlace) ([]strongroom.WrapRow, error) {
	return s.rows, nil
}

func TestAStoreCantHaveAnotherRecordsDekShared(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	_, err := v.GenerateRecordDek(t.Context(), "hosts", "h-1")
	must(t, err)
	other, err := v.GenerateRecordDek(t.Context(), "hosts", "h-2")
	must(t, err)
	as := func(change ...string) strongroom.WrapRow {
		return strongroom.WrapRowFromJSON([]byte(strings.NewReplacer(change...).Replace(string(other.JSON()))))
	}
	for _, lie := range []strongroom.WrapRow{
		other,
		as(`"record":"h-2"`, `"record":"h-1"`),
		as(`"record":"h-2"`, `"record":"h-1"`, `"version":1`, `"version":9`),
	} {
		fooled := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = &lyingStore{w.store, []strongroom.WrapRow{lie}} })
		// So that the other record's DEK is held, and nothing more of its row is looked at.
		at := password
		at.Record = "h-2"
		w.opens(fooled, at, sealed(w, v, at, strongroom.ScopeRecord))
		_, err := fooled.Share(t.Context(), "hosts", "h-1", "globex", globexCmk)
		if !errors.Is(err, strongroom.ErrRowInconsistent) && !errors.Is(err, strongroom.ErrNoActiveDek) {
			t.Fatal(err)
		}
		_, err = fooled.WrapForPreview(t.Context(), "hosts", "h-1")
		if !errors.Is(err, strongroom.ErrRowInconsistent) && !errors.Is(err, strongroom.ErrNoActiveDek) {
			t.Fatal(err)
		}
	}
	w.kms.wantCalls(t, "Encrypt", 0)
}
