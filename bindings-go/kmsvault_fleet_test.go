//go:build cgo

package strongroom_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
)

func refOf(t *testing.T, envelope []byte) strongroom.DekRef {
	t.Helper()
	header, err := strongroom.Inspect(envelope)
	must(t, err)
	return header.DekRef
}

func TestAnotherHostsRotationIsFollowedWithinTheAge(t *testing.T) {
	w := newWorld(t)
	other := w.rotated("acme")
	v, clock := w.clocked("acme", func(c *strongroom.KmsVaultConfig) { c.ActiveMaxAge = time.Minute })
	old := sealed(w, v, password, strongroom.ScopeOrg)
	must(t, errOf(other.Rotate(t.Context())))
	clock.step(59 * time.Second)
	if refOf(t, sealed(w, v, password, strongroom.ScopeOrg)) != refOf(t, old) {
		t.Fatal("it was read too soon for what this test shows")
	}
	clock.step(time.Second)
	if refOf(t, sealed(w, v, password, strongroom.ScopeOrg)) == refOf(t, old) {
		t.Fatal("sealed under the replaced version")
	}
	w.opens(v, password, old)
}

func TestAClockThatGoesBackMakesARowNoYounger(t *testing.T) {
	w := newWorld(t)
	other := w.rotated("acme")
	v, clock := w.clocked("acme")
	old := sealed(w, v, password, strongroom.ScopeOrg)
	must(t, errOf(other.Rotate(t.Context())))
	clock.step(-time.Hour)
	if refOf(t, sealed(w, v, password, strongroom.ScopeOrg)) == refOf(t, old) {
		t.Fatal("sealed under the replaced version")
	}
}

func TestWhenTheStoreCantBeReadSealingStopsAndOpeningGoesOn(t *testing.T) {
	w := newWorld(t)
	w.rotated("acme")
	var failing atomic.Bool
	v, clock := w.clocked("acme", func(c *strongroom.KmsVaultConfig) { c.Store = &unreadable{w.store, &failing} })
	envelope := sealed(w, v, password, strongroom.ScopeOrg)
	failing.Store(true)
	sealed(w, v, password, strongroom.ScopeOrg)
	clock.step(301 * time.Second)
	for range 3 {
		_, err := v.Seal(t.Context(), password, nil, strongroom.SealOptions{})
		w.refused(strongroom.ErrStoreUnavailable, err)
		_, err = v.Reseal(t.Context(), password, envelope, strongroom.ResealOptions{Scope: new(strongroom.Scope)})
		w.refused(strongroom.ErrStoreUnavailable, err)
		results, err := v.SealMany(t.Context(), []strongroom.SealItem{{Binding: password}})
		must(t, err)
		w.refused(strongroom.ErrStoreUnavailable, results[0].Err)
		w.opens(v, password, envelope)
		opened, err := v.OpenMany(t.Context(), []strongroom.OpenItem{{Binding: password, Envelope: envelope}})
		must(t, errors.Join(err, opened[0].Err))
	}
	failing.Store(false)
	sealed(w, v, password, strongroom.ScopeOrg)
}

