//go:build cgo

package strongroom_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
)

// hookedActive is a store whose reads of active rows a test can hold up or change.
type hookedActive struct {
	strongroom.WrapStore
	after func(*strongroom.ActiveRow) *strongroom.ActiveRow
}

func (s *hookedActive) Active(ctx context.Context, org string) (*strongroom.ActiveRow, error) {
	row, err := s.WrapStore.Active(ctx, org)
	if err == nil && s.after != nil {
		row = s.after(row)
	}
	return row, err
}

func (w *world) hooked(after func(*strongroom.ActiveRow) *strongroom.ActiveRow) *strongroom.KmsVault {
	return w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Store = &hookedActive{w.store, after} })
}

// sealing is a seal under way.
func (w *world) sealing(v *strongroom.KmsVault) <-chan []byte {
	done := make(chan []byte, 1)
	go func() {
		envelope, err := v.Seal(w.Context(), password, nil, strongroom.SealOptions{})
		if err != nil {
			w.Errorf("seal: %v", err)
		}
		done <- envelope
	}()
	return done
}

func TestARowThatIsOvertakenByANewerDekIsReadAgain(t *testing.T) {
	w := newWorld(t)
	other := w.rotated("acme")
	read, goOn := make(chan struct{}), make(chan struct{})
	first := true
	v := w.hooked(func(row *strongroom.ActiveRow) *strongroom.ActiveRow {
		if first {
			first = false
			read <- struct{}{}
			<-goOn
		}
		return row
	})
	sealing := w.sealing(v)
	<-read
	// While the old row is on its way to the vault, a newer DEK comes in.
	must(t, errOf(other.Rotate(t.Context())))
	newer := sealed(w, other, password, strongroom.ScopeOrg)
	must(t, v.Ready(t.Context(), [][]byte{newer}))
	close(goOn)
	if envelope := <-sealing; string(envelope[:36]) != string(newer[:36]) {
		t.Fatal("sealed under the older DEK")
	}
}

func TestWhoReadsTheActiveRowWaitsForARotationAndTakesNothingFromIt(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	v.AgeReads()
	asked, answer := make(chan struct{}), make(chan struct{})
	w.kms.set(func(k *fakeKms) {
		k.before = func(context.Context, strongroom.KmsRequest) error {
			asked <- struct{}{}
			<-answer
			return nil
		}
	})
	rotated := make(chan error, 1)
	go func() { rotated <- errOf(v.Rotate(t.Context())) }()
	<-asked
	sealing := w.sealing(v)
	time.Sleep(20 * time.Millisecond)
	close(answer)
	must(t, <-rotated)
	newest := sealed(w, v, password, strongroom.ScopeOrg)
	if envelope := <-sealing; string(envelope[:36]) != string(newest[:36]) {
		t.Fatal("sealed under the older DEK")
	}
	// The minted DEK was not lost on the way: nobody had to ask for it.
	w.kms.wantCalls(t, "Decrypt", 0)
}

func TestARowThatTheStoreGoesOnGivingIsARollback(t *testing.T) {
	w := newWorld(t)
	old := w.rotated("acme")
	before, err := w.store.Active(t.Context(), "acme")
	must(t, err)
	must(t, errOf(old.Rotate(t.Context())))
	var shown *strongroom.ActiveRow
	reads := 0
	v := w.hooked(func(row *strongroom.ActiveRow) *strongroom.ActiveRow {
		if reads++; shown != nil {
			return shown
		}
		return row
	})
	sealed(w, v, password, strongroom.ScopeOrg)
	shown = before
	v.AgeReads()
	_, err = v.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrActiveRollback, err)
	_, err = v.Rotate(t.Context())
	w.refused(strongroom.ErrActiveRollback, err)
	shown = nil
	sealed(w, v, password, strongroom.ScopeOrg)
}

func TestAStoreThatNeverGivesTheSameOldRowTwiceIsNotAskedForEver(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	before, err := w.store.Active(t.Context(), "acme")
	must(t, err)
	must(t, errOf(v.Rotate(t.Context())))
	reads := 0
	lying := w.vault("acme", func(c *strongroom.KmsVaultConfig) {
		c.Options = []strongroom.Option{strongroom.WithMinVersions(map[string]uint32{"acme": 2})}
		c.Store = &hookedActive{w.store, func(*strongroom.ActiveRow) *strongroom.ActiveRow {
			reads++
			text := strings.Replace(before.JSON(), `"rev":1`, fmt.Sprintf(`"rev":%d`, reads), 1)
			row := strongroom.ActiveRowFromJSON([]byte(text))
			return &row
		}}
	})
	_, err = lying.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrActiveRollback, err)
	if reads < 2 || reads > 40 {
		t.Fatalf("read %d times", reads)
	}
}
