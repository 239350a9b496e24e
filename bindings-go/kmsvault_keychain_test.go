//go:build cgo

package strongroom_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
)

// fakeKeychains is a keychain that lasts, can be absent, and can fail after some calls.
type fakeKeychains struct {
	lock     sync.Mutex
	services map[string]map[string][]byte
	absent   bool
	// left is how many more calls succeed, once failing is set; most how large a secret may be.
	failing bool
	left    int
	most    int
}

func newFakeKeychains() *fakeKeychains {
	return &fakeKeychains{services: map[string]map[string][]byte{}, most: 1 << 20}
}

var errLocked = errors.New("the keychain is locked")

func (k *fakeKeychains) Open(service string) (strongroom.Keychain, error) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.absent {
		return nil, errLocked
	}
	if k.services[service] == nil {
		k.services[service] = map[string][]byte{}
	}
	return &fakeKeychain{k, service}, nil
}

type fakeKeychain struct {
	all     *fakeKeychains
	service string
}

func (k *fakeKeychain) call(do func(map[string][]byte) error) error {
	k.all.lock.Lock()
	defer k.all.lock.Unlock()
	if k.all.failing {
		if k.all.left--; k.all.left < 0 {
			return errLocked
		}
	}
	return do(k.all.services[k.service])
}

func (k *fakeKeychain) Get(account string) (secret []byte, err error) {
	err = k.call(func(m map[string][]byte) error { secret = bytes.Clone(m[account]); return nil })
	return secret, err
}

func (k *fakeKeychain) Set(account string, secret []byte) error {
	return k.call(func(m map[string][]byte) error {
		if len(secret) > k.all.most {
			return strongroom.ErrLimit
		}
		m[account] = bytes.Clone(secret)
		return nil
	})
}

func (k *fakeKeychain) Delete(account string) error {
	return k.call(func(m map[string][]byte) error { delete(m, account); return nil })
}

func (k *fakeKeychain) Accounts() (accounts []string, err error) {
	err = k.call(func(m map[string][]byte) error { accounts = keysOf(m); return nil })
	return accounts, err
}

func (k *fakeKeychains) accounts(service string) []string {
	k.lock.Lock()
	defer k.lock.Unlock()
	accounts := keysOf(k.services[service])
	slices.Sort(accounts)
	return accounts
}

func (k *fakeKeychains) change(change func(map[string][]byte)) {
	k.lock.Lock()
	defer k.lock.Unlock()
	change(k.services["vault"])
}

// resume makes a vault of session s-1 with a keychain, and gives what it warned of.
func (w *world) resume(k strongroom.Keychains, org string, change ...func(*strongroom.KmsVaultConfig)) (*strongroom.KmsVault, func() []string) {
	w.Helper()
	var lock sync.Mutex
	var warnings []string
	config := strongroom.KmsVaultConfig{
		Org: org, Cmks: threeOrgs, Kms: w.kms, Store: w.store, Keychain: k, Service: "vault",
		Options: []strongroom.Option{strongroom.WithSession("s-1")},
		Warn: func(message string) {
			lock.Lock()
			defer lock.Unlock()
			warnings = append(warnings, message)
		},
	}
	for _, change := range change {
		change(&config)
	}
	v, err := strongroom.ResumeKmsVault(w.Context(), config)
	must(w.T, err)
	w.Cleanup(func() { must(w.T, v.Close()) })
	return v, func() []string {
		lock.Lock()
		defer lock.Unlock()
		return slices.Clone(warnings)
	}
}

func (w *world) quiet(warnings func() []string) {
	w.Helper()
	if list := warnings(); len(list) != 0 {
		w.Fatalf("warned: %q", list)
	}
}