func TestAStoreThatDoesNotAnswerHoldsNoOpeningUpForLong(t *testing.T) {
	w := newWorld(t)
	w.rotated("acme")
	var hanging atomic.Bool
	v, clock := w.clocked("acme", func(c *strongroom.KmsVaultConfig) {
		c.Store = &hookedActive{w.store, func(row *strongroom.ActiveRow) *strongroom.ActiveRow {
			for hanging.Load() {
				time.Sleep(time.Millisecond)
			}
			return row
		}}
	})
	envelope := sealed(w, v, password, strongroom.ScopeOrg)
	hanging.Store(true)
	defer hanging.Store(false)
	clock.step(301 * time.Second)
	began := time.Now()
	for range 20 {
		w.opens(v, password, envelope)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Fatalf("it took %v", took)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := v.Seal(short, password, nil, strongroom.SealOptions{})
	w.refused(context.DeadlineExceeded, err)
}

// unreadable is a store whose active rows can't be read for a while.
type unreadable struct {
	strongroom.WrapStore
	failing *atomic.Bool
}

func (s *unreadable) Active(ctx context.Context, org string) (*strongroom.ActiveRow, error) {
	if s.failing.Load() {
		return nil, strongroom.ErrStoreUnavailable
	}
	return s.WrapStore.Active(ctx, org)
}

func TestAnotherHostsTombstoneEndsEverythingWithinTheAge(t *testing.T) {
	w := newWorld(t)
	v, clock := w.clocked("acme")
	must(t, errOf(v.Rotate(t.Context())))
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	envelope := sealed(w, v, password, strongroom.ScopeRecord)
	must(t, errOf(v.Share(t.Context(), "hosts", "h-1", "globex", globexCmk)))
	reader, readersClock := w.clocked("globex")
	w.opens(reader, password, envelope)
	bystander := w.vault("globex")
	must(t, errOf(bystander.Rotate(t.Context())))
	must(t, errOf(w.vault("acme").Shred(t.Context(), 7)))
	clock.step(301 * time.Second)
	readersClock.step(301 * time.Second)
	for _, refused := range []func() error{
		func() error { return errOf(reader.Open(t.Context(), password, envelope)) },
		func() error { return errOf(v.Open(t.Context(), password, envelope)) },
		func() error { return errOf(v.Seal(t.Context(), password, nil, strongroom.SealOptions{})) },
		func() error { return errOf(v.Rotate(t.Context())) },
		func() error { return errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-2")) },
		func() error { return errOf(v.WrapLocal(t.Context(), "acme", "hosts", "h-1")) },
		func() error { return errOf(v.RewrapLocal(t.Context())) },
		func() error { return errOf(w.vault("acme").Open(t.Context(), password, envelope)) },
		func() error { return errOf(w.vault("globex").Open(t.Context(), password, envelope)) },
	} {
		w.refused(strongroom.ErrOrgTombstoned, refused())
	}
	at := password
	at.Org = "globex"
	w.opens(bystander, at, sealed(w, bystander, at, strongroom.ScopeOrg))
}

func TestSealsAreReservedBeforeTheyAreMadeAndNeverOneTooMany(t *testing.T) {
	for _, limit := range []uint64{1, 2, 1_023, 1_024, 1_025, 5_000} {
		w := newWorld(t)
		must(t, errOf(w.vault("acme").Rotate(t.Context())))
		made := atomic.Uint64{}
		var group sync.WaitGroup
		for range 3 {
			v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.FleetSealLimit = limit })
			for range 2 {
				group.Add(1)
				go func() {
					defer group.Done()
					for {
						results, err := v.SealMany(t.Context(), make100())
						must(t, err)
						for _, result := range results {
							switch {
							case result.Err == nil:
								made.Add(1)
							case errors.Is(result.Err, strongroom.ErrBudgetExhausted):
							default:
								t.Errorf("%v", result.Err)
							}
						}
						if results[99].Err != nil {
							return
						}
					}
				}()
			}
		}
		group.Wait()
		if made.Load() != limit {
			t.Errorf("%d seals, the limit is %d", made.Load(), limit)
		}
		v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.FleetSealLimit = limit })
		for _, refused := range []func() error{
			func() error { return errOf(v.Seal(t.Context(), password, nil, strongroom.SealOptions{})) },
			func() error { return errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")) },
		} {
			w.refused(strongroom.ErrBudgetExhausted, refused())
		}
		// A rotation makes room.
		must(t, errOf(v.Rotate(t.Context())))
		sealed(w, v, password, strongroom.ScopeOrg)
	}
}

func make100() []strongroom.SealItem {
	items := make([]strongroom.SealItem, 100)
	for i := range items {
		items[i].Binding = password
	}
	return items
}

