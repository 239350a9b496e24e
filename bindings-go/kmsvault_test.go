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

var password = strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-1", Field: "password"}

func sealed(w *world, v *strongroom.KmsVault, at strongroom.Binding, scope strongroom.Scope) []byte {
	w.Helper()
	envelope, err := v.Seal(w.Context(), at, []byte("s3cret"), strongroom.SealOptions{Scope: scope})
	must(w.T, err)
	return envelope
}

func (w *world) opens(v *strongroom.KmsVault, at strongroom.Binding, envelope []byte) {
	w.Helper()
	plaintext, err := v.Open(w.Context(), at, envelope)
	must(w.T, err)
	if string(plaintext) != "s3cret" {
		w.Fatalf("opened %q", plaintext)
	}
}

func (w *world) refused(want error, err error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Fatalf("got %v, want %v", err, want)
	}
}

func TestAVaultIsNotMadeWithoutItsOrgsCmks(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*strongroom.KmsVaultConfig){
		"no org":            func(c *strongroom.KmsVaultConfig) { c.Org = "" },
		"no cmks":           func(c *strongroom.KmsVaultConfig) { c.Cmks = nil },
		"only another's":    func(c *strongroom.KmsVaultConfig) { delete(c.Cmks, "acme") },
		"an empty list":     func(c *strongroom.KmsVaultConfig) { c.Cmks["acme"] = nil },
		"an alias":          func(c *strongroom.KmsVaultConfig) { c.Cmks["acme"] = []string{"alias/acme"} },
		"one CMK, two orgs": func(c *strongroom.KmsVaultConfig) { c.Cmks["globex"] = []string{acmeCmk} },
		"no kms":            func(c *strongroom.KmsVaultConfig) { c.Kms = nil },
		"no store":          func(c *strongroom.KmsVaultConfig) { c.Store = nil },
		"negative tries":    func(c *strongroom.KmsVaultConfig) { c.Tries = -1 },
		"a bad option": func(c *strongroom.KmsVaultConfig) {
			c.Options = []strongroom.Option{strongroom.WithRegion("no region")}
		},
		"cmks as an option only": func(c *strongroom.KmsVaultConfig) {
			c.Options, c.Cmks = []strongroom.Option{strongroom.WithCmks(c.Cmks)}, nil
		},
	} {
		config := strongroom.KmsVaultConfig{
			Org: "acme", Cmks: map[string][]string{"acme": {acmeCmk}, "globex": {globexCmk}}, Kms: w.kms, Store: w.store,
		}
		change(&config)
		if _, err := strongroom.NewKmsVault(config); !errors.Is(err, strongroom.ErrBadInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingIsSealedBeforeTheFirstRotation(t *testing.T) {
	w := newWorld(t)
	v := w.vault("acme")
	_, err := v.Seal(t.Context(), password, nil, strongroom.SealOptions{})
	w.refused(strongroom.ErrNoActiveDek, err)
	_, err = v.Seal(t.Context(), password, nil, strongroom.SealOptions{Scope: strongroom.ScopeRecord})
	w.refused(strongroom.ErrNoActiveDek, err)
	_, err = v.GenerateRecordDek(t.Context(), "hosts", "h-1")
	w.refused(strongroom.ErrNoActiveDek, err)
	if _, err = v.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealed(w, v, password, strongroom.ScopeOrg)
}

func TestManyEnvelopesUnderTwoDeksCostTwoCallsColdAndNoneWarm(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	var items []strongroom.OpenItem
	for i := range 500 {
		if i == 250 {
			_, err := v.Rotate(t.Context())
			must(t, err)
		}
		at := password
		at.Record = fmt.Sprint(i)
		items = append(items, strongroom.OpenItem{Binding: at, Envelope: sealed(w, v, at, strongroom.ScopeOrg)})
	}
	w.kms.wantCalls(t, "Decrypt", 0)
	cold := w.vault("acme")
	for _, calls := range []int{2, 0} {
		results, err := cold.OpenMany(t.Context(), items)
		must(t, err)
		for i, result := range results {
			if result.Err != nil || string(result.Value) != "s3cret" {
				t.Fatalf("item %d: %v", i, result.Err)
			}
		}
		w.kms.wantCalls(t, "Decrypt", calls)
	}
	w.kms.wantWiped(t)
}

func TestHoweverManyWaitForADekTheKmsIsAskedOnce(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	v := w.vault("acme")
	var waiting atomic.Int32
	w.kms.before = func(context.Context, strongroom.KmsRequest) error {
		for waiting.Load() < 64 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		return nil
	}
	var group sync.WaitGroup
	for range 64 {
		group.Add(1)
		go func() {
			defer group.Done()
			waiting.Add(1)
			w.opens(v, password, envelope)
		}()
	}
	group.Wait()
	w.kms.wantCalls(t, "Decrypt", 1)
}

func TestALateWaiterDoesNotAskAgain(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	v := w.vault("acme")
	var group sync.WaitGroup
	for range 64 {
		group.Add(1)
		go func() {
			defer group.Done()
			w.opens(v, password, envelope)
		}()
	}
	group.Wait()
	w.kms.wantCalls(t, "Decrypt", 1)
}

func TestAWaiterThatGivesUpEndsOnlyItsOwnWaiting(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	v := w.vault("acme")
	asked, answer := make(chan struct{}), make(chan struct{})
	w.kms.before = func(ctx context.Context, _ strongroom.KmsRequest) error {
		close(asked)
		select {
		case <-answer:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// The first waiter, whose context began the flight, gives up.
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := v.Open(ctx, password, envelope)
		gaveUp <- err
	}()
	<-asked
	opened := make(chan error)
	go func() {
		_, err := v.Open(t.Context(), password, envelope)
		opened <- err
	}()
	time.Sleep(20 * time.Millisecond)
	cancel()
	w.refused(context.Canceled, <-gaveUp)
	close(answer)
	must(t, <-opened)
	w.kms.wantCalls(t, "Decrypt", 1)
}

func TestACallForWhichNobodyWaitsIsEnded(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	v := w.vault("acme")
	ended := make(chan struct{})
	w.kms.before = func(ctx context.Context, _ strongroom.KmsRequest) error {
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := v.Open(ctx, password, envelope)
	w.refused(context.DeadlineExceeded, err)
	<-ended
	w.kms.set(func(k *fakeKms) { k.before = nil })
	w.opens(v, password, envelope)
}

func TestADenialIsFinal(t *testing.T) {
	for name, want := range map[string]error{
		"AccessDeniedException":      strongroom.ErrKmsDenied,
		"NotFoundException":          strongroom.ErrKmsDenied,
		"InvalidCiphertextException": strongroom.ErrKmsDenied,
		"IncorrectKeyException":      strongroom.ErrKmsDenied,
		"DisabledException":          strongroom.ErrKmsDenied,
		"KMSInvalidStateException":   strongroom.ErrKmsPendingDeletion,
	} {
		w := newWorld(t)
		v := w.rotated("acme")
		envelope := sealed(w, v, password, strongroom.ScopeOrg)
		_, err := v.GenerateRecordDek(t.Context(), "hosts", "h-1")
		must(t, err)
		w.kms.fail = always(name)
		_, err = w.vault("acme").Open(t.Context(), password, envelope)
		w.refused(want, err)
		w.kms.wantCalls(t, "Decrypt", 1)
		_, err = v.Rotate(t.Context())
		w.refused(want, err)
		w.kms.wantCalls(t, "GenerateDataKey", 1)
		_, err = v.Share(t.Context(), "hosts", "h-1", "globex", globexCmk)
		w.refused(want, err)
		w.kms.wantCalls(t, "Encrypt", 1)
		w.kms.fail = nil
		w.opens(w.vault("acme"), password, envelope)
		w.kms.wantWiped(t)
	}
}

func TestADenialIsNotMadeGoodByAnotherRow(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	_, err := v.GenerateRecordDek(t.Context(), "hosts", "h-1")
	must(t, err)
	envelope := sealed(w, v, password, strongroom.ScopeRecord)
	_, err = v.WrapForPreview(t.Context(), "hosts", "h-1")
	must(t, err)
	other := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Cmks["acme"] = []string{acmeCmk2, acmeCmk} })
	_, err = other.WrapForPreview(t.Context(), "hosts", "h-1")
	must(t, err)
	w.kms.count("Decrypt")
	w.kms.fail = always("AccessDeniedException")
	_, err = w.vault("acme").Open(t.Context(), password, envelope)
	w.refused(strongroom.ErrKmsDenied, err)
	// One for the KEK of the local row, one for the record DEK's two KMS rows.
	w.kms.wantCalls(t, "Decrypt", 2)
}

func TestOneDeniedDekOfABatchCostsOneCallAndSpoilsNoOther(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	var items []strongroom.OpenItem
	seal := func() {
		for range 100 {
			items = append(items, strongroom.OpenItem{Binding: password, Envelope: sealed(w, v, password, strongroom.ScopeOrg)})
		}
	}
	seal()
	_, err := v.Rotate(t.Context())
	must(t, err)
	seal()
	items = append(items, strongroom.OpenItem{Binding: password, Envelope: []byte("no envelope")})
	w.kms.fail = func(r strongroom.KmsRequest) string {
		if r.Params.EncryptionContext["strongroom-version"] == "1" {
			return "AccessDeniedException"
		}
		return ""
	}
	cold := w.vault("acme")
	results, err := cold.OpenMany(t.Context(), items)
	must(t, err)
	for i, result := range results {
		switch {
		case i < 100:
			w.refused(strongroom.ErrKmsDenied, result.Err)
		case i < 200:
			must(t, result.Err)
		default:
			w.refused(strongroom.ErrNotAnEnvelope, result.Err)
		}
	}
	w.kms.wantCalls(t, "Decrypt", 2)
	w.refused(strongroom.ErrKmsDenied, cold.Ready(t.Context(), [][]byte{items[150].Envelope, items[0].Envelope}))
	must(t, cold.Ready(t.Context(), [][]byte{items[150].Envelope, []byte("no envelope")}))
}

func TestADeniedKekCostsOneCallHoweverManyRecordsNeedIt(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	var items []strongroom.OpenItem
	for i := range 100 {
		at := password
		at.Record = fmt.Sprint(i)
		must(t, errOf(v.GenerateRecordDek(t.Context(), at.Table, at.Record)))
		items = append(items, strongroom.OpenItem{Binding: at, Envelope: sealed(w, v, at, strongroom.ScopeRecord)})
	}
	w.kms.fail = always("AccessDeniedException")
	cold := w.vault("acme")
	results, err := cold.OpenMany(t.Context(), items)
	must(t, err)
	for _, result := range results {
		w.refused(strongroom.ErrKmsDenied, result.Err)
	}
	w.kms.wantCalls(t, "Decrypt", 1)
	_, err = cold.Seal(t.Context(), items[0].Binding, nil, strongroom.SealOptions{Scope: strongroom.ScopeRecord})
	w.refused(strongroom.ErrKmsDenied, err)
	w.kms.wantCalls(t, "Decrypt", 0)
}

func TestAKmsThatIsBusyIsAskedAgainAtMostSoOften(t *testing.T) {
	for _, c := range []struct {
		name         string
		tries, fails int
		calls        int
		want         error
	}{
		{"ThrottlingException", 0, 4, 5, nil},
		{"ThrottlingException", 0, 5, 5, strongroom.ErrKmsThrottled},
		{"LimitExceededException", 0, 99, 5, strongroom.ErrKmsThrottled},
		{"KMSInternalException", 0, 4, 5, nil},
		{"TimeoutError", 0, 99, 5, strongroom.ErrKmsUnavailable},
		{"ThrottlingException", 1, 1, 1, strongroom.ErrKmsThrottled},
		{"ThrottlingException", 2, 1, 2, nil},
		{"ThrottlingException", 9, 99, 9, strongroom.ErrKmsThrottled},
	} {
		w := newWorld(t)
		envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
		v := w.vault("acme", func(config *strongroom.KmsVaultConfig) { config.Tries = c.tries })
		var pauses []time.Duration
		v.SetPause(func(_ context.Context, pause time.Duration) error {
			pauses = append(pauses, pause)
			return nil
		})
		left := c.fails
		w.kms.fail = func(strongroom.KmsRequest) string {
			if left--; left < 0 {
				return ""
			}
			return c.name
		}
		if _, err := v.Open(t.Context(), password, envelope); !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c, err)
		}
		w.kms.wantCalls(t, "Decrypt", c.calls)
		if len(pauses) != c.calls-1 {
			t.Errorf("%v: %d pauses", c, len(pauses))
		}
		for i, pause := range pauses {
			if ceiling := min(100*time.Millisecond<<i, 5*time.Second); pause < 0 || pause >= ceiling {
				t.Errorf("%v: pause %d is %v", c, i, pause)
			}
		}
	}
}

func TestTheWaitingBetweenTriesEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	v := w.vault("acme")
	v.SetPause(func(ctx context.Context, _ time.Duration) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	w.kms.fail = always("ThrottlingException")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := v.Open(ctx, password, envelope)
	w.refused(context.DeadlineExceeded, err)
	w.kms.wantCalls(t, "Decrypt", 1)
}

func TestAnAdaptersOwnErrorsAreToldApart(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	for _, c := range []struct {
		err, want error
		calls     int
	}{
		{fmt.Errorf("it was elsewhere: %w", strongroom.ErrEndpointPolicy), strongroom.ErrEndpointPolicy, 1},
		{errors.New("a socket broke"), strongroom.ErrKmsUnavailable, 5},
		{context.DeadlineExceeded, strongroom.ErrKmsUnavailable, 5},
	} {
		w.kms.before = func(context.Context, strongroom.KmsRequest) error { return c.err }
		_, err := w.vault("acme").Open(t.Context(), password, envelope)
		w.refused(c.want, err)
		w.kms.wantCalls(t, "Decrypt", c.calls)
	}
}

func TestAnAnswerFromElsewhereIsRefusedAndNotAskedForAgain(t *testing.T) {
	w := newWorld(t)
	envelope := sealed(w, w.rotated("acme"), password, strongroom.ScopeOrg)
	other := globexCmk
	for _, c := range []struct {
		change func(*strongroom.KmsReply)
		want   error
	}{
		{func(r *strongroom.KmsReply) { r.KeyID = &other }, strongroom.ErrKeyIDUnexpected},
		{func(r *strongroom.KmsReply) { r.KeyID = nil }, strongroom.ErrKeyIDUnexpected},
		{func(r *strongroom.KmsReply) { r.Endpoint = "https://kms.us-east-1.amazonaws.com" }, strongroom.ErrEndpointPolicy},
		{func(r *strongroom.KmsReply) { r.Endpoint = "" }, strongroom.ErrEndpointPolicy},
		{func(r *strongroom.KmsReply) { r.Plaintext[0] ^= 1 }, strongroom.ErrKeyMismatch},
		{func(r *strongroom.KmsReply) { r.Plaintext = nil }, strongroom.ErrKeyMismatch},
		{func(r *strongroom.KmsReply) { clear(r.Plaintext) }, strongroom.ErrKeyMismatch},
	} {
		w.kms.change = c.change
		_, err := w.vault("acme").Open(t.Context(), password, envelope)
		w.refused(c.want, err)
		w.kms.wantCalls(t, "Decrypt", 1)
	}
	w.kms.wantWiped(t)
}

