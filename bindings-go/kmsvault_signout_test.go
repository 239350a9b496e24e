package strongroom_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
)

// halting is a store and a KMS that stop one call, the at-th, until go is closed.
type halting struct {
	strongroom.WrapStore
	kms  strongroom.Kms
	at   int
	seen chan string
	on   chan struct{}
	// turns hands out the numbers of the calls.
	turns chan int
}

func newHalting(w *world, at int) *halting {
	h := &halting{w.store, w.kms, at, make(chan string, 1), make(chan struct{}), make(chan int, 1)}
	h.turns <- 0
	return h
}

func (h *halting) halt(what string) {
	turn := <-h.turns
	h.turns <- turn + 1
	if turn == h.at {
		h.seen <- what
		<-h.on
	}
}

func (h *halting) Send(ctx context.Context, r strongroom.KmsRequest, plaintext []byte) (strongroom.KmsReply, error) {
	h.halt("Send")
	return h.kms.Send(ctx, r, plaintext)
}

func (h *halting) Rows(ctx context.Context, ref strongroom.DekRef, reader string) ([]strongroom.WrapRow, error) {
	h.halt("Rows")
	return h.WrapStore.Rows(context.WithoutCancel(ctx), ref, reader)
}

func (h *halting) RowsByOwner(ctx context.Context, owner string, at *strongroom.RecordPlace) ([]strongroom.WrapRow, error) {
	h.halt("RowsByOwner")
	return h.WrapStore.RowsByOwner(context.WithoutCancel(ctx), owner, at)
}

func (h *halting) Active(ctx context.Context, org string) (*strongroom.ActiveRow, error) {
	h.halt("Active")
	return h.WrapStore.Active(context.WithoutCancel(ctx), org)
}

func (h *halting) PutIfAbsent(ctx context.Context, row strongroom.WrapRow) error {
	h.halt("PutIfAbsent")
	return h.WrapStore.PutIfAbsent(context.WithoutCancel(ctx), row)
}

func (h *halting) CompareAndSetActive(ctx context.Context, row strongroom.ActiveRow) error {
	h.halt("CompareAndSetActive")
	return h.WrapStore.CompareAndSetActive(context.WithoutCancel(ctx), row)
}

// anyCall is a method of a KmsVault that may fetch a DEK.
type anyCall func(ctx context.Context, v *strongroom.KmsVault, org, record []byte) error

var fetching = map[string]anyCall{
	"Ready": func(ctx context.Context, v *strongroom.KmsVault, org, record []byte) error {
		return v.Ready(ctx, [][]byte{org, record})
	},
	"Seal": func(ctx context.Context, v *strongroom.KmsVault, _, _ []byte) error {
		return errOf(v.Seal(ctx, password, nil, strongroom.SealOptions{}))
	},
	"Seal under the record's": func(ctx context.Context, v *strongroom.KmsVault, _, _ []byte) error {
		return errOf(v.Seal(ctx, password, nil, strongroom.SealOptions{Scope: strongroom.ScopeRecord}))
	},
	"SealMany": func(ctx context.Context, v *strongroom.KmsVault, _, _ []byte) error {
		items := []strongroom.SealItem{{Binding: password}, {Binding: password, Options: strongroom.SealOptions{Scope: strongroom.ScopeRecord}}}
		return anyOf(v.SealMany(ctx, items))
	},
	"Open": func(ctx context.Context, v *strongroom.KmsVault, org, _ []byte) error {
		return errOf(v.Open(ctx, password, org))
	},
	"Open under the record's": func(ctx context.Context, v *strongroom.KmsVault, _, record []byte) error {
		return errOf(v.Open(ctx, password, record))
	},
	"OpenMany": func(ctx context.Context, v *strongroom.KmsVault, org, record []byte) error {
		return anyOf(v.OpenMany(ctx, []strongroom.OpenItem{{Binding: password, Envelope: org}, {Binding: password, Envelope: record}}))
	},
	"Reseal": func(ctx context.Context, v *strongroom.KmsVault, _, record []byte) error {
		return errOf(v.Reseal(ctx, password, record, strongroom.ResealOptions{}))
	},
	"Rebind": func(ctx context.Context, v *strongroom.KmsVault, org, _ []byte) error {
		to := password
		to.Field = "login"
		return errOf(v.Rebind(ctx, password, to, org))
	},
	"Rotate": func(ctx context.Context, v *strongroom.KmsVault, _, _ []byte) error { return errOf(v.Rotate(ctx)) },
	"GenerateRecordDek": func(ctx context.Context, v *strongroom.KmsVault, _, _ []byte) error {
		return errOf(v.GenerateRecordDek(ctx, "hosts", "h-1"))
	},
	"Share": func(ctx context.Context, v *strongroom.KmsVault, _, _ []byte) error {
		return errOf(v.Share(ctx, "hosts", "h-1", "globex", globexCmk))
	},
	"WrapForPreview": func(ctx context.Context, v *strongroom.KmsVault, _, _ []byte) error {
		return errOf(v.WrapForPreview(ctx, "hosts", "h-1"))
	},
}

