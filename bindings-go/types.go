package strongroom

import (
	"encoding/base64"
	"strconv"
)

// Binding says where a value lives. It becomes the envelope's authenticated
// data: an envelope opens at the binding it was sealed at and nowhere else.
// Every part but Revision is mandatory, 1 to 1,024 bytes of UTF-8, and is
// compared byte for byte. Org is always the record's owner.
//
// Take a binding from your own code and session, never from the row that you
// are about to open.
type Binding struct {
	Org    string
	Table  string
	Record string
	Field  string
	// Revision pins one revision of the value; nil means none.
	Revision *uint64
}

// WithRevision returns the binding with a revision.
func (b Binding) WithRevision(revision uint64) Binding {
	b.Revision = &revision
	return b
}

// Scope says which kind of DEK seals.
type Scope uint8

const (
	// ScopeOrg seals under the org's active DEK.
	ScopeOrg Scope = 0
	// ScopeRecord seals under the record's own DEK, so that the record can be shared.
	ScopeRecord Scope = 1
)

// UnmarshalText reads "org" or "record". It returns ErrBadInput for anything else.
func (s *Scope) UnmarshalText(text []byte) error {
	switch string(text) {
	case "org":
		*s = ScopeOrg
	case "record":
		*s = ScopeRecord
	default:
		return ErrBadInput
	}
	return nil
}

// MarshalText gives "org" or "record". It returns ErrBadInput for anything else.
func (s Scope) MarshalText() ([]byte, error) {
	switch s {
	case ScopeOrg:
		return []byte("org"), nil
	case ScopeRecord:
		return []byte("record"), nil
	}
	return nil, ErrBadInput
}

// SealOptions says how to seal. The zero value is the default: org scope, no padding.
type SealOptions struct {
	Scope Scope
	// Padded hides the exact length: it is rounded up to a multiple of 64 bytes.
	Padded bool
}

// ResealOptions says what reseal changes; nil keeps what the old envelope has.
type ResealOptions struct {
	Scope  *Scope
	Padded *bool
}

// SealItem is one value of [Vault.SealMany].
type SealItem struct {
	Binding   Binding
	Plaintext []byte
	Options   SealOptions
}

// OpenItem is one envelope of [Vault.OpenMany].
type OpenItem struct {
	Binding  Binding
	Envelope []byte
}

// Result is the answer to one item of a batch: Value, or Err.
type Result struct {
	Value []byte
	Err   error
}

// DekRef names a DEK and commits to it. It is public.
type DekRef [32]byte

// DekRefFromBytes reads a reference. It returns ErrBadInput unless there are 32 bytes.
func DekRefFromBytes(bytes []byte) (DekRef, error) {
	if len(bytes) != len(DekRef{}) {
		return DekRef{}, ErrBadInput
	}
	return DekRef(bytes), nil
}

// String gives the reference as base64url, as rows spell it.
func (r DekRef) String() string { return base64.RawURLEncoding.EncodeToString(r[:]) }

// MarshalText spells the reference as rows do.
func (r DekRef) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the spelling that rows have. It returns ErrBadInput for any other.
func (r *DekRef) UnmarshalText(text []byte) error {
	bytes, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return ErrBadInput
	}
	ref, err := DekRefFromBytes(bytes)
	if err == nil {
		*r = ref
	}
	return err
}

// UntrustedHeader is what an envelope says about itself. Nothing vouches for it
// until the envelope has been opened.
type UntrustedHeader struct {
	Version uint8
	Suite   uint8
	Padded  bool
	DekRef  DekRef
	// CtLen is the length of the ciphertext without its tag.
	CtLen uint32
}

// DekStatus describes one DEK that a vault holds.
type DekStatus struct {
	DekRef DekRef `json:"dekRef"`
	// Kind is "org" or "record".
	Kind    string `json:"kind"`
	Org     string `json:"org"`
	Version uint32 `json:"version"`
	Reader  string `json:"reader"`
	// Ends is the unix second at which the vault gives the DEK up.
	Ends uint64 `json:"ends"`
	// Seals counts the IVs that this vault used under the DEK.
	Seals uint64 `json:"seals"`
}

// SealedLen is the length of the envelope around a value of n bytes.
func SealedLen(n int, padded bool) int {
	if padded {
		n += 64 - n%64
	}
	return n + overhead
}

// String is for people: it is not the spelling that is sealed.
func (b Binding) String() string {
	text := strconv.Quote(b.Org) + "/" + strconv.Quote(b.Table) + "/" +
		strconv.Quote(b.Record) + "/" + strconv.Quote(b.Field)
	if b.Revision != nil {
		text += "@" + strconv.FormatUint(*b.Revision, 10)
	}
	return text
}

const (
	overhead  = 68
	padBlock  = 64
	batchMax  = 10_000
	dekLength = 32
)