func TestADekThatIsOverIsFetchedAgain(t *testing.T) {
	w := newWorld(t)
	v := w.vault("acme", func(c *strongroom.KmsVaultConfig) { c.Options = []strongroom.Option{strongroom.WithTTL(1)} })
	_, err := v.Rotate(t.Context())
	must(t, err)
	envelope := sealed(w, v, password, strongroom.ScopeOrg)
	time.Sleep(2 * time.Second)
	w.opens(v, password, envelope)
	w.kms.wantCalls(t, "Decrypt", 1)
	time.Sleep(2 * time.Second)
	w.opens(v, password, sealed(w, v, password, strongroom.ScopeOrg))
	w.kms.wantCalls(t, "Decrypt", 1)
}

func TestABatchHasItsLimit(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	_, err := v.OpenMany(t.Context(), make([]strongroom.OpenItem, 10_001))
	w.refused(strongroom.ErrLimit, err)
	_, err = v.SealMany(t.Context(), make([]strongroom.SealItem, 10_001))
	w.refused(strongroom.ErrLimit, err)
	w.refused(strongroom.ErrLimit, v.Ready(t.Context(), make([][]byte, 10_001)))
	items := make([]strongroom.SealItem, 10_000)
	for i := range items {
		items[i] = strongroom.SealItem{Binding: password, Plaintext: []byte("s3cret")}
	}
	items[5_000].Binding.Field = ""
	items[5_001].Binding.Org = "globex"
	results, err := v.SealMany(t.Context(), items)
	must(t, err)
	for i, result := range results {
		switch i {
		case 5_000:
			w.refused(strongroom.ErrBadInput, result.Err)
		case 5_001:
			w.refused(strongroom.ErrNoActiveDek, result.Err)
		default:
			must(t, result.Err)
		}
	}
	w.opens(v, password, results[9_999].Value)
}

