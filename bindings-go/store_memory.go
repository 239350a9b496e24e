package strongroom

import (
	"context"
	"sync"
)

// MemoryStore is a [WrapStore] that lasts as long as the process: for tests and
// for data that does. The zero value is an empty store.
type MemoryStore struct {
	lock  sync.RWMutex
	index *rowIndex
}

var _ WrapStore = (*MemoryStore)(nil)

// NewMemoryStore makes an empty store.
func NewMemoryStore() *MemoryStore { return &MemoryStore{} }

// Rows implements [WrapStore].
func (s *MemoryStore) Rows(ctx context.Context, ref DekRef, reader string) ([]WrapRow, error) {
	return readMemory(ctx, s, func(x *rowIndex) []WrapRow { return x.ofDek(ref, reader) })
}

// RowsByOwner implements [WrapStore].
func (s *MemoryStore) RowsByOwner(ctx context.Context, owner string, at *RecordPlace) ([]WrapRow, error) {
	return readMemory(ctx, s, func(x *rowIndex) []WrapRow { return x.ofOwner(owner, at) })
}

// RowsByReader implements [WrapStore].
func (s *MemoryStore) RowsByReader(ctx context.Context, reader string) ([]WrapRow, error) {
	return readMemory(ctx, s, func(x *rowIndex) []WrapRow { return x.ofReader(reader) })
}

// PutIfAbsent implements [WrapStore].
func (s *MemoryStore) PutIfAbsent(ctx context.Context, row WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	return s.write(ctx, func(x *rowIndex) error {
		vacant, err := x.vacant(&members)
		if vacant {
			x.add(row, members)
		}
		return err
	})
}

// Active implements [WrapStore].
func (s *MemoryStore) Active(ctx context.Context, org string) (*ActiveRow, error) {
	return readMemory(ctx, s, func(x *rowIndex) *ActiveRow { return x.activeOf(org) })
}

// CompareAndSetActive implements [WrapStore].
func (s *MemoryStore) CompareAndSetActive(ctx context.Context, row ActiveRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	return s.write(ctx, func(x *rowIndex) error {
		if err := x.mayActivate(&members); err != nil {
			return err
		}
		x.activate(row, members)
		return nil
	})
}

// Delete implements [WrapStore].
func (s *MemoryStore) Delete(ctx context.Context, row WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	return s.write(ctx, func(x *rowIndex) error {
		x.remove(keyOf(&members))
		return nil
	})
}

// Usage implements [WrapStore].
func (s *MemoryStore) Usage(ctx context.Context, ref DekRef) (*UsageRow, error) {
	return readMemory(ctx, s, func(x *rowIndex) *UsageRow { return x.usageOf(ref) })
}

// Reserve implements [WrapStore].
func (s *MemoryStore) Reserve(ctx context.Context, ref DekRef, count, limit uint64) (uint64, error) {
	row, err := s.changeUsage(ctx, ref, func(row *UsageRow) error { return row.reserve(count, limit) })
	return row.Reserved, err
}

// MarkInactive implements [WrapStore].
func (s *MemoryStore) MarkInactive(ctx context.Context, ref DekRef, at uint64) (UsageRow, error) {
	return s.changeUsage(ctx, ref, func(row *UsageRow) error { return row.markInactive(at) })
}

// DeleteUsage implements [WrapStore].
func (s *MemoryStore) DeleteUsage(ctx context.Context, ref DekRef) error {
	return s.write(ctx, func(x *rowIndex) error {
		delete(x.usage, ref)
		return nil
	})
}

func (s *MemoryStore) changeUsage(ctx context.Context, ref DekRef, change func(*UsageRow) error) (UsageRow, error) {
	var after UsageRow
	err := s.write(ctx, func(x *rowIndex) error {
		row, err := x.usageAfter(ref, change)
		if err == nil {
			x.usage[ref], after = row, row
		}
		return err
	})
	return after, err
}

func (s *MemoryStore) write(ctx context.Context, change func(*rowIndex) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.index == nil {
		s.index = newRowIndex()
	}
	return change(s.index)
}

func readMemory[T any](ctx context.Context, s *MemoryStore, look func(*rowIndex) T) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	if s.index == nil {
		return none, nil
	}
	return look(s.index), nil
}
