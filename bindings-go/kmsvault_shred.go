package strongroom

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// Survivors says what of a shredded org is still there, and until when.
type Survivors struct {
	Org string
	// Keys are the org's CMKs.
	Keys []ShreddedKey
	// Shares are the org's records that other orgs can still read: each share, and each
	// row under the reader's own DEK. Only those orgs, or their CMKs, can end that.
	Shares []SurvivingShare
	// CachedUntil is the unix second until which a vault that saw nothing of this, or a
	// keychain, may hold the org's DEKs.
	CachedUntil uint64
	// Rows are the org's own, and those for it as a reader: useless, and to be deleted
	// with [WrapStore.Delete] when nobody means to call the shredding off any more.
	Rows []WrapRow
}

// ShreddedKey is a CMK of a shredded org.
type ShreddedKey struct {
	KeyID string
	// DeletedAt is the unix second, by this host's clock, from which the KMS has destroyed
	// the key; 0 where it isn't known here, as another call has asked for it.
	DeletedAt uint64
}

// SurvivingShare is one row by which another org reads a record.
type SurvivingShare struct {
	Table   string
	Record  string
	Reader  string
	KeyID   string
	Version uint32
	DekRef  DekRef
}

// Shred ends the org: it has every CMK of the org destroyed in 7 to 30 days, tombstones
// the active row, and the vault, which refuses everything from then on. A run that was
// cut off is finished by another. Until the keys are destroyed it can be called off:
// CancelKeyDeletion and EnableKey at the KMS, then [Reactivate].
//
// It returns ErrBadInput for other days, and the KMS's errors; a key that waits for its
// destruction already is no error.
func (v *KmsVault) Shred(ctx context.Context, days uint32) (Survivors, error) {
	ctx = v.begin(ctx)
	var keys []ShreddedKey
	for _, cmk := range v.cmks[v.org] {
		key, err := v.shredKey(ctx, cmk, days)
		if err != nil {
			return Survivors{}, err
		}
		keys = append(keys, key)
	}
	if err := v.tombstone(ctx); err != nil {
		return Survivors{}, err
	}
	survivors, err := v.survivors(ctx)
	survivors.Keys = keys
	return survivors, err
}

// Survivors says what of the org is there besides its own: see [KmsVault.Shred]. It
// reads the store only, before and after.
func (v *KmsVault) Survivors(ctx context.Context) (Survivors, error) {
	return v.survivors(v.begin(ctx))
}

// shredKey has one CMK destroyed.
func (v *KmsVault) shredKey(ctx context.Context, cmk string, days uint32) (ShreddedKey, error) {
	request, err := v.vault.ShredRequest(v.org, cmk, days)
	if err != nil {
		return ShreddedKey{}, err
	}
	key := ShreddedKey{KeyID: cmk}
	err = v.ask(ctx, request, nil, func(reply KmsReply) error {
		err := judgeShred(request, &reply)
		if err == nil {
			key.DeletedAt = v.seconds() + uint64(days)*24*60*60
		}
		return err
	})
	if errors.Is(err, ErrKmsPendingDeletion) {
		err = nil
	}
	return key, err
}

// judgeShred judges the answer to a shred request as the core judges every other: it
// must come from where the request was to go, and be about the CMK that was asked.
func judgeShred(request KmsRequest, reply *KmsReply) error {
	if request.FIPS {
		if err := AssertFipsEndpoint(reply.Endpoint, request.Region); err != nil {
			return err
		}
	} else if reply.Endpoint != request.Endpoint {
		return ErrEndpointPolicy
	}
	switch reply.Error {
	case "":
	case "AccessDeniedException", "NotFoundException", "InvalidCiphertextException", "IncorrectKeyException", "DisabledException":
		return ErrKmsDenied
	case "KMSInvalidStateException":
		return ErrKmsPendingDeletion
	case "ThrottlingException", "LimitExceededException":
		return ErrKmsThrottled
	default:
		return ErrKmsUnavailable
	}
	if reply.KeyID == nil || *reply.KeyID != request.Params.KeyID {
		return ErrKeyIDUnexpected
	}
	return nil
}

