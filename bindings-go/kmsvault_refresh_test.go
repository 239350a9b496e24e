//go:build cgo

package strongroom_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
)

// fakeClock is a clock that a test moves.
type fakeClock struct {
	lock sync.Mutex
	now  time.Time
}

func (c *fakeClock) Now() time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.now
}

func (c *fakeClock) step(by time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.now = c.now.Add(by)
}

// clocked makes a vault with a clock of its own. The core's clock stays the real one.
func (w *world) clocked(org string, change ...func(*strongroom.KmsVaultConfig)) (*strongroom.KmsVault, *fakeClock) {
	w.Helper()
	clock := &fakeClock{now: time.Now()}
	v := w.vault(org, change...)
	v.SetClock(clock.Now)
	return v, clock
}

// within waits for something that happens in the background.
func (w *world) within(what string, is func() bool) {
	w.Helper()
	for range 400 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.Fatal(what)
}

func (w *world) decrypts(n int) func() bool {
	return func() bool {
		w.kms.lock.Lock()
		defer w.kms.lock.Unlock()
		calls := 0
		for _, r := range w.kms.calls {
			if r.Op == "Decrypt" {
				calls++
			}
		}
		return calls == n
	}
}

const life = 43_200 * time.Second

func TestADekIsAskedForAgainBetween80And95PercentOfItsTime(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	for range 10 {
		v, clock := w.clocked("acme")
		w.opens(v, password, envelope)
		clock.step(life*80/100 - time.Second)
		w.opens(v, password, envelope)
		time.Sleep(2 * time.Millisecond)
		w.kms.wantCalls(t, "Decrypt", 1)
		clock.step(life*15/100 + 2*time.Second)
		for range 20 {
			w.opens(v, password, envelope)
		}
		w.within("it is not refreshed", w.decrypts(1))
		// The new life has a soft end of its own.
		w.opens(v, password, envelope)
		clock.step(life * 79 / 100)
		w.opens(v, password, envelope)
		time.Sleep(2 * time.Millisecond)
		w.kms.wantCalls(t, "Decrypt", 1)
	}
	w.kms.wantWiped(t)
}

func TestARefreshThatIsDeniedDropsTheDekAndIsNotRepeatedForAWhile(t *testing.T) {
	for name, want := range map[string]error{
		"AccessDeniedException": strongroom.ErrKmsDenied, "KMSInvalidStateException": strongroom.ErrKmsPendingDeletion,
	} {
		w := newWorld(t)
		envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
		v, clock := w.clocked("acme")
		w.opens(v, password, envelope)
		w.kms.set(func(k *fakeKms) { k.fail = always(name) })
		clock.step(life * 96 / 100)
		w.opens(v, password, envelope)
		w.within("it is still held", func() bool { held, err := v.Status(); return err == nil && len(held) == 0 })
		w.kms.count("Decrypt")
		for range 5 {
			_, err := v.Open(t.Context(), password, envelope)
			w.refused(want, err)
		}
		w.kms.set(func(k *fakeKms) { k.fail = nil })
		clock.step(29 * time.Second)
		w.refused(want, v.Ready(t.Context(), [][]byte{envelope}))
		w.kms.wantCalls(t, "Decrypt", 0)
		clock.step(2 * time.Second)
		w.opens(v, password, envelope)
		w.kms.wantCalls(t, "Decrypt", 1)
	}
}

func TestHowLongADenialIsRememberedIsAnOption(t *testing.T) {
	for _, c := range []struct {
		ttl, after time.Duration
		calls      int
	}{{0, 29 * time.Second, 0}, {0, 31 * time.Second, 1}, {-1, 0, 1}, {time.Second, 2 * time.Second, 1}, {5 * time.Minute, 299 * time.Second, 0}} {
		w := newWorld(t)
		envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
		v, clock := w.clocked("acme", func(config *strongroom.KmsVaultConfig) { config.DenialTTL = c.ttl })
		w.kms.fail = always("AccessDeniedException")
		w.refused(strongroom.ErrKmsDenied, v.Ready(t.Context(), [][]byte{envelope}))
		w.kms.count("Decrypt")
		clock.step(c.after)
		w.refused(strongroom.ErrKmsDenied, v.Ready(t.Context(), [][]byte{envelope}))
		w.kms.wantCalls(t, "Decrypt", c.calls)
		// A clock that went back makes it last no longer.
		clock.step(-time.Hour)
		w.refused(strongroom.ErrKmsDenied, v.Ready(t.Context(), [][]byte{envelope}))
		w.kms.wantCalls(t, "Decrypt", 1)
		// A sign-out forgets it.
		must(t, errOf(v.SignOut()))
		w.refused(strongroom.ErrKmsDenied, v.Ready(t.Context(), [][]byte{envelope}))
		w.kms.wantCalls(t, "Decrypt", 1)
	}
}

