package strongroom

import (
	"context"
	"errors"
	"strings"
	"time"
)

// knownRecord is a record's newest DEK as it was last read.
type knownRecord struct {
	ref  DekRef
	read time.Time
}

// GenerateRecordDek makes the next version of a record's own DEK and stores its
// row. Values sealed with [ScopeRecord] use it from then on.
//
// If the store fails, the DEK exists all the same; nothing sealed under it is
// returned before its row is stored.
func (v *KmsVault) GenerateRecordDek(ctx context.Context, table, record string) (WrapRow, error) {
	ctx = v.begin(ctx)
	place := RecordPlace{table, record}
	if err := v.judge(place); err != nil {
		return WrapRow{}, err
	}
	free, err := v.making.take(ctx)
	if err != nil {
		return WrapRow{}, err
	}
	defer free()
	version, err := v.nextRecordVersion(ctx, place)
	if err != nil {
		return WrapRow{}, err
	}
	return v.makeRecordDek(ctx, place, version)
}

// makeRecordDek makes a record DEK of a version and stores its row.
func (v *KmsVault) makeRecordDek(ctx context.Context, place RecordPlace, version uint32) (WrapRow, error) {
	var row WrapRow
	err := v.withActive(ctx, func() (WrapRow, error) {
		err := v.admit(ctx, func() (err error) {
			row, err = v.generate(place, version)
			return err
		})
		return row, err
	})
	if err != nil {
		return WrapRow{}, err
	}
	v.bornBy(row)
	if err := v.storeUnstored(ctx, row); err != nil {
		return row, err
	}
	v.keepBy(ctx, row)
	return row, nil
}

// generate makes a record DEK, whose row is unstored from the moment it exists.
func (v *KmsVault) generate(place RecordPlace, version uint32) (WrapRow, error) {
	v.lock.Lock()
	defer v.lock.Unlock()
	row, err := v.vault.GenerateRecordDek(v.org, place.Table, place.Record, version, v.seconds())
	if err != nil {
		return WrapRow{}, err
	}
	members, err := row.Members()
	if err != nil {
		return WrapRow{}, err
	}
	v.unstored[members.DekRef] = row
	v.know(place, members.DekRef)
	return row, nil
}

// Share wraps a record's newest DEK for another org by that org's CMK, which must
// be among the config's Cmks, and stores the row. No envelope changes. A row that is
// already there is returned without asking the KMS.
//
// It returns ErrNoActiveDek for a record without a DEK of its own: reseal its fields
// with [ScopeRecord] first.
func (v *KmsVault) Share(ctx context.Context, table, record, reader, cmk string) (WrapRow, error) {
	return v.wrapFor(ctx, RecordPlace{table, record}, reader, cmk, v.shareRequest(reader, cmk))
}

func (v *KmsVault) shareRequest(reader, cmk string) func(DekRef) (KmsRequest, error) {
	return func(ref DekRef) (KmsRequest, error) { return v.vault.ShareRequest(ref, reader, cmk, v.seconds()) }
}

// WrapForPreview wraps a record's newest DEK by the org's own CMK and stores the
// row, so that a preview can get this DEK from the KMS and no other.
//
// It returns ErrNoActiveDek for a record without a DEK of its own.
func (v *KmsVault) WrapForPreview(ctx context.Context, table, record string) (WrapRow, error) {
	cmk := v.cmks[v.org][0]
	return v.wrapFor(ctx, RecordPlace{table, record}, v.org, cmk, func(ref DekRef) (KmsRequest, error) {
		return v.vault.WrapRequest(ref, cmk, v.seconds())
	})
}

func (v *KmsVault) wrapFor(
	ctx context.Context, place RecordPlace, reader, cmk string, request func(DekRef) (KmsRequest, error),
) (WrapRow, error) {
	ctx = v.begin(ctx)
	if err := v.judge(place); err != nil {
		return WrapRow{}, err
	}
	// So are reader and CMK, which the vault judges before it looks for the DEK.
	if _, err := request(DekRef{}); !gone(err) {
		return WrapRow{}, err
	}
	ref, err := v.readyRecord(ctx, place, true)
	if err != nil {
		return WrapRow{}, err
	}
	return v.wrapDek(ctx, place, ref, reader, cmk, request)
}