func TestADekLivesOnInTheKeychainAndSignOutLeavesNone(t *testing.T) {
	w := newWorld(t)
	k := newFakeKeychains()
	v, warnings := w.resume(k, "acme")
	must(t, errOf(v.Rotate(t.Context())))
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	org, record := sealed(w, v, password, strongroom.ScopeOrg), sealed(w, v, password, strongroom.ScopeRecord)
	must(t, v.Close())
	if accounts := k.accounts("vault"); len(accounts) != 3 || accounts[2] != "session" {
		t.Fatalf("accounts: %q", accounts)
	}
	v, _ = w.resume(k, "acme")
	w.opens(v, password, org)
	w.opens(v, password, record)
	w.kms.wantCalls(t, "Decrypt", 0)
	must(t, errOf(v.SignOut()))
	if accounts := k.accounts("vault"); len(accounts) != 0 {
		t.Fatalf("left after sign-out: %q", accounts)
	}
	if accounts := k.accounts("vault.versions"); len(accounts) != 1 {
		t.Fatalf("versions: %q", accounts)
	}
	v, _ = w.resume(k, "acme")
	w.opens(v, password, org)
	w.kms.wantCalls(t, "Decrypt", 1)
	w.quiet(warnings)
}

func TestADekFromTheKmsIsKeptAndOneThatIsDeniedIsNot(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	k := newFakeKeychains()
	v, _ := w.resume(k, "acme")
	clock := &fakeClock{now: time.Now()}
	v.SetClock(clock.Now)
	w.opens(v, password, envelope)
	w.kms.wantCalls(t, "Decrypt", 1)
	again, _ := w.resume(k, "acme")
	w.opens(again, password, envelope)
	w.kms.wantCalls(t, "Decrypt", 0)
	w.kms.set(func(k *fakeKms) { k.fail = always("AccessDeniedException") })
	clock.step(life * 96 / 100)
	w.opens(v, password, envelope)
	w.within("the entry is still there", func() bool { return len(k.accounts("vault")) == 1 })
	again, _ = w.resume(k, "acme")
	w.refused(strongroom.ErrKmsDenied, errOf(again.Open(t.Context(), password, envelope)))
}

func TestAnOlderActiveRowThanWasEverSeenIsRefusedAfterARestart(t *testing.T) {
	w := newWorld(t)
	k := newFakeKeychains()
	v, _ := w.resume(k, "acme")
	must(t, errOf(v.Rotate(t.Context())))
	before, err := w.store.Active(t.Context(), "acme")
	must(t, err)
	must(t, errOf(v.Rotate(t.Context())))
	must(t, errOf(v.SignOut()))
	old := func(c *strongroom.KmsVaultConfig) {
		c.Store = &hookedActive{w.store, func(*strongroom.ActiveRow) *strongroom.ActiveRow { return before }}
	}
	resumed, _ := w.resume(k, "acme", old)
	_, err = resumed.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrActiveRollback, err)
	// The twin: without the keychain nobody knows better, and the host is warned.
	var warned []string
	blind := w.vault("acme", old, func(c *strongroom.KmsVaultConfig) { c.Warn = func(m string) { warned = append(warned, m) } })
	sealed(w, blind, password, strongroom.ScopeOrg)
	if len(warned) != 1 || !strings.Contains(warned[0], "versions") {
		t.Fatalf("warned: %q", warned)
	}
	// What the product itself knows counts as well; an older entry lowers nothing.
	higher, _ := w.resume(k, "acme", func(c *strongroom.KmsVaultConfig) {
		c.Options = append(c.Options, strongroom.WithMinVersions(map[string]uint32{"acme": 3}))
	})
	_, err = higher.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrActiveRollback, err)
	good, _ := w.resume(k, "acme")
	sealed(w, good, password, strongroom.ScopeOrg)
}

func TestNothingOfATombstonedOrgIsTakenFromTheKeychain(t *testing.T) {
	for _, shredded := range []string{"acme", "globex"} {
		w := newWorld(t)
		owner := w.rotated("acme")
		w.rotated("globex")
		must(t, errOf(owner.GenerateRecordDek(t.Context(), "hosts", "h-1")))
		must(t, errOf(owner.Share(t.Context(), "hosts", "h-1", "globex", globexCmk)))
		envelope := sealed(w, owner, password, strongroom.ScopeRecord)
		k := newFakeKeychains()
		reader, _ := w.resume(k, "globex")
		w.opens(reader, password, envelope)
		must(t, reader.Close())
		must(t, errOf(w.vault(shredded).Shred(t.Context(), 7)))
		reader, _ = w.resume(k, "globex")
		if held, err := reader.Status(); err != nil || len(held) != 0 || len(k.accounts("vault")) != 1 {
			t.Fatalf("held: %v, %v, %q", held, err, k.accounts("vault"))
		}
		w.refused(strongroom.ErrOrgTombstoned, errOf(reader.Open(t.Context(), password, envelope)))
	}
}

