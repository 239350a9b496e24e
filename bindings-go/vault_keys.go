package strongroom

// MintRequest asks for a new org DEK under a CMK: send it to the KMS, then call
// [Vault.AdmitMinted]. created is in unix seconds.
//
// It returns ErrActiveRollback unless version exceeds the highest seen for the
// org, and ErrKeyIDUnexpected for a CMK that is not listed.
func (v *Vault) MintRequest(org, cmk string, version uint32, created uint64) (KmsRequest, error) {
	return v.request(func(h handle) ([]byte, error) { return rawMintRequest(h, org, cmk, version, created) })
}

// AdmitMinted takes the KMS's answer to a mint request and gives the rows to
// store: first the wrap row, put-if-absent, then the active row, by
// compare-and-set. Nothing is sealed under the new DEK before [Vault.SetActive].
//
// reply.Plaintext is zeroed whatever comes of it. It returns ErrBadInput for an
// id that is unknown or used, and what is wrong with the reply.
func (v *Vault) AdmitMinted(request uint64, reply KmsReply) (WrapRow, ActiveRow, error) {
	h, err := v.begin()
	if err != nil {
		clear(reply.Plaintext)
		return WrapRow{}, ActiveRow{}, err
	}
	defer v.lock.RUnlock()
	wrap, active, err := rawAdmitMinted(h, request, &reply)
	return WrapRow{wrap}, ActiveRow{active}, err
}

// SetActive says which active row is in the store: the vault's own after it won,
// another's after it lost.
//
// It returns ErrRowInconsistent for a row that is none or names a DEK that is not
// this org's, and ErrActiveRollback for an older one than was seen, or a fork.
func (v *Vault) SetActive(active ActiveRow) error {
	return v.do(func(h handle) error { return rawSetActive(h, active.text) })
}

// UnwrapRequest asks for the DEK of a KMS wrap row. org is the one on whose
// behalf the host acts: take it from your own session, never from the row.
//
// It returns ErrRowInconsistent for a row of another reader and
// ErrKeyIDUnexpected for a CMK that is not listed.
func (v *Vault) UnwrapRequest(org string, row WrapRow) (KmsRequest, error) {
	return v.request(func(h handle) ([]byte, error) { return rawUnwrapRequest(h, org, row.text) })
}

// Admit checks the KMS's answer against the row that it was asked for and keeps
// the DEK. A local row needs no answer: reply is nil, and the org DEK that wraps
// it must be held.
//
// reply.Plaintext is zeroed whatever comes of it. It returns ErrKeyMismatch for a
// DEK that is not the row's, ErrKeyIDUnexpected and ErrEndpointPolicy for an
// answer from elsewhere, and the KMS's own refusals.
func (v *Vault) Admit(org string, row WrapRow, reply *KmsReply) (DekRef, error) {
	h, err := v.begin()
	if err != nil {
		if reply != nil {
			clear(reply.Plaintext)
		}
		return DekRef{}, err
	}
	defer v.lock.RUnlock()
	return rawAdmit(h, org, row.text, reply)
}

// GenerateRecordDek makes a record's own DEK and its wrap row under the org's
// active DEK: store the row. created is in unix seconds.
func (v *Vault) GenerateRecordDek(org, table, record string, version uint32, created uint64) (WrapRow, error) {
	return v.row(func(h handle) (string, error) {
		return rawGenerateRecordDek(h, org, table, record, version, created)
	})
}

// WrapLocal makes another local row of a record DEK that is held, under the
// active DEK of org, for which the host acts.
//
// It returns ErrBadInput for an org DEK, and for a DEK held for another org.
func (v *Vault) WrapLocal(org string, ref DekRef, created uint64) (WrapRow, error) {
	return v.row(func(h handle) (string, error) { return rawWrapLocal(h, org, ref, created) })
}

// WrapRequest asks for a wrap of a record DEK by the owner's own CMK, so that a
// preview can hold one record's DEK and nothing else. Send it with
// [Vault.TakeRequestPlaintext], then call [Vault.AdmitShared].
func (v *Vault) WrapRequest(ref DekRef, cmk string, created uint64) (KmsRequest, error) {
	return v.request(func(h handle) ([]byte, error) { return rawWrapRequest(h, ref, cmk, created) })
}

// ShareRequest asks for a wrap of a record DEK by the reader's CMK: the record can
// then be opened by that org, and no envelope changes. Send it with
// [Vault.TakeRequestPlaintext], then call [Vault.AdmitShared].
func (v *Vault) ShareRequest(ref DekRef, reader, cmk string, created uint64) (KmsRequest, error) {
	return v.request(func(h handle) ([]byte, error) { return rawShareRequest(h, ref, reader, cmk, created) })
}

// TakeRequestPlaintext gives, once, the DEK that an Encrypt request sends to the
// KMS. Wipe it after the call.
func (v *Vault) TakeRequestPlaintext(request uint64) ([]byte, error) {
	dek := make([]byte, dekLength)
	err := v.do(func(h handle) error { return rawTakeRequestPlaintext(h, request, dek) })
	if err != nil {
		return nil, err
	}
	return dek, nil
}

// AdmitShared takes the KMS's answer to a wrap or share request and gives the
// wrap row to store.
func (v *Vault) AdmitShared(request uint64, reply KmsReply) (WrapRow, error) {
	h, err := v.begin()
	if err != nil {
		clear(reply.Plaintext)
		return WrapRow{}, err
	}
	defer v.lock.RUnlock()
	row, err := rawAdmitShared(h, request, &reply)
	return WrapRow{row}, err
}

// ShredRequest asks for the destruction of a CMK in 7 to 30 days.
func (v *Vault) ShredRequest(org, cmk string, days uint32) (KmsRequest, error) {
	return v.request(func(h handle) ([]byte, error) { return rawShredRequest(h, org, cmk, days) })
}

// Tombstone forgets the org's DEKs and refuses everything for it from now on.
func (v *Vault) Tombstone(org string) error {
	return v.do(func(h handle) error { return rawTombstone(h, org) })
}

// SignOut wipes every DEK and lists those whose keychain entries must be deleted.
func (v *Vault) SignOut() ([]DekRef, error) { return with(v, rawSignOut) }

// CacheExport gives the keychain entry of a DEK. It holds the DEK: wipe it once it
// is stored.
//
// It returns ErrBadInput for a vault without [WithSession].
func (v *Vault) CacheExport(ref DekRef) ([]byte, error) {
	return with(v, func(h handle) ([]byte, error) { return rawCacheExport(h, ref) })
}

// CacheImport takes a keychain entry in. The entry's buffer is zeroed whatever
// comes of it. Read the active rows of owner and reader first: a new vault knows
// no tombstones.
func (v *Vault) CacheImport(entry []byte) (DekRef, error) {
	h, err := v.begin()
	if err != nil {
		clear(entry)
		return DekRef{}, err
	}
	defer v.lock.RUnlock()
	return rawCacheImport(h, entry)
}

func (v *Vault) request(call func(handle) ([]byte, error)) (KmsRequest, error) {
	return with(v, func(h handle) (KmsRequest, error) {
		text, err := call(h)
		if err != nil {
			return KmsRequest{}, err
		}
		var request KmsRequest
		return request, decode(text, &request)
	})
}

func (v *Vault) row(call func(handle) (string, error)) (WrapRow, error) {
	return with(v, func(h handle) (WrapRow, error) {
		text, err := call(h)
		return WrapRow{text}, err
	})
}

func (v *Vault) do(call func(handle) error) error {
	h, err := v.begin()
	if err != nil {
		return err
	}
	defer v.lock.RUnlock()
	return call(h)
}