func TestAfterSignOutNothingIsHeldAndNothingComesIn(t *testing.T) {
	w := newWorld(t)
	v := w.vault("acme", func(c *strongroom.KmsVaultConfig) {
		c.Options = []strongroom.Option{strongroom.WithSession("s-1")}
	})
	_, err := v.Rotate(t.Context())
	must(t, err)
	envelope := sealed(w, v, password, strongroom.ScopeOrg)
	header, err := strongroom.Inspect(envelope)
	must(t, err)
	_, err = v.Vault().CacheExport(header.DekRef)
	must(t, err)
	refs, err := v.SignOut()
	must(t, err)
	if len(refs) != 1 {
		t.Fatalf("%d keychain entries to delete", len(refs))
	}
	asked, answer := make(chan struct{}), make(chan struct{})
	w.kms.before = func(context.Context, strongroom.KmsRequest) error {
		asked <- struct{}{}
		<-answer
		return nil
	}
	opened := make(chan error)
	go func() {
		_, err := v.Open(t.Context(), password, envelope)
		opened <- err
	}()
	<-asked
	_, err = v.SignOut()
	must(t, err)
	close(answer)
	w.refused(strongroom.ErrUnknownDek, <-opened)
	time.Sleep(20 * time.Millisecond)
	if status, err := v.Status(); err != nil || len(status) != 0 {
		t.Fatalf("held: %v, %v", status, err)
	}
	w.kms.set(func(k *fakeKms) { k.before = nil })
	w.opens(v, password, envelope)
	w.kms.wantWiped(t)
}

