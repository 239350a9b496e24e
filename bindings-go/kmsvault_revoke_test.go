//go:build cgo

package strongroom_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
)

func revoke(w *world, v *strongroom.KmsVault, fields strongroom.FieldStore) error {
	return errOf(v.Revoke(w.Context(), "hosts", "h-1", "initech", fields))
}

// shared makes a record of n fields that globex and initech may read.
func (w *world) shared(n int) (*strongroom.KmsVault, *strongroom.MemoryFieldStore) {
	w.Helper()
	v := w.ofThree("acme")
	must(w.T, errOf(v.Rotate(w.Context())))
	fields := strongroom.NewMemoryFieldStore()
	w.record(v, fields, "h-1", n, strongroom.ScopeOrg)
	must(w.T, promote(w, v, fields))
	for _, reader := range []string{"globex", "initech"} {
		must(w.T, errOf(v.Share(w.Context(), "hosts", "h-1", reader, threeOrgs[reader][0])))
	}
	return v, fields
}

func TestARevokedReaderOpensNothingAnyMoreAndTheOthersAll(t *testing.T) {
	w := newWorld(t)
	v, fields := w.shared(5)
	w.allOpen("initech", fields, "h-1", 5)
	before := uint64(time.Now().Unix())
	report, err := v.Revoke(t.Context(), "hosts", "h-1", "initech", fields)
	must(t, err)
	if report.Version != 2 || report.Resealed != 5 || report.Deleted != 3 || !slices.Equal(report.Readers, []string{"globex"}) ||
		report.CachedUntil < before+43_200 || report.CachedUntil > before+43_210 {
		t.Fatalf("report is %+v", report)
	}
	w.noneOpens("initech", fields, "h-1")
	w.allOpen("globex", fields, "h-1", 5)
	if refs := w.allOpen("acme", fields, "h-1", 5); len(refs) != 1 {
		t.Fatalf("under %d DEKs", len(refs))
	}
	again, err := v.Revoke(t.Context(), "hosts", "h-1", "initech", fields)
	must(t, err)
	if again.Version != 2 || again.Resealed+again.Deleted != 0 || !slices.Equal(again.Readers, []string{"globex"}) {
		t.Fatalf("report is %+v", again)
	}
	w.seals(v, fields)
	w.allOpen("acme", fields, "h-1", 5)
}

// seals puts one field anew, under the newest DEK.
func (w *world) seals(v *strongroom.KmsVault, fields *strongroom.MemoryFieldStore) {
	w.Helper()
	at := strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-1", Field: "0"}
	must(w.T, fields.Put(w.Context(), at, sealed(w, v, at, strongroom.ScopeRecord)))
}

func TestRevokingRefusesWhatItCantDoRight(t *testing.T) {
	w := newWorld(t)
	v, fields := w.shared(2)
	ctx := t.Context()
	rows := len(w.recordRows("h-1"))
	for _, c := range []struct {
		table, record, reader string
		fields                strongroom.FieldStore
		want                  error
	}{
		{"hosts", "h-1", "initech", nil, strongroom.ErrBadInput},
		{"hosts", "h-1", "", fields, strongroom.ErrBadInput},
		{"hosts", "h-1", "acme", fields, strongroom.ErrBadInput},
		{"", "h-1", "initech", fields, strongroom.ErrBadInput},
		{"hosts", "\xff", "initech", fields, strongroom.ErrBadInput},
		{"hosts", "h-2", "initech", fields, strongroom.ErrNoActiveDek},
	} {
		_, err := v.Revoke(ctx, c.table, c.record, c.reader, c.fields)
		w.refused(c.want, err)
	}
	// A reader can't revoke on the owner's record; its own of that name has no DEK.
	_, err := w.ofThree("globex").Revoke(ctx, "hosts", "h-1", "initech", fields)
	w.refused(strongroom.ErrNoActiveDek, err)
	// A reader that remains, and no CMK for it.
	blind := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Cmks = map[string][]string{"acme": {acmeCmk}} })
	w.refused(strongroom.ErrKeyIDUnexpected, revoke(w, blind, fields))
	if len(w.recordRows("h-1")) != rows {
		t.Fatal("rows were changed")
	}
	w.allOpen("initech", fields, "h-1", 2)
}

func TestRevokingSharesAnewWithNobodyWhoLostItsShareBefore(t *testing.T) {
	w := newWorld(t)
	v, fields := w.shared(2)
	must(t, errOf(v.Revoke(t.Context(), "hosts", "h-1", "globex", fields)))
	must(t, errOf(v.Share(t.Context(), "hosts", "h-1", "globex", globexCmk)))
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	must(t, errOf(v.Share(t.Context(), "hosts", "h-1", "initech", initechCmk)))
	// globex has a row of version 2 only, the highest is 3.
	report, err := v.Revoke(t.Context(), "hosts", "h-1", "initech", fields)
	must(t, err)
	if report.Version != 4 || len(report.Readers) != 0 {
		t.Fatalf("report is %+v", report)
	}
	w.noneOpens("globex", fields, "h-1")
	w.noneOpens("initech", fields, "h-1")
	w.allOpen("acme", fields, "h-1", 2)
}

