package strongroom

import (
	"bytes"
	"context"
)

// WrapStore keeps wrap rows, active rows and usage rows. Nothing in it is secret, and
// nothing in it is trusted: the vault checks every row that comes out. Usage rows are
// the exception: whoever can write them can have more seals made than a DEK should
// bear, but open nothing.
//
// Implementations must be safe for many goroutines. Every later store must pass
// package storetest. They return ErrStoreUnavailable (wrapped, with the cause)
// where the store can't be read or written, and the core's error for a row that
// is none.
type WrapStore interface {
	// Rows gives the rows that wrap one DEK for one reader, oldest first.
	Rows(ctx context.Context, ref DekRef, reader string) ([]WrapRow, error)
	// RowsByOwner gives the rows of an owner for all readers, oldest first; with at
	// only those of that record's DEKs.
	RowsByOwner(ctx context.Context, owner string, at *RecordPlace) ([]WrapRow, error)
	// RowsByReader gives the rows for a reader, its own and those shared with it,
	// oldest first.
	RowsByReader(ctx context.Context, reader string) ([]WrapRow, error)
	// PutIfAbsent stores a row under (dekRef, reader, keyId). It succeeds if the
	// same row is there already, and returns ErrPreconditionFailed if another is.
	PutIfAbsent(ctx context.Context, row WrapRow) error
	// Active gives an org's active row, nil if there is none.
	Active(ctx context.Context, org string) (*ActiveRow, error)
	// CompareAndSetActive stores an active row whose rev is one more than the
	// stored one's, or 1 where none is stored; otherwise it returns
	// ErrPreconditionFailed and changes nothing.
	CompareAndSetActive(ctx context.Context, row ActiveRow) error
	// Delete removes the row under this row's (dekRef, reader, keyId). It succeeds
	// if there is none.
	Delete(ctx context.Context, row WrapRow) error
	// Usage gives a DEK's usage row, nil if there is none.
	Usage(ctx context.Context, ref DekRef) (*UsageRow, error)
	// Reserve adds count seals to those reserved under a DEK, making the row where none
	// is, and gives the sum. It returns ErrPreconditionFailed, and changes nothing, if
	// that would pass the limit; ErrBadInput for no seals or a limit above 2^53-1. Of
	// calls at once, in whatever process, none may be lost.
	Reserve(ctx context.Context, ref DekRef, count, limit uint64) (uint64, error)
	// MarkInactive notes since when (unix seconds, from 1) a DEK isn't the active one,
	// unless that is noted already, and gives the row that stands there afterwards.
	MarkInactive(ctx context.Context, ref DekRef, at uint64) (UsageRow, error)
	// DeleteUsage removes a DEK's usage row. It succeeds if there is none.
	DeleteUsage(ctx context.Context, ref DekRef) error
}

// RecordPlace names one record of an owner.
type RecordPlace struct {
	Table  string
	Record string
}

// rowKey is what a stored row is unique by.
type rowKey struct {
	ref    DekRef
	reader string
	keyID  string
}

func keyOf(m *WrapMembers) rowKey { return rowKey{m.DekRef, m.Reader, m.KeyID} }

// sameRow compares what rows say: another host may have spelled the same row with
// its members in another order.
func sameRow(a, b *WrapMembers) bool {
	return keyOf(a) == keyOf(b) && a.Purpose == b.Purpose && a.Owner == b.Owner &&
		a.Table == b.Table && a.Record == b.Record && a.Version == b.Version &&
		a.Created == b.Created && a.Provider == b.Provider && bytes.Equal(a.Blob, b.Blob)
}