func TestEveryKindOfSealIsCountedAndOneThatFailsIsNot(t *testing.T) {
	w := newWorld(t)
	w.rotated("acme")
	v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.FleetSealLimit = 4 })
	for range 6 {
		_, err := v.Seal(t.Context(), strongroom.Binding{Org: "acme", Table: "hosts"}, nil, strongroom.SealOptions{})
		w.refused(strongroom.ErrBadInput, err)
		_, err = v.Reseal(t.Context(), password, []byte("no envelope"), strongroom.ResealOptions{Scope: new(strongroom.Scope)})
		w.refused(strongroom.ErrNotAnEnvelope, err)
	}
	envelope := sealed(w, v, password, strongroom.ScopeOrg)
	must(t, errOf(v.Reseal(t.Context(), password, envelope, strongroom.ResealOptions{})))
	must(t, errOf(v.Rebind(t.Context(), password, strongroom.Binding{Org: "acme", Table: "t", Record: "r", Field: "f"}, envelope)))
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	for _, refused := range []error{
		errOf(v.Seal(t.Context(), password, nil, strongroom.SealOptions{})),
		errOf(v.Reseal(t.Context(), password, envelope, strongroom.ResealOptions{})),
		errOf(v.Rebind(t.Context(), password, password, envelope)),
		errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-2")),
	} {
		w.refused(strongroom.ErrBudgetExhausted, refused)
	}
	// A record's DEK has a budget of its own.
	for range 4 {
		sealed(w, v, password, strongroom.ScopeRecord)
	}
	_, err := v.Seal(t.Context(), password, nil, strongroom.SealOptions{Scope: strongroom.ScopeRecord})
	w.refused(strongroom.ErrBudgetExhausted, err)
	w.opens(v, password, envelope)
}

func TestBlocksDoubleAndARestartGoesOnWhereTheFleetStands(t *testing.T) {
	w := newWorld(t)
	w.rotated("acme")
	v := w.vault("acme")
	reserved := func() uint64 {
		usage, err := w.store.Usage(t.Context(), refOf(t, sealed(w, v, password, strongroom.ScopeOrg)))
		must(t, err)
		return usage.Reserved
	}
	for range 12 {
		must(t, errOf(v.SealMany(t.Context(), make100())))
	}
	if got := reserved(); got != 1_024+2_048 {
		t.Fatalf("%d reserved", got)
	}
	v = w.vault("acme")
	if got := reserved(); got != 1_024+2_048+1_024 {
		t.Fatalf("%d reserved after a restart", got)
	}
}

func TestWithoutAReservationNothingIsSealed(t *testing.T) {
	w := newWorld(t)
	v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = unreserving{w.store} })
	must(t, errOf(v.Rotate(t.Context())))
	_, err := v.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrStoreUnavailable, err)
	_, err = v.GenerateRecordDek(t.Context(), "hosts", "h-1")
	w.refused(strongroom.ErrStoreUnavailable, err)
	results, err := v.SealMany(t.Context(), make100())
	must(t, err)
	for _, result := range results {
		w.refused(strongroom.ErrStoreUnavailable, result.Err)
	}
}

type unreserving struct{ strongroom.WrapStore }

func (unreserving) Reserve(context.Context, strongroom.DekRef, uint64, uint64) (uint64, error) {
	return 0, strongroom.ErrStoreUnavailable
}

func TestARotationIsDueByAgeAndByUse(t *testing.T) {
	w := newWorld(t)
	v, clock := w.clocked("acme", func(c *strongroom.KmsVaultConfig) { c.RotateAfter, c.RotateAfterSeals = time.Hour, 2_000 })
	_, err := v.RotationDue(t.Context())
	w.refused(strongroom.ErrNoActiveDek, err)
	_, err = v.RotateIfDue(t.Context())
	w.refused(strongroom.ErrNoActiveDek, err)
	must(t, errOf(v.Rotate(t.Context())))
	due := func(want strongroom.RotationCause) {
		t.Helper()
		cause, err := v.RotationDue(t.Context())
		must(t, err)
		rotated, err := v.RotateIfDue(t.Context())
		must(t, err)
		if cause != want || rotated != want {
			t.Fatalf("due by %q and rotated by %q, want %q", cause, rotated, want)
		}
	}
	due(strongroom.NotDue)
	clock.step(time.Hour - 2*time.Second)
	due(strongroom.NotDue)
	clock.step(2 * time.Second)
	due(strongroom.DueByAge)
	due(strongroom.NotDue)
	sealed(w, v, password, strongroom.ScopeOrg)
	due(strongroom.NotDue)
	for range 11 {
		must(t, errOf(v.SealMany(t.Context(), make100())))
	}
	due(strongroom.DueByUse)
	due(strongroom.NotDue)
	w.kms.wantCalls(t, "GenerateDataKey", 3)
}

