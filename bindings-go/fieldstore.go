package strongroom

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
)

// FieldStore is the product's own table of sealed fields, as far as promoting and
// revoking must change it and retiring must look through it. The product implements it
// over its database; [MemoryFieldStore] and the modules sqlitestore and dynamostore
// have ready-made ones.
//
// Implementations must be safe for many goroutines, must pass package storetest's
// RunFields, and return ErrStoreUnavailable (wrapped, with the cause) where the storage
// can't be read or written.
type FieldStore interface {
	// Fields gives every field of a record with its binding, revision included, in any
	// order.
	Fields(ctx context.Context, owner, table, record string) ([]StoredField, error)
	// Replace puts an envelope in the place of another. It returns
	// ErrPreconditionFailed, and changes nothing, unless exactly the old one stands at
	// that binding.
	Replace(ctx context.Context, at Binding, old, new []byte) error
	// All hands every field of an owner on, in any order, and ends with the first error
	// that visit returns. What stood there when it began and stands there when it ends
	// must be handed on.
	All(ctx context.Context, owner string, visit func(StoredField) error) error
}

// StoredField is a sealed field and where it lives.
type StoredField struct {
	Binding  Binding
	Envelope []byte
}

// MemoryFieldStore is a [FieldStore] that lasts as long as the process. The zero value
// is an empty store.
type MemoryFieldStore struct {
	lock   sync.RWMutex
	fields map[fieldKey][]byte
}

var _ FieldStore = (*MemoryFieldStore)(nil)

// fieldKey is a binding that can be compared: a revision is no pointer there.
type fieldKey struct {
	org, table, record, field string
	revision                  uint64
	hasRevision               bool
}

func fieldKeyOf(at Binding) fieldKey {
	key := fieldKey{org: at.Org, table: at.Table, record: at.Record, field: at.Field}
	if at.Revision != nil {
		key.revision, key.hasRevision = *at.Revision, true
	}
	return key
}

func (k fieldKey) binding() Binding {
	at := Binding{Org: k.org, Table: k.table, Record: k.record, Field: k.field}
	if k.hasRevision {
		at.Revision = &k.revision
	}
	return at
}

// NewMemoryFieldStore makes an empty store.
func NewMemoryFieldStore() *MemoryFieldStore { return &MemoryFieldStore{} }

// Put stores an envelope, in the place of whatever was there.
func (s *MemoryFieldStore) Put(ctx context.Context, at Binding, envelope []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.fields == nil {
		s.fields = map[fieldKey][]byte{}
	}
	s.fields[fieldKeyOf(at)] = bytes.Clone(envelope)
	return nil
}

// Fields implements [FieldStore].
func (s *MemoryFieldStore) Fields(ctx context.Context, owner, table, record string) ([]StoredField, error) {
	return s.find(ctx, func(k fieldKey) bool { return k.org == owner && k.table == table && k.record == record })
}

// Replace implements [FieldStore].
func (s *MemoryFieldStore) Replace(ctx context.Context, at Binding, old, new []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	key := fieldKeyOf(at)
	if stored, ok := s.fields[key]; !ok || !bytes.Equal(stored, old) {
		return ErrPreconditionFailed
	}
	s.fields[key] = bytes.Clone(new)
	return nil
}

// All implements [FieldStore].
func (s *MemoryFieldStore) All(ctx context.Context, owner string, visit func(StoredField) error) error {
	found, err := s.find(ctx, func(k fieldKey) bool { return k.org == owner })
	for _, field := range found {
		if err := cmp.Or(ctx.Err(), visit(field)); err != nil {
			return err
		}
	}
	return err
}

func (s *MemoryFieldStore) find(ctx context.Context, is func(fieldKey) bool) ([]StoredField, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	var found []StoredField
	for key, envelope := range s.fields {
		if is(key) {
			found = append(found, StoredField{key.binding(), bytes.Clone(envelope)})
		}
	}
	slices.SortFunc(found, func(a, b StoredField) int { return cmp.Compare(a.Binding.Field, b.Binding.Field) })
	return found, nil
}
