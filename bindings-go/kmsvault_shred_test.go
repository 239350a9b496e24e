//go:build cgo

package strongroom_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
)

func shred(w *world, v *strongroom.KmsVault, _ strongroom.FieldStore) error {
	return errOf(v.Shred(w.Context(), 7))
}

func TestAShreddedOrgIsGoneAndTheReportSaysWhatIsNot(t *testing.T) {
	w := newWorld(t)
	v := w.vault("acme")
	must(t, errOf(v.Rotate(t.Context())))
	must(t, errOf(v.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	record, org := sealed(w, v, password, strongroom.ScopeRecord), sealed(w, v, password, strongroom.ScopeOrg)
	must(t, errOf(v.Share(t.Context(), "hosts", "h-1", "globex", globexCmk)))
	reader := w.rotated2("globex")
	must(t, errOf(reader.WrapLocal(t.Context(), "acme", "hosts", "h-1")))
	before, err := v.Survivors(t.Context())
	must(t, err)
	if len(before.Keys) != 2 || before.Keys[0].DeletedAt != 0 {
		t.Fatalf("keys are %+v", before.Keys)
	}
	now := uint64(time.Now().Unix())
	report, err := v.Shred(t.Context(), 30)
	must(t, err)
	w.kms.wantCalls(t, "ScheduleKeyDeletion", 2)
	if report.Org != "acme" || len(report.Keys) != 2 || report.Keys[0].KeyID != acmeCmk || report.Keys[1].KeyID != acmeCmk2 {
		t.Fatalf("report is %+v", report)
	}
	if at := report.Keys[1].DeletedAt; at < now+30*86_400 || at > now+30*86_400+10 {
		t.Fatalf("deleted at %d", at)
	}
	if report.CachedUntil < now+43_200 || report.CachedUntil > now+43_210 {
		t.Fatalf("cached until %d", report.CachedUntil)
	}
	share := strongroom.SurvivingShare{Table: "hosts", Record: "h-1", Reader: "globex", KeyID: globexCmk, Version: 1, DekRef: refOf(t, record)}
	if len(report.Shares) != 2 || report.Shares[0] != share || report.Shares[1].Reader != "globex" || report.Shares[1].KeyID == globexCmk {
		t.Fatalf("shares are %+v", report.Shares)
	}
	// The org's own DEK and the record's local row.
	if len(report.Rows) != 2 {
		t.Fatalf("rows are %+v", report.Rows)
	}
	for _, refused := range []error{
		errOf(v.Open(t.Context(), password, org)),
		errOf(w.vault("acme").Open(t.Context(), password, record)),
		errOf(w.vault("acme").Seal(t.Context(), password, nil, strongroom.SealOptions{})),
		errOf(w.vault("acme").Rotate(t.Context())),
	} {
		w.refused(strongroom.ErrOrgTombstoned, refused)
	}
	// It can be asked for again, from the store alone.
	after, err := w.vault("acme").Survivors(t.Context())
	must(t, err)
	if !slices.Equal(after.Shares, report.Shares) || !slices.Equal(after.Rows, report.Rows) {
		t.Fatalf("survivors are %+v", after)
	}
}

// rotated2 is rotated where other calls were made before.
func (w *world) rotated2(org string) *strongroom.KmsVault {
	w.Helper()
	v := w.vault(org)
	must(w.T, errOf(v.Rotate(w.Context())))
	return v
}

func TestRowsForTheOrgAsAReaderAreItsOwnToDelete(t *testing.T) {
	w := newWorld(t)
	owner := w.rotated("acme")
	must(t, errOf(owner.GenerateRecordDek(t.Context(), "hosts", "h-1")))
	must(t, errOf(owner.Share(t.Context(), "hosts", "h-1", "globex", globexCmk)))
	report, err := w.rotated2("globex").Shred(t.Context(), 7)
	must(t, err)
	if len(report.Shares) != 0 || len(report.Rows) != 2 {
		t.Fatalf("report is %+v", report)
	}
	sealed(w, owner, password, strongroom.ScopeRecord)
}

func TestAShreddingThatIsRefusedOrAnsweredFromElsewhereTombstonesNothing(t *testing.T) {
	other := globexCmk
	for name, c := range map[string]struct {
		days   uint32
		fail   string
		change func(*strongroom.KmsReply)
		want   error
	}{
		"too soon":         {6, "", nil, strongroom.ErrBadInput},
		"too late":         {31, "", nil, strongroom.ErrBadInput},
		"denied":           {7, "AccessDeniedException", nil, strongroom.ErrKmsDenied},
		"no such key":      {7, "NotFoundException", nil, strongroom.ErrKmsDenied},
		"throttled":        {7, "ThrottlingException", nil, strongroom.ErrKmsThrottled},
		"unreachable":      {7, "TimeoutError", nil, strongroom.ErrKmsUnavailable},
		"another key":      {7, "", func(r *strongroom.KmsReply) { r.KeyID = &other }, strongroom.ErrKeyIDUnexpected},
		"no key":           {7, "", func(r *strongroom.KmsReply) { r.KeyID = nil }, strongroom.ErrKeyIDUnexpected},
		"another endpoint": {7, "", func(r *strongroom.KmsReply) { r.Endpoint = "https://kms.us-east-1.amazonaws.com" }, strongroom.ErrEndpointPolicy},
	} {
		w := newWorld(t)
		v := w.rotated("acme")
		w.kms.set(func(k *fakeKms) { k.fail, k.change = always(c.fail), c.change })
		if _, err := v.Shred(t.Context(), c.days); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		sealed(w, v, password, strongroom.ScopeOrg)
	}
}

func TestAKeyThatWaitsForItsEndAlreadyIsNoError(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	w.kms.set(func(k *fakeKms) { k.fail = always("KMSInvalidStateException") })
	report, err := v.Shred(t.Context(), 7)
	must(t, err)
	if report.Keys[0].DeletedAt != 0 {
		t.Fatalf("keys are %+v", report.Keys)
	}
	w.refused(strongroom.ErrOrgTombstoned, errOf(v.Rotate(t.Context())))
	// Another run, in the same vault and in a new one, finds nothing left to do.
	must(t, errors.Join(shred(w, v, nil), shred(w, w.vault("acme"), nil)))
}

func TestAShreddingThatIsCutOffAnywhereIsFinishedByAnother(t *testing.T) {
	crashes(t, 2, func(w *world) strongroom.FieldStore {
		_, fields := w.shared(2)
		return fields
	}, shred, func(w *world, fields strongroom.FieldStore) {
		found, err := fields.Fields(w.Context(), "acme", "hosts", "h-1")
		must(w.T, err)
		w.refused(strongroom.ErrOrgTombstoned, errOf(w.ofThree("acme").Open(w.Context(), found[0].Binding, found[0].Envelope)))
	})
}

func TestAShreddingThatLosesARaceAgainstARotationTriesAgain(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	other := w.vault("acme")
	rotations := 2
	w.store.set(func(s *fakeStore) {
		s.cas = func(row strongroom.ActiveRow) error {
			if rotations--; rotations >= 0 {
				must(t, errOf(other.Rotate(t.Context())))
			}
			return s.WrapStore.CompareAndSetActive(context.Background(), row)
		}
	})
	other2 := strongroom.KmsVaultConfig{Org: "acme", Cmks: threeOrgs, Kms: w.kms, Store: w.store.WrapStore}
	plain, err := strongroom.NewKmsVault(other2)
	must(t, err)
	defer plain.Close()
	other = plain
	must(t, shred(w, v, nil))
	active, err := w.store.Active(t.Context(), "acme")
	must(t, err)
	members, err := active.Members()
	must(t, err)
	if members.State != "tombstoned" || members.Version != 3 || members.Rev != 4 {
		t.Fatalf("active is %s", active.JSON())
	}
}

func TestCallingAShreddingOffLetsNewVaultsWorkAndNoOldOne(t *testing.T) {
	w := newWorld(t)
	v := w.rotated("acme")
	envelope := sealed(w, v, password, strongroom.ScopeOrg)
	before, err := w.store.Active(t.Context(), "acme")
	must(t, err)
	untouched, err := strongroom.Reactivate(t.Context(), w.store, "acme")
	must(t, err)
	if untouched != *before {
		t.Fatal("an active row was written")
	}
	must(t, shred(w, v, nil))
	row, err := strongroom.Reactivate(t.Context(), w.store, "acme")
	must(t, err)
	was, err := before.Members()
	must(t, err)
	is, err := row.Members()
	must(t, err)
	was.Rev += 2
	if is != was {
		t.Fatalf("active is %+v", is)
	}
	w.refused(strongroom.ErrOrgTombstoned, errOf(v.Open(t.Context(), password, envelope)))
	w.opens(w.vault("acme"), password, envelope)
	sealed(w, w.vault("acme"), password, strongroom.ScopeOrg)
	_, err = strongroom.Reactivate(t.Context(), w.store, "globex")
	w.refused(strongroom.ErrNoActiveDek, err)
	_, err = strongroom.Reactivate(t.Context(), blindActive{w.store}, "acme")
	w.refused(strongroom.ErrStoreUnavailable, err)
}

func TestAShreddedOrgsKeychainIsEmpty(t *testing.T) {
	w := newWorld(t)
	k := newFakeKeychains()
	v, _ := w.resume(k, "acme")
	must(t, errOf(v.Rotate(t.Context())))
	must(t, shred(w, v, nil))
	if accounts := k.accounts("vault"); len(accounts) != 0 {
		t.Fatalf("left: %q", accounts)
	}
}