func TestOfManyHostsThatFindARotationDueOneRotates(t *testing.T) {
	w := newWorld(t)
	w.rotated("acme")
	var group sync.WaitGroup
	for range 4 {
		v, clock := w.clocked("acme", func(c *strongroom.KmsVaultConfig) { c.RotateAfter = time.Hour })
		must(t, errOf(v.RotationDue(t.Context())))
		clock.step(time.Hour + time.Second)
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := v.RotateIfDue(t.Context()); err != nil {
				t.Errorf("%v", err)
			}
		}()
	}
	group.Wait()
	active, err := w.store.Active(t.Context(), "acme")
	must(t, err)
	members, err := active.Members()
	must(t, err)
	if members.Version != 2 {
		t.Fatalf("version %d is active", members.Version)
	}
}

// counting is a store that lets a test do something at each look at a usage row and at
// each reservation.
type counting struct {
	strongroom.WrapStore
	usage, reserve func()
}

func (s *counting) Usage(ctx context.Context, ref strongroom.DekRef) (*strongroom.UsageRow, error) {
	row, err := s.WrapStore.Usage(ctx, ref)
	if s.usage != nil {
		s.usage()
	}
	return row, err
}

func (s *counting) Reserve(ctx context.Context, ref strongroom.DekRef, count, limit uint64) (uint64, error) {
	if s.reserve != nil {
		s.reserve()
	}
	return s.WrapStore.Reserve(ctx, ref, count, limit)
}

func TestARotationThatAnotherHostMadeMeanwhileIsNotDueAnyMore(t *testing.T) {
	w := newWorld(t)
	other := w.rotated("acme")
	sealed(w, other, password, strongroom.ScopeOrg)
	v := w.vault("acme", func(c *strongroom.KmsVaultConfig) {
		c.RotateAfterSeals = 1
		c.Store = &counting{WrapStore: w.store, usage: func() { must(t, errOf(other.Rotate(t.Context()))) }}
	})
	cause, err := v.RotateIfDue(t.Context())
	must(t, err)
	active, err := w.store.Active(t.Context(), "acme")
	must(t, err)
	members, err := active.Members()
	must(t, err)
	if cause != strongroom.NotDue || members.Version != 2 {
		t.Fatalf("rotated by %q to version %d", cause, members.Version)
	}
}

func TestASealUnderANewerDekThanWasReservedForIsReservedAnew(t *testing.T) {
	w := newWorld(t)
	counted := &counting{WrapStore: w.store}
	v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store, c.FleetSealLimit = counted, 3 })
	must(t, errOf(v.Rotate(t.Context())))
	rotate := sync.OnceFunc(func() { must(t, errOf(v.Rotate(t.Context()))) })
	counted.reserve = rotate
	newer := refOf(t, sealed(w, v, password, strongroom.ScopeOrg))
	usage, err := w.store.Usage(t.Context(), newer)
	must(t, err)
	if usage == nil || usage.Reserved != 3 {
		t.Fatalf("usage is %+v", usage)
	}
	// That seal was one of the three.
	sealed(w, v, password, strongroom.ScopeOrg)
	sealed(w, v, password, strongroom.ScopeOrg)
	_, err = v.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrBudgetExhausted, err)
}

func TestTheWinnerOfARotationNotesSinceWhenTheOldDekIsInactive(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	old := refOf(t, sealed(w, v, password, strongroom.ScopeOrg))
	before := uint64(time.Now().Unix())
	must(t, errOf(v.Rotate(t.Context())))
	usage, err := w.store.Usage(t.Context(), old)
	must(t, err)
	if usage == nil || usage.InactiveSince < before || usage.InactiveSince > before+5 {
		t.Fatalf("usage is %+v", usage)
	}
	usage, err = w.store.Usage(t.Context(), refOf(t, sealed(w, v, password, strongroom.ScopeOrg)))
	must(t, err)
	if usage.InactiveSince != 0 {
		t.Fatal("the active one is noted as inactive")
	}
}