// anyOf gives the first error among a batch's results.
func anyOf(results []strongroom.Result, err error) error {
	for _, result := range results {
		err = errors.Join(err, result.Err)
	}
	return err
}

// haltedEverywhere starts every call that may fetch a DEK, stops it in turn at each of
// the store's and the KMS's calls, ends the session, lets the call go on, and checks
// what it answers and that no more than what was under way has reached the KMS.
func haltedEverywhere(t *testing.T, want error, end func(*testing.T, *strongroom.KmsVault)) {
	for name, call := range fetching {
		stops := 0
		for ; haltedAt(t, name, call, stops, want, end); stops++ {
		}
		if stops < 2 {
			t.Errorf("%s: it was stopped %d times only", name, stops)
		}
	}
}

func haltedAt(
	t *testing.T, name string, call anyCall, at int, want error, end func(*testing.T, *strongroom.KmsVault),
) (stopped bool) {
	t.Helper()
	w := newWorld(t)
	owner := w.rotated("acme")
	must(t, errOf(owner.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	org, record := sealed(w, owner, password, strongroom.ScopeOrg), sealed(w, owner, password, strongroom.ScopeRecord)
	h := newHalting(w, at)
	v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Kms, c.Store = h, h })
	answered := make(chan error, 1)
	go func() { answered <- call(t.Context(), v, org, record) }()
	var where string
	select {
	case where = <-h.seen:
	case err := <-answered:
		must(t, err)
		return false
	}
	where = fmt.Sprintf("%s stopped at %d, %s", name, at, where)
	before := w.kms.total()
	end(t, v)
	// Another call of the new session must not lend its DEKs to the old one.
	if err := v.Ready(t.Context(), [][]byte{org, record}); want == strongroom.ErrUnknownDek {
		must(t, err)
	}
	mine := w.kms.total() - before
	held, _ := v.Status()
	close(h.on)
	err := <-answered
	// What was in the vault already may still be written to the store.
	written := strings.HasSuffix(where, "PutIfAbsent") && name != "Rotate" && err == nil
	if !errors.Is(err, want) && !written {
		t.Errorf("%s: %v", where, err)
	}
	time.Sleep(2 * time.Millisecond)
	after, _ := v.Status()
	if len(after) != len(held) {
		t.Errorf("%s: %d DEKs are held, before it went on %d", where, len(after), len(held))
	}
	// The one call that was stopped on its way may arrive.
	if late := w.kms.total() - before - mine; late > 1 || (late == 1 && !strings.HasSuffix(where, "Send")) {
		t.Errorf("%s: %d KMS calls afterwards", where, late)
	}
	return true
}

func (k *fakeKms) total() int {
	k.lock.Lock()
	defer k.lock.Unlock()
	return len(k.calls)
}