// tombstone writes the active row tombstoned and tells the vault.
func (v *KmsVault) tombstone(ctx context.Context) error {
	free, err := v.activating.take(ctx)
	if err != nil {
		return err
	}
	defer free()
	if _, err := writeState(ctx, v.store, v.org, stateTombstoned); err != nil && !errors.Is(err, ErrNoActiveDek) {
		return err
	}
	err = v.admit(ctx, func() error { return v.vault.Tombstone(v.org) })
	if err != nil {
		return err
	}
	return v.chain.empty()
}

func (v *KmsVault) survivors(ctx context.Context) (Survivors, error) {
	if err := v.alive(); err != nil {
		return Survivors{}, err
	}
	found := Survivors{Org: v.org, CachedUntil: v.seconds() + ttlMost}
	for _, cmk := range v.cmks[v.org] {
		found.Keys = append(found.Keys, ShreddedKey{KeyID: cmk})
	}
	owned, err := v.store.RowsByOwner(ctx, v.org, nil)
	if err != nil {
		return Survivors{}, err
	}
	reading, err := v.store.RowsByReader(ctx, v.org)
	if err != nil {
		return Survivors{}, err
	}
	listed := map[rowKey]bool{}
	for _, row := range append(owned, reading...) {
		m, err := row.Members()
		if err != nil {
			return Survivors{}, err
		}
		switch {
		case m.Owner == v.org && m.Reader != v.org:
			found.Shares = append(found.Shares, SurvivingShare{m.Table, m.Record, m.Reader, m.KeyID, m.Version, m.DekRef})
		case !listed[keyOf(&m)]:
			listed[keyOf(&m)] = true
			found.Rows = append(found.Rows, row)
		}
	}
	return found, nil
}

// Reactivate calls a shredding off: after the product has had CancelKeyDeletion and
// EnableKey done for the org's CMKs, it writes the org's tombstoned row active again, of
// the same DEK and version, and gives it. An active row that isn't tombstoned is given
// as it is. Vaults that saw the tombstone go on refusing; make new ones.
//
// It returns ErrNoActiveDek for an org without an active row, and the store's errors.
func Reactivate(ctx context.Context, store WrapStore, org string) (ActiveRow, error) {
	return writeState(ctx, store, org, stateActive)
}

// writeState writes an org's active row with another state and gives what stands there.
func writeState(ctx context.Context, store WrapStore, org, state string) (ActiveRow, error) {
	failure := error(ErrPreconditionFailed)
	for range stateTries {
		stored, err := store.Active(ctx, org)
		if err != nil {
			return ActiveRow{}, err
		}
		if stored == nil {
			return ActiveRow{}, ErrNoActiveDek
		}
		members, err := stored.Members()
		switch {
		case err != nil:
			return ActiveRow{}, err
		case members.Org != org:
			return ActiveRow{}, ErrRowInconsistent
		case members.State == state:
			return *stored, nil
		}
		members.State, members.Rev = state, members.Rev+1
		row := members.row()
		// Another host may have rotated meanwhile.
		failure = store.CompareAndSetActive(ctx, row)
		if !errors.Is(failure, ErrPreconditionFailed) {
			return row, failure
		}
	}
	return ActiveRow{}, failure
}

func (m *ActiveMembers) row() ActiveRow {
	var text strings.Builder
	text.WriteString(`{"org":`)
	quote(&text, m.Org)
	text.WriteString(`,"dekRef":"` + m.DekRef.String() + `","version":` + strconv.FormatUint(uint64(m.Version), 10))
	text.WriteString(`,"state":"` + m.State + `","rev":` + strconv.FormatUint(m.Rev, 10) + "}")
	return ActiveRow{text.String()}
}

// Each try more needs a rotation of another host between a read and a write.
const stateTries = 16