// wrapDek has the KMS wrap one DEK of a record, unless a row for it is stored, and
// stores the row.
func (v *KmsVault) wrapDek(
	ctx context.Context, place RecordPlace, ref DekRef, reader, cmk string, request func(DekRef) (KmsRequest, error),
) (WrapRow, error) {
	if found, err := v.wrappedBy(ctx, ref, reader, cmk); found != nil || err != nil {
		return orNone(found), err
	}
	var asked KmsRequest
	plaintext, err := inEra(ctx, v, func() (_ []byte, err error) {
		if asked, err = request(ref); err != nil {
			return nil, err
		}
		if err := v.isOf(place, asked); err != nil {
			return nil, err
		}
		return v.vault.TakeRequestPlaintext(asked.ID)
	})
	if err != nil {
		return WrapRow{}, err
	}
	defer clear(plaintext)
	var row WrapRow
	err = v.ask(ctx, asked, plaintext, func(reply KmsReply) (err error) {
		row, err = v.vault.AdmitShared(asked.ID, reply)
		return err
	})
	if err != nil {
		return WrapRow{}, err
	}
	return v.putOrFind(ctx, row, ref, reader, cmk)
}

// putOrFind stores a new row. Where another process did the same a moment ago, its row
// serves as well.
func (v *KmsVault) putOrFind(ctx context.Context, row WrapRow, ref DekRef, reader, keyID string) (WrapRow, error) {
	err := v.store.PutIfAbsent(ctx, row)
	if !errors.Is(err, ErrPreconditionFailed) {
		return row, err
	}
	found, err := v.wrappedBy(ctx, ref, reader, keyID)
	if found == nil && err == nil {
		err = ErrPreconditionFailed
	}
	return orNone(found), err
}

// judge has the vault judge the names of a record: the store knows nothing of a record
// whose name is none, and can't say why.
func (v *KmsVault) judge(place RecordPlace) error { return v.judgeAt(v.org, place) }

func (v *KmsVault) judgeAt(owner string, place RecordPlace) error {
	_, err := v.vault.Open(Binding{Org: owner, Table: place.Table, Record: place.Record, Field: "*"}, nil)
	if errors.Is(err, ErrNotAnEnvelope) {
		return nil
	}
	return err
}

// isOf compares the record that a request wraps the DEK of, which is the core's word,
// with the one that was asked for: a store that gives another record's dek_ref would
// have that record shared. It returns ErrRowInconsistent if they differ.
func (v *KmsVault) isOf(place RecordPlace, asked KmsRequest) error {
	var row strings.Builder
	row.WriteString(`{"v":1,"purpose":"record-dek","provider":"aws-kms","keyId":"-","blob":"AA==","created":0,"version":1,"dekRef":"`)
	row.WriteString(DekRef{}.String() + `"`)
	for _, member := range [][2]string{
		{"owner", v.org}, {"reader", v.org}, {"table", place.Table}, {"record", place.Record},
	} {
		row.WriteString(`,"` + member[0] + `":`)
		quote(&row, member[1])
	}
	row.WriteString("}")
	context, err := KmsContext(WrapRow{row.String()})
	if err == nil && context[resourceKey] != asked.Params.EncryptionContext[resourceKey] {
		err = ErrRowInconsistent
	}
	return err
}

// resourceKey is the member of the encryption context that names the record.
const resourceKey = "strongroom-resource"

// wrappedBy finds the stored row that wraps a DEK for a reader by a CMK.
func (v *KmsVault) wrappedBy(ctx context.Context, ref DekRef, reader, cmk string) (*WrapRow, error) {
	rows, err := v.store.Rows(ctx, ref, reader)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if members, err := row.Members(); err == nil && members.KeyID == cmk {
			return &row, nil
		}
	}
	return nil, nil
}