func TestWhileActiveRowsCantBeReadEntriesStayWhereTheyAre(t *testing.T) {
	w := newWorld(t)
	k := newFakeKeychains()
	v, _ := w.resume(k, "acme")
	must(t, errOf(v.Rotate(t.Context())))
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	must(t, v.Close())
	v, _ = w.resume(k, "acme", func(c *strongroom.KmsVaultConfig) { c.Store = blindActive{w.store} })
	if held, err := v.Status(); err != nil || len(held) != 0 || len(k.accounts("vault")) != 3 {
		t.Fatalf("held: %v, %v, %q", held, err, k.accounts("vault"))
	}
	v, _ = w.resume(k, "acme")
	if held, err := v.Status(); err != nil || len(held) != 2 {
		t.Fatalf("held: %v, %v", held, err)
	}
}

func TestEntriesThatAreOverOrNoneOrAnotherSessionsAreDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(map[string][]byte)
		session string
	}{
		"over": {func(m map[string][]byte) {
			each(m, func(text string) string { return strings.Replace(text, `{"expires":1`, `{"expires":0`, 1) })
		}, "s-1"},
		"too long": {func(m map[string][]byte) {
			each(m, func(text string) string { return strings.Replace(text, `{"expires":1`, `{"expires":9`, 1) })
		}, "s-1"},
		"no JSON": {func(m map[string][]byte) { each(m, func(string) string { return "{" }) }, "s-1"},
		"no entry": {func(m map[string][]byte) {
			each(m, func(text string) string { return strings.Replace(text, `"entry":"`, `"entry":"AAAA`, 1) })
		}, "s-1"},
		"no rows": {func(m map[string][]byte) {
			each(m, func(text string) string { return text[:strings.Index(text, `"rows"`)] + `"rows":[]}` })
		}, "s-1"},
		"other names": {func(m map[string][]byte) { swap(m) }, "s-1"},
		"a session":   {func(map[string][]byte) {}, "s-2"},
	} {
		w := newWorld(t)
		k := newFakeKeychains()
		v, _ := w.resume(k, "acme")
		must(t, errOf(v.Rotate(t.Context())))
		must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
		must(t, v.Close())
		k.change(c.spoil)
		v, _ = w.resume(k, "acme", func(config *strongroom.KmsVaultConfig) {
			config.Options = []strongroom.Option{strongroom.WithSession(c.session)}
		})
		if held, err := v.Status(); err != nil || len(held) != 0 || len(k.accounts("vault")) != 1 {
			t.Errorf("%s: held: %v, %v, %q", name, held, err, k.accounts("vault"))
		}
	}
}

func each(m map[string][]byte, change func(string) string) {
	for account, secret := range m {
		if strings.HasPrefix(account, "dek.") {
			m[account] = []byte(change(string(secret)))
		}
	}
}

// swap gives each DEK's account the other's secret.
func swap(m map[string][]byte) {
	accounts := keysOf(m)
	slices.Sort(accounts)
	m[accounts[0]], m[accounts[1]] = m[accounts[1]], m[accounts[0]]
}

func TestWhatIsOverIsDeletedByTheTimer(t *testing.T) {
	w := newWorld(t)
	k := newFakeKeychains()
	v, _ := w.resume(k, "acme")
	must(t, errOf(v.Rotate(t.Context())))
	now := uint64(time.Now().Unix())
	v.SweepKeychain(now + 43_100)
	if accounts := k.accounts("vault"); len(accounts) != 2 {
		t.Fatalf("accounts: %q", accounts)
	}
	v.SweepKeychain(now + 43_300)
	if accounts := k.accounts("vault"); len(accounts) != 0 {
		t.Fatalf("accounts: %q", accounts)
	}
}

func TestAnAbsentKeychainMeansMemoryOnlyAndAWarning(t *testing.T) {
	w := newWorld(t)
	k := newFakeKeychains()
	k.absent = true
	v, warnings := w.resume(k, "acme")
	must(t, errOf(v.Rotate(t.Context())))
	w.opens(v, password, sealed(w, v, password, strongroom.ScopeOrg))
	must(t, errOf(v.SignOut()))
	if len(warnings()) != 1 {
		t.Fatalf("warned: %q", warnings())
	}
}