func TestACallBegunBeforeSignOutBringsNothingInAndAnswersUnknownDek(t *testing.T) {
	haltedEverywhere(t, strongroom.ErrUnknownDek, func(t *testing.T, v *strongroom.KmsVault) { must(t, errOf(v.SignOut())) })
}

func TestACallBegunBeforeCloseAsksNothingMore(t *testing.T) {
	haltedEverywhere(t, strongroom.ErrBadInput, func(t *testing.T, v *strongroom.KmsVault) { must(t, v.Close()) })
}

func TestAfterTheEndAKmsThatFailsIsNotAskedAgain(t *testing.T) {
	for name, end := range map[string]func(*strongroom.KmsVault) error{
		"sign-out": func(v *strongroom.KmsVault) error { return errOf(v.SignOut()) },
		"close":    func(v *strongroom.KmsVault) error { return v.Close() },
	} {
		for _, call := range []string{"Open", "Share", "WrapForPreview", "Rotate"} {
			w := newWorld(t)
			owner := w.rotated("acme")
			must(t, errOf(owner.GenerateRecordDek(t.Context(), "hosts", "h-1")))
			org := sealed(w, owner, password, strongroom.ScopeOrg)
			v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Tries = 50 })
			must(t, v.Ready(t.Context(), [][]byte{sealed(w, owner, password, strongroom.ScopeRecord)}))
			if call == "Open" {
				must(t, errOf(v.SignOut()))
			}
			w.kms.set(func(k *fakeKms) { k.fail = always("ThrottlingException") })
			// Neither waiting nor the context stops it but the end itself.
			paused, on := make(chan struct{}, 50), make(chan struct{})
			v.SetPause(func(context.Context, time.Duration) error {
				paused <- struct{}{}
				<-on
				return nil
			})
			answered := make(chan error, 1)
			go func() { answered <- fetching[call](t.Context(), v, org, nil) }()
			<-paused
			must(t, end(v))
			before := w.kms.total()
			close(on)
			want := strongroom.ErrUnknownDek
			if name == "close" {
				want = strongroom.ErrBadInput
			}
			if err := <-answered; !errors.Is(err, want) {
				t.Errorf("%s, %s: %v", name, call, err)
			}
			time.Sleep(2 * time.Millisecond)
			if late := w.kms.total() - before; late != 0 {
				t.Errorf("%s, %s: asked %d times afterwards", name, call, late)
			}
		}
	}
}

func TestWhatWaitsForItsTurnAtTheKmsIsNotSentAfterSignOut(t *testing.T) {
	w := newWorld(t)
	owner := w.rotated("acme")
	var envelopes [][]byte
	for range 24 {
		must(t, errOf(owner.Rotate(t.Context())))
		envelopes = append(envelopes, sealed(w, owner, password, strongroom.ScopeOrg))
	}
	for range 20 {
		h := newHalting(w, -1)
		v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Kms, c.Store = h, h })
		on := make(chan struct{})
		w.kms.set(func(k *fakeKms) {
			k.before = func(context.Context, strongroom.KmsRequest) error {
				<-on
				return nil
			}
		})
		answered := make(chan error, len(envelopes))
		for _, envelope := range envelopes {
			go func() { answered <- v.Ready(t.Context(), [][]byte{envelope}) }()
		}
		// Each has read its rows; sixteen are with the KMS, the rest wait for them.
		for turn := 0; turn < len(envelopes)+16; h.turns <- turn {
			turn = <-h.turns
			time.Sleep(time.Millisecond)
		}
		must(t, errOf(v.SignOut()))
		before := w.kms.total()
		close(on)
		for range envelopes {
			w.refused(strongroom.ErrUnknownDek, <-answered)
		}
		time.Sleep(2 * time.Millisecond)
		if late := w.kms.total() - before; late != 0 {
			t.Fatalf("%d calls were sent afterwards", late)
		}
	}
}
