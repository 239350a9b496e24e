//go:build cgo

package strongroom

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestCloseMayBeCalledTwice(t *testing.T) {
	vault := sealing(t)
	for range 3 {
		if err := vault.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var none *Vault
	if err := none.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAClosedVaultAnswersBadInput(t *testing.T) {
	closed := sealing(t)
	closed.Close()
	it := recorded(t)
	for name, vault := range map[string]*Vault{"closed": closed, "zero": {}, "nil": nil} {
		for call, err := range everyCall(vault, it) {
			if !errors.Is(err, ErrBadInput) {
				t.Errorf("%s, %s: %v", name, call, err)
			}
		}
	}
}

func TestAClosedVaultStillWipesWhatItIsGiven(t *testing.T) {
	vault := sealing(t)
	vault.Close()
	it := recorded(t)
	reply, entry := it.Reply.reply(), bytes.Repeat([]byte{1}, 200)
	vault.Admit(it.Org, it.Row, reply)
	vault.CacheImport(entry)
	if !bytes.Equal(reply.Plaintext, make([]byte, 32)) || !bytes.Equal(entry, make([]byte, 200)) {
		t.Error("a secret stayed")
	}
}

func TestManyGoroutinesShareAVaultWhileItIsClosed(t *testing.T) {
	const goroutines, rounds = 16, 200
	vault, it := sealing(t), recorded(t)
	var group sync.WaitGroup
	for worker := range goroutines {
		group.Add(1)
		go func() {
			defer group.Done()
			for round := range rounds {
				if worker == 0 && round == rounds/2 {
					vault.Close()
				}
				if err := work(vault, it, worker+round); err != nil && !errors.Is(err, ErrBadInput) {
					t.Errorf("worker %d, round %d: %v", worker, round, err)
					return
				}
			}
		}()
	}
	group.Wait()
	if _, err := vault.Open(password(), it.Probe.Env); !errors.Is(err, ErrBadInput) {
		t.Errorf("after close: %v", err)
	}
}

func TestAVaultThatNobodyHoldsIsFreed(t *testing.T) {
	freed := make(chan struct{})
	func() {
		vault, err := NewVault()
		if err != nil {
			t.Fatal(err)
		}
		runtime.AddCleanup(vault, func(done chan struct{}) { close(done) }, freed)
	}()
	for range 100 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("something keeps the vault alive")
}

// work does one of the things that a vault is used for.
func work(vault *Vault, it vectorCase, turn int) error {
	switch turn % 5 {
	case 0:
		_, err := vault.Admit(it.Org, it.Row, it.Reply.reply())
		return err
	case 1:
		results, err := vault.OpenMany([]OpenItem{{it.Probe.binding(), it.Probe.Env}})
		if err != nil {
			return err
		}
		return results[0].Err
	case 2:
		_, err := vault.Status()
		return err
	}
	envelope, err := vault.Seal(password(), []byte("hunter2"), SealOptions{})
	if err != nil {
		return err
	}
	opened, err := vault.Open(password(), envelope)
	if err == nil && string(opened) != "hunter2" {
		return ErrInternal
	}
	return err
}

// everyCall makes every call that a vault has and gives what each answered.
func everyCall(vault *Vault, it vectorCase) map[string]error {
	calls := map[string]error{}
	try := func(name string, call func() error) { calls[name] = call() }
	reply := *it.Reply.reply()
	try("SetActive", func() error { return vault.SetActive(ActiveRow{}) })
	try("Tombstone", func() error { return vault.Tombstone("acme") })
	try("MintRequest", func() error { _, err := vault.MintRequest("acme", "", 1, 1); return err })
	try("AdmitMinted", func() error { _, _, err := vault.AdmitMinted(1, reply); return err })
	try("UnwrapRequest", func() error { _, err := vault.UnwrapRequest("acme", it.Row); return err })
	try("Admit", func() error { _, err := vault.Admit("acme", it.Row, nil); return err })
	try("Missing", func() error { _, err := vault.Missing([][]byte{it.Probe.Env}); return err })
	try("Seal", func() error { _, err := vault.Seal(password(), nil, SealOptions{}); return err })
	try("Open", func() error { _, err := vault.Open(password(), it.Probe.Env); return err })
	try("SealMany", func() error { _, err := vault.SealMany(nil); return err })
	try("OpenMany", func() error { _, err := vault.OpenMany(nil); return err })
	try("Reseal", func() error { _, err := vault.Reseal(password(), it.Probe.Env, ResealOptions{}); return err })
	try("Rebind", func() error { _, err := vault.Rebind(password(), password(), it.Probe.Env); return err })
	try("GenerateRecordDek", func() error { _, err := vault.GenerateRecordDek("acme", "t", "r", 1, 1); return err })
	try("WrapLocal", func() error { _, err := vault.WrapLocal("acme", DekRef{}, 1); return err })
	try("WrapRequest", func() error { _, err := vault.WrapRequest(DekRef{}, "", 1); return err })
	try("ShareRequest", func() error { _, err := vault.ShareRequest(DekRef{}, "globex", "", 1); return err })
	try("TakeRequestPlaintext", func() error { _, err := vault.TakeRequestPlaintext(1); return err })
	try("AdmitShared", func() error { _, err := vault.AdmitShared(1, reply); return err })
	try("ShredRequest", func() error { _, err := vault.ShredRequest("acme", "", 7); return err })
	try("SignOut", func() error { _, err := vault.SignOut(); return err })
	try("Status", func() error { _, err := vault.Status(); return err })
	try("CacheExport", func() error { _, err := vault.CacheExport(DekRef{}); return err })
	try("CacheImport", func() error { _, err := vault.CacheImport(nil); return err })
	return calls
}