func TestTheCmkOfARemainingReadersRowIsTakenAgainIfItIsListed(t *testing.T) {
	const second = "arn:aws:kms:us-east-1:000000000000:key/globex-2"
	for listed, want := range map[string]string{second: second, initechCmk + "-2": globexCmk} {
		w := newWorld(t)
		cmks := map[string][]string{"acme": {acmeCmk}, "globex": {globexCmk, second}, "initech": {initechCmk}}
		v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Cmks = cmks })
		must(t, errOf(v.Rotate(t.Context())))
		must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
		must(t, errOf(v.Share(t.Context(), "hosts", "h-1", "globex", second)))
		must(t, errOf(v.Share(t.Context(), "hosts", "h-1", "initech", initechCmk)))
		other := w.vault("acme", func(c *strongroom.KmsVaultConfig) {
			c.Cmks = map[string][]string{"acme": {acmeCmk}, "globex": {globexCmk, listed}, "initech": {initechCmk}}
		})
		must(t, revoke(w, other, strongroom.NewMemoryFieldStore()))
		rows := w.recordRows("h-1")
		if at := slices.IndexFunc(rows, func(m strongroom.WrapMembers) bool { return m.Reader == "globex" }); rows[at].KeyID != want {
			t.Errorf("wrapped by %s, want %s", rows[at].KeyID, want)
		}
	}
}

func TestARevocationThatIsCutOffAnywhereIsFinishedByAnother(t *testing.T) {
	crashes(t, 14, func(w *world) strongroom.FieldStore {
		_, fields := w.shared(4)
		return fields
	}, revoke, func(w *world, fields strongroom.FieldStore) {
		refs := w.allOpen("acme", fields, "h-1", 4)
		w.allOpen("globex", fields, "h-1", 4)
		w.noneOpens("initech", fields, "h-1")
		for _, row := range w.recordRows("h-1") {
			if refs[row.DekRef] == 0 {
				w.Errorf("a row of version %d for %s is left", row.Version, row.Reader)
			}
			if row.Reader == "initech" {
				w.Error("the revoked reader has a row")
			}
		}
	})
}

func TestTheSameVaultFinishesARevocationThatFailedAndLetsNothingOutBefore(t *testing.T) {
	for name, c := range map[string]struct {
		fail   func(*world)
		want   error
		stored bool
	}{
		"the KMS refuses a share": {func(w *world) {
			w.kms.set(func(k *fakeKms) { k.fail = always("AccessDeniedException") })
		}, strongroom.ErrKmsDenied, false},
		"the store refuses every row": {func(w *world) {
			w.store.set(func(s *fakeStore) { s.put = func(strongroom.WrapRow) error { return strongroom.ErrStoreUnavailable } })
		}, strongroom.ErrStoreUnavailable, false},
		"the store's last answer is lost": {func(w *world) {
			w.store.set(func(s *fakeStore) {
				s.put = func(row strongroom.WrapRow) error {
					err := s.WrapStore.PutIfAbsent(context.Background(), row)
					if members, _ := row.Members(); members.Reader == "acme" {
						err = strongroom.ErrStoreUnavailable
					}
					return err
				}
			})
		}, strongroom.ErrStoreUnavailable, true},
	} {
		w := newWorld(t)
		v, fields := w.shared(3)
		c.fail(w)
		w.refused(c.want, revoke(w, v, fields))
		w.kms.set(func(k *fakeKms) { k.fail = nil })
		w.store.set(func(s *fakeStore) { s.put = nil })
		at := strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-1", Field: "0"}
		envelope, err := v.Seal(t.Context(), at, []byte("s3cret"), strongroom.SealOptions{Scope: strongroom.ScopeRecord})
		results, errMany := v.SealMany(t.Context(), []strongroom.SealItem{
			{Binding: at, Options: strongroom.SealOptions{Scope: strongroom.ScopeRecord}},
		})
		must(t, errMany)
		if c.stored {
			must(t, errors.Join(err, results[0].Err))
			w.opens(w.ofThree("acme"), at, envelope)
		} else if !errors.Is(err, c.want) || !errors.Is(results[0].Err, c.want) {
			t.Errorf("%s: sealed all the same: %v, %v", name, err, results[0].Err)
		}
		must(t, revoke(w, v, fields))
		w.seals(v, fields)
		w.allOpen("acme", fields, "h-1", 3)
		w.allOpen("globex", fields, "h-1", 3)
		w.noneOpens("initech", fields, "h-1")
	}
}