func TestAClosedVaultRefusesEverything(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	envelope := sealed(w, v, password, strongroom.ScopeOrg)
	must(t, v.Close())
	must(t, v.Close())
	ctx := t.Context()
	refuse := func(_ any, err error) {
		t.Helper()
		w.refused(strongroom.ErrBadInput, err)
	}
	refuse(v.Seal(ctx, password, nil, strongroom.SealOptions{}))
	refuse(v.Seal(ctx, password, nil, strongroom.SealOptions{Scope: strongroom.ScopeRecord}))
	refuse(v.Open(ctx, password, envelope))
	refuse(v.SealMany(ctx, make([]strongroom.SealItem, 1)))
	refuse(v.OpenMany(ctx, make([]strongroom.OpenItem, 1)))
	refuse(v.Reseal(ctx, password, envelope, strongroom.ResealOptions{}))
	refuse(v.Rebind(ctx, password, password, envelope))
	refuse(v.Rotate(ctx))
	refuse(v.GenerateRecordDek(ctx, "hosts", "h-1"))
	refuse(v.Share(ctx, "hosts", "h-1", "globex", globexCmk))
	refuse(v.WrapForPreview(ctx, "hosts", "h-1"))
	refuse(v.Status())
	refuse(v.SignOut())
	refuse(nil, v.Ready(ctx, [][]byte{envelope}))
	w.kms.wantCalls(t, "Decrypt", 0)
}

func TestManyGoroutinesMixEverything(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	must(t, errors.Join(errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1"))))
	var group sync.WaitGroup
	for i := range 16 {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := range 20 {
				scope := strongroom.Scope((i + j) % 2)
				envelope, err := v.Seal(t.Context(), password, []byte("s3cret"), strongroom.SealOptions{Scope: scope})
				switch {
				case err != nil:
				case j == 7 && i%4 == 0:
					_, err = v.Rotate(t.Context())
				case j == 9 && i%4 == 1:
					_, err = v.GenerateRecordDek(t.Context(), "hosts", "h-1")
				case j == 11 && i%4 == 2:
					v.AgeReads()
				case j%3 == 0:
					_, err = v.Reseal(t.Context(), password, envelope, strongroom.ResealOptions{})
				default:
					_, err = v.Open(t.Context(), password, envelope)
				}
				if err != nil {
					t.Errorf("goroutine %d, step %d: %v", i, j, err)
				}
			}
		}()
	}
	group.Wait()
}

func errOf[T any](_ T, err error) error { return err }