func TestABusyOrUnreachableKmsLeavesADekToItsOldEndAndNotLonger(t *testing.T) {
	for name, want := range map[string]error{
		"ThrottlingException": strongroom.ErrKmsThrottled, "TimeoutError": strongroom.ErrKmsUnavailable,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
			v, clock := w.clocked("acme", func(c *strongroom.KmsVaultConfig) {
				c.Options, c.Tries = []strongroom.Option{strongroom.WithTTL(4)}, 1
			})
			w.opens(v, password, envelope)
			w.kms.set(func(k *fakeKms) { k.fail = always(name) })
			w.kms.count("Decrypt")
			clock.step(3_900 * time.Millisecond)
			w.opens(v, password, envelope)
			w.within("it is not asked for", w.decrypts(1))
			for range 5 {
				w.opens(v, password, envelope)
			}
			// Not at every use, and the core's own end counts.
			w.kms.wantCalls(t, "Decrypt", 1)
			time.Sleep(5 * time.Second)
			w.refused(want, errOf(v.Open(t.Context(), password, envelope)))
		})
	}
}

func TestARecordDekIsRefreshedByItsLocalRowAfterItsKekWithOneCall(t *testing.T) {
	w := newWorld(t)
	owner := w.rotated("acme")
	must(t, errOf(owner.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	envelope := sealed(w, owner, password, strongroom.ScopeRecord)
	v, clock := w.clocked("acme")
	w.opens(v, password, envelope)
	w.kms.wantCalls(t, "Decrypt", 1)
	clock.step(life * 96 / 100)
	w.opens(v, password, envelope)
	w.within("the KEK is not refreshed", w.decrypts(1))
	time.Sleep(5 * time.Millisecond)
	clock.step(life * 79 / 100)
	w.opens(v, password, envelope)
	time.Sleep(5 * time.Millisecond)
	w.kms.wantCalls(t, "Decrypt", 1)
}

func TestARefreshUnderWayBringsNothingInAfterSignOut(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	h := newHalting(w, -1)
	v, clock := w.clocked("acme", func(c *strongroom.KmsVaultConfig) { c.Kms = h })
	w.opens(v, password, envelope)
	turn := <-h.turns
	h.at = turn
	h.turns <- turn
	clock.step(life * 96 / 100)
	w.opens(v, password, envelope)
	<-h.seen
	must(t, errOf(v.SignOut()))
	close(h.on)
	time.Sleep(10 * time.Millisecond)
	if held, err := v.Status(); err != nil || len(held) != 0 {
		t.Fatalf("held: %v, %v", held, err)
	}
	w.kms.wantWiped(t)
}

func TestNumbersOutOfRangeMakeNoVault(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*strongroom.KmsVaultConfig)
		want   error
	}{
		"age below a second":   {func(c *strongroom.KmsVaultConfig) { c.ActiveMaxAge = time.Second - 1 }, strongroom.ErrBadInput},
		"negative age":         {func(c *strongroom.KmsVaultConfig) { c.ActiveMaxAge = -time.Second }, strongroom.ErrBadInput},
		"age above an hour":    {func(c *strongroom.KmsVaultConfig) { c.ActiveMaxAge = time.Hour + 1 }, strongroom.ErrLimit},
		"limit above 2^32":     {func(c *strongroom.KmsVaultConfig) { c.FleetSealLimit = 1<<32 + 1 }, strongroom.ErrLimit},
		"denial above 300 s":   {func(c *strongroom.KmsVaultConfig) { c.DenialTTL = 5*time.Minute + 1 }, strongroom.ErrLimit},
		"negative rotation":    {func(c *strongroom.KmsVaultConfig) { c.RotateAfter = -1 }, strongroom.ErrBadInput},
		"a keychain":           {func(c *strongroom.KmsVaultConfig) { c.Keychain = newFakeKeychains() }, strongroom.ErrBadInput},
		"a service without it": {func(c *strongroom.KmsVaultConfig) { c.Service = "strongroom" }, strongroom.ErrBadInput},
	} {
		config := strongroom.KmsVaultConfig{Org: "acme", Cmks: map[string][]string{"acme": {acmeCmk}}, Kms: w.kms, Store: w.store}
		c.change(&config)
		if _, err := strongroom.NewKmsVault(config); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, fits := range []func(*strongroom.KmsVaultConfig){
		func(c *strongroom.KmsVaultConfig) { c.ActiveMaxAge = time.Second },
		func(c *strongroom.KmsVaultConfig) { c.ActiveMaxAge = time.Hour },
		func(c *strongroom.KmsVaultConfig) { c.FleetSealLimit = 1 << 32 },
		func(c *strongroom.KmsVaultConfig) { c.DenialTTL = 5 * time.Minute },
	} {
		w.vault("acme", fits)
	}
}