func TestSealsOfTheRecordWaitForARevocationUnderWay(t *testing.T) {
	w := newWorld(t)
	v, fields := w.shared(2)
	asked, answer := make(chan struct{}), make(chan struct{})
	w.kms.set(func(k *fakeKms) {
		k.before = func(_ context.Context, r strongroom.KmsRequest) error {
			if r.Op == "Encrypt" {
				close(asked)
				<-answer
			}
			return nil
		}
	})
	revoked := make(chan error, 1)
	go func() { revoked <- revoke(w, v, fields) }()
	<-asked
	sealing := make(chan []byte, 1)
	at := strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-1", Field: "new"}
	go func() {
		envelope, err := v.Seal(t.Context(), at, []byte("s3cret"), strongroom.SealOptions{Scope: strongroom.ScopeRecord})
		if err != nil {
			t.Errorf("seal: %v", err)
		}
		sealing <- envelope
	}()
	impatient, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := v.Seal(impatient, at, nil, strongroom.SealOptions{Scope: strongroom.ScopeRecord})
	w.refused(context.DeadlineExceeded, err)
	select {
	case <-sealing:
		t.Fatal("an envelope got out before the row of its DEK was stored")
	case <-time.After(20 * time.Millisecond):
	}
	// Another record is not concerned.
	sealed(w, v, strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-2", Field: "a"}, strongroom.ScopeOrg)
	close(answer)
	must(t, <-revoked)
	must(t, fields.Put(t.Context(), at, <-sealing))
	w.allOpen("globex", fields, "h-1", 3)
}

func TestTwoHostsThatRevokeAtOnceShutBothReadersOut(t *testing.T) {
	for _, second := range []string{"initech", "globex"} {
		for range 20 {
			w := newWorld(t)
			_, fields := w.shared(6)
			var group sync.WaitGroup
			errs := make([]error, 2)
			for i, reader := range []string{"initech", second} {
				v := w.ofThree("acme")
				group.Add(1)
				go func() {
					defer group.Done()
					_, errs[i] = v.Revoke(t.Context(), "hosts", "h-1", reader, fields)
				}()
			}
			group.Wait()
			must(t, errors.Join(errs...))
			// One that read the rows before the other's was there may have shared anew at the
			// last moment: the last word is a plain run's.
			must(t, revoke(w, w.ofThree("acme"), fields))
			must(t, errOf(w.ofThree("acme").Revoke(t.Context(), "hosts", "h-1", second, fields)))
			refs := w.allOpen("acme", fields, "h-1", 6)
			w.noneOpens("initech", fields, "h-1")
			if second == "globex" {
				w.noneOpens("globex", fields, "h-1")
			}
			for _, row := range w.recordRows("h-1") {
				delete(refs, row.DekRef)
			}
			if len(refs) != 0 {
				t.Fatal("a field is under a DEK without a row")
			}
		}
	}
}

func TestARowIsNotDeletedWhileAFieldNeedsIt(t *testing.T) {
	w := newWorld(t)
	v, fields := w.shared(3)
	old, err := fields.Fields(t.Context(), "acme", "hosts", "h-1")
	must(t, err)
	// Another host goes on putting what it sealed under the old version.
	restless := &hookedFields{FieldStore: fields, before: func(at strongroom.Binding) {
		for _, field := range old {
			must(t, fields.Put(t.Context(), field.Binding, field.Envelope))
		}
	}}
	report, err := v.Revoke(t.Context(), "hosts", "h-1", "initech", restless)
	w.refused(strongroom.ErrPreconditionFailed, err)
	if report.Deleted != 0 || report.CachedUntil != 0 {
		t.Fatalf("report is %+v", report)
	}
	w.allOpen("acme", fields, "h-1", 3)
	must(t, revoke(w, v, fields))
	w.noneOpens("initech", fields, "h-1")
	w.allOpen("acme", fields, "h-1", 3)
}

func TestARevocationThatOvertakesAnotherLeavesNobodyItsShare(t *testing.T) {
	w := newWorld(t)
	v, fields := w.shared(3)
	other := w.ofThree("acme")
	once := sync.OnceFunc(func() {
		must(t, errOf(other.Revoke(t.Context(), "hosts", "h-1", "globex", fields)))
	})
	nested := false
	w.kms.set(func(k *fakeKms) {
		k.before = func(_ context.Context, r strongroom.KmsRequest) error {
			// The other revokes while this one wraps its new DEK for globex.
			if r.Op == "Encrypt" && !nested {
				nested = true
				once()
			}
			return nil
		}
	})
	report, err := v.Revoke(t.Context(), "hosts", "h-1", "initech", fields)
	must(t, err)
	if report.Version != 3 || len(report.Readers) != 0 {
		t.Fatalf("report is %+v", report)
	}
	w.noneOpens("globex", fields, "h-1")
	w.noneOpens("initech", fields, "h-1")
	w.allOpen("acme", fields, "h-1", 3)
}