func TestAKeychainThatFailsAnywhereCostsAWarningAndNothingElse(t *testing.T) {
	for left := range 40 {
		w := newWorld(t)
		k := newFakeKeychains()
		k.failing, k.left = true, left
		v, warnings := w.resume(k, "acme")
		must(t, errOf(v.Rotate(t.Context())))
		must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
		envelope := sealed(w, v, password, strongroom.ScopeRecord)
		w.opens(v, password, envelope)
		_, err := v.SignOut()
		k.lock.Lock()
		failed := k.left < 0
		k.failing = false
		k.lock.Unlock()
		if failed != (len(warnings()) > 0) {
			t.Fatalf("after %d calls, failed: %v, warned: %q", left, failed, warnings())
		}
		// Entries that are left are said to be left, and the vault is empty all the same.
		if len(k.accounts("vault")) > 0 {
			w.refused(strongroom.ErrStoreUnavailable, err)
		}
		if held, err := v.Status(); err != nil || len(held) != 0 {
			t.Fatalf("held: %v, %v", held, err)
		}
		must(t, errOf(v.SignOut()))
		if accounts := k.accounts("vault"); len(accounts) != 0 {
			t.Fatalf("left: %q", accounts)
		}
		again, _ := w.resume(k, "acme")
		w.opens(again, password, envelope)
		if !failed {
			if left < 5 {
				t.Fatalf("it needs %d calls only", left)
			}
			return
		}
	}
	t.Fatal("it never got through")
}

func TestAnEntryTooLargeForTheKeychainStaysInMemory(t *testing.T) {
	w := newWorld(t)
	k := newFakeKeychains()
	k.most = 200
	v, warnings := w.resume(k, "acme")
	must(t, errOf(v.Rotate(t.Context())))
	w.opens(v, password, sealed(w, v, password, strongroom.ScopeOrg))
	if accounts := k.accounts("vault"); len(accounts) != 1 {
		t.Fatalf("accounts: %q", accounts)
	}
	w.quiet(warnings)
}

func TestAVaultIsNotResumedWithoutWhatItNeeds(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*strongroom.KmsVaultConfig){
		"no keychain": func(c *strongroom.KmsVaultConfig) { c.Keychain = nil },
		"no service":  func(c *strongroom.KmsVaultConfig) { c.Service = "" },
		"no session":  func(c *strongroom.KmsVaultConfig) { c.Options = nil },
		"no org":      func(c *strongroom.KmsVaultConfig) { c.Org = "" },
	} {
		k := newFakeKeychains()
		config := strongroom.KmsVaultConfig{
			Org: "acme", Cmks: threeOrgs, Kms: w.kms, Store: w.store, Keychain: k, Service: "vault",
			Options: []strongroom.Option{strongroom.WithSession("s-1")},
		}
		change(&config)
		if _, err := strongroom.ResumeKmsVault(t.Context(), config); !errors.Is(err, strongroom.ErrBadInput) {
			t.Errorf("%s: %v", name, err)
		}
		if len(k.services) != 0 {
			t.Errorf("%s: the keychain was opened", name)
		}
	}
}

func TestAWriteUnderWayIsDeletedBySignOutToo(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	var envelopes [][]byte
	for i := range 8 {
		at := password
		at.Record = fmt.Sprint(i)
		must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", at.Record)))
		envelopes = append(envelopes, sealed(w, v, at, strongroom.ScopeRecord))
	}
	for range 30 {
		k := newFakeKeychains()
		v, _ := w.resume(k, "acme")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = v.Ready(t.Context(), envelopes)
		}()
		must(t, errOf(v.SignOut()))
		<-done
		held, err := v.Status()
		must(t, err)
		// A call that began after the sign-out may have brought some in; what one of before
		// it had written is gone.
		for _, account := range k.accounts("vault") {
			if !slices.ContainsFunc(held, func(dek strongroom.DekStatus) bool { return account == "dek."+dek.DekRef.String() }) {
				t.Fatalf("%s is left, and the vault holds no such DEK", account)
			}
		}
		must(t, v.Close())
	}
}

// blindActive is a store whose active rows can't be read.
type blindActive struct{ strongroom.WrapStore }

func (blindActive) Active(context.Context, string) (*strongroom.ActiveRow, error) {
	return nil, strongroom.ErrStoreUnavailable
}