// readyRecord gets a record's newest DEK, looking for it again after a while or if
// anew is set. It returns ErrNoActiveDek if there is none.
func (v *KmsVault) readyRecord(ctx context.Context, place RecordPlace, anew bool) (DekRef, error) {
	v.lock.Lock()
	known, ok := v.places[place]
	v.lock.Unlock()
	if ok && !anew && v.isFresh(known.read) {
		return known.ref, nil
	}
	newest, err := v.newest(ctx, place, true)
	if err != nil {
		return DekRef{}, err
	}
	if newest == nil {
		return DekRef{}, ErrNoActiveDek
	}
	if err := v.hold(ctx, newest.DekRef); err != nil {
		return DekRef{}, err
	}
	return inEra(ctx, v, func() (DekRef, error) {
		v.lock.Lock()
		defer v.lock.Unlock()
		v.know(place, newest.DekRef)
		return newest.DekRef, nil
	})
}

// newest finds the row of the highest version among a record's rows, of those the
// first: for this org only, or for whichever reader.
func (v *KmsVault) newest(ctx context.Context, place RecordPlace, own bool) (*WrapMembers, error) {
	rows, err := v.recordRows(ctx, v.org, place)
	if err != nil {
		return nil, err
	}
	var newest *WrapMembers
	for _, row := range rows {
		if own && row.members.Reader != v.org {
			continue
		}
		if newest == nil || row.members.Version > newest.Version {
			newest = &row.members
		}
	}
	return newest, nil
}

// recordRows reads the rows of a record for all readers, after the store has taken those
// that it lacked. Rows that are none, and what storage says of another record, are
// passed over.
func (v *KmsVault) recordRows(ctx context.Context, owner string, place RecordPlace) ([]candidate, error) {
	if err := v.alive(); err != nil {
		return nil, err
	}
	if owner == v.org {
		if err := v.storeUnstored(ctx, v.unstoredOf(place)...); err != nil {
			return nil, err
		}
	}
	rows, err := v.store.RowsByOwner(ctx, owner, &place)
	var found []candidate
	for _, row := range rows {
		members, err := row.Members()
		if err == nil && members.Owner == owner && members.Table == place.Table && members.Record == place.Record {
			found = append(found, candidate{row, members})
		}
	}
	return found, err
}

func (v *KmsVault) nextRecordVersion(ctx context.Context, place RecordPlace) (uint32, error) {
	newest, err := v.newest(ctx, place, false)
	switch {
	case err != nil:
		return 0, err
	case newest == nil:
		return 1, nil
	case newest.Version == lastVersion:
		return 0, ErrLimit
	}
	return newest.Version + 1, nil
}

// know remembers a record's newest DEK. v.lock is held.
func (v *KmsVault) know(place RecordPlace, ref DekRef) {
	if len(v.places) >= maxKnown {
		clear(v.places)
	}
	v.places[place] = knownRecord{ref, v.now()}
	v.knowKind(ref, ScopeRecord)
}

// unstoredOf lists the rows of a record that the store has not taken yet.
func (v *KmsVault) unstoredOf(place RecordPlace) []WrapRow {
	v.lock.Lock()
	defer v.lock.Unlock()
	var rows []WrapRow
	for _, row := range v.unstored {
		members, err := row.Members()
		if err == nil && members.Table == place.Table && members.Record == place.Record {
			rows = append(rows, row)
		}
	}
	return rows
}

func (v *KmsVault) storeUnstored(ctx context.Context, rows ...WrapRow) error {
	for _, row := range rows {
		if err := v.store.PutIfAbsent(ctx, row); err != nil {
			return err
		}
		members, err := row.Members()
		if err != nil {
			return err
		}
		v.lock.Lock()
		delete(v.unstored, members.DekRef)
		v.lock.Unlock()
	}
	return nil
}

// settled lets an envelope out only once the row of its DEK is stored.
func (v *KmsVault) settled(ctx context.Context, envelope []byte) error {
	v.lock.Lock()
	pending := len(v.unstored) + len(v.drafts)
	v.lock.Unlock()
	if pending == 0 {
		return nil
	}
	ref := refOf(envelope)
	v.lock.Lock()
	row, ok := v.unstored[ref]
	draft := v.drafts[ref]
	v.lock.Unlock()
	switch {
	case draft != nil:
		return v.published(ctx, ref, draft)
	case ok:
		return v.storeUnstored(ctx, row)
	}
	return nil
}

func orNone(row *WrapRow) WrapRow {
	if row == nil {
		return WrapRow{}
	}
	return *row
}