func TestTenRotationsLeaveOldEnvelopesAsTheyAre(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	var envelopes [][]byte
	for range 10 {
		envelopes = append(envelopes, sealed(w, v, password, strongroom.ScopeOrg))
		must(t, errOf(v.Rotate(t.Context())))
	}
	for _, envelope := range envelopes {
		w.opens(w.vault("acme"), password, envelope)
	}
}

func TestARotationThatIsCutOffAnywhereIsFinishedByAnother(t *testing.T) {
	crashes(t, 4, func(w *world) strongroom.FieldStore {
		fields := strongroom.NewMemoryFieldStore()
		w.record(w.rotated("acme"), fields, "h-1", 2, strongroom.ScopeOrg)
		return fields
	}, func(w *world, v *strongroom.KmsVault, _ strongroom.FieldStore) error {
		return errOf(v.Rotate(w.Context()))
	}, func(w *world, fields strongroom.FieldStore) {
		w.allOpen("acme", fields, "h-1", 2)
		v := w.ofThree("acme")
		w.opens(w.ofThree("acme"), password, sealed(w, v, password, strongroom.ScopeOrg))
	})
}

func TestAReaderKeepsAShareUnderItsOwnDek(t *testing.T) {
	w := newWorld(t)
	owner := w.rotated("acme")
	must(t, errOf(owner.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	envelope := sealed(w, owner, password, strongroom.ScopeRecord)
	reader := w.rotated("globex")
	_, err := reader.WrapLocal(t.Context(), "acme", "hosts", "h-1")
	w.refused(strongroom.ErrNoActiveDek, err)
	must(t, errOf(owner.Share(t.Context(), "hosts", "h-1", "globex", globexCmk)))
	_, err = w.vault("globex", func(c *strongroom.KmsVaultConfig) { c.Store = unreserving{w.store} }).WrapLocal(t.Context(), "acme", "hosts", "h-1")
	w.refused(strongroom.ErrStoreUnavailable, err)
	_, err = reader.WrapLocal(t.Context(), "acme", "", "h-1")
	w.refused(strongroom.ErrBadInput, err)
	row, err := reader.WrapLocal(t.Context(), "acme", "hosts", "h-1")
	must(t, err)
	again, err := reader.WrapLocal(t.Context(), "acme", "hosts", "h-1")
	must(t, err)
	members, err := row.Members()
	must(t, err)
	if row != again || members.Reader != "globex" || members.Provider != "local" || members.Purpose != "share" {
		t.Fatalf("row is %s", row.JSON())
	}
	w.kms.count("Decrypt")
	// It needs its own KEK only.
	w.opens(w.vault("globex"), password, envelope)
	w.kms.wantCalls(t, "Decrypt", 1)
	if w.kms.calls[len(w.kms.calls)-1].Params.KeyID == acmeCmk {
		t.Fatal("asked the owner's CMK")
	}
}

func TestAfterARotationEachLocalRowIsMadeAnewOnce(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	for i := range 3 {
		must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", fmt.Sprint(i))))
	}
	rewraps := func(v *strongroom.KmsVault, want int) {
		t.Helper()
		made, err := v.RewrapLocal(t.Context())
		must(t, err)
		if made != want {
			t.Fatalf("%d rows made, want %d", made, want)
		}
	}
	rewraps(v, 0)
	must(t, errOf(v.Rotate(t.Context())))
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "3")))
	rewraps(w.vault("acme"), 3)
	rewraps(v, 0)
	must(t, errOf(v.Rotate(t.Context())))
	rewraps(v, 4)
	rewraps(w.vault("acme"), 0)
	_, err := w.vault("globex").RewrapLocal(t.Context())
	w.refused(strongroom.ErrNoActiveDek, err)
}
