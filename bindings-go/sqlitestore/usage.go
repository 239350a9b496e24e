package sqlitestore

import (
	"context"
	"database/sql"

	strongroom "strongroom.dev/go"
)

// Usage implements [strongroom.WrapStore].
func (s *Store) Usage(ctx context.Context, ref strongroom.DekRef) (*strongroom.UsageRow, error) {
	row, err := usageOf(ctx, s.db, ref)
	return row, failure(ctx, err)
}

// Reserve implements [strongroom.WrapStore].
func (s *Store) Reserve(ctx context.Context, ref strongroom.DekRef, count, limit uint64) (uint64, error) {
	if count == 0 || limit > maxWhole {
		return 0, strongroom.ErrBadInput
	}
	row, err := s.changeUsage(ctx, ref, func(row *strongroom.UsageRow) error {
		if count > limit || row.Reserved > limit-count {
			return strongroom.ErrPreconditionFailed
		}
		row.Reserved += count
		return nil
	})
	return row.Reserved, err
}

// MarkInactive implements [strongroom.WrapStore].
func (s *Store) MarkInactive(ctx context.Context, ref strongroom.DekRef, at uint64) (strongroom.UsageRow, error) {
	if at == 0 || at > maxWhole {
		return strongroom.UsageRow{}, strongroom.ErrBadInput
	}
	return s.changeUsage(ctx, ref, func(row *strongroom.UsageRow) error {
		if row.InactiveSince == 0 {
			row.InactiveSince = at
		}
		return nil
	})
}

// DeleteUsage implements [strongroom.WrapStore].
func (s *Store) DeleteUsage(ctx context.Context, ref strongroom.DekRef) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM strongroom_usage WHERE dek_ref = ?", ref.String())
		return err
	})
}

func (s *Store) changeUsage(
	ctx context.Context, ref strongroom.DekRef, change func(*strongroom.UsageRow) error,
) (strongroom.UsageRow, error) {
	var after strongroom.UsageRow
	err := s.write(ctx, func(tx *sql.Tx) error {
		row, err := usageOf(ctx, tx, ref)
		if err != nil {
			return err
		}
		if row == nil {
			row = &strongroom.UsageRow{DekRef: ref}
		}
		if err := change(row); err != nil {
			return err
		}
		after = *row
		since := sql.NullInt64{Int64: int64(row.InactiveSince), Valid: row.InactiveSince > 0}
		_, err = tx.Exec("INSERT OR REPLACE INTO strongroom_usage (dek_ref, reserved, inactive_since) VALUES (?, ?, ?)",
			ref.String(), int64(row.Reserved), since)
		return err
	})
	if err != nil {
		return strongroom.UsageRow{}, err
	}
	return after, nil
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func usageOf(ctx context.Context, from querier, ref strongroom.DekRef) (*strongroom.UsageRow, error) {
	var reserved int64
	var since sql.NullInt64
	err := from.QueryRowContext(ctx, "SELECT reserved, inactive_since FROM strongroom_usage WHERE dek_ref = ?", ref.String()).
		Scan(&reserved, &since)
	switch {
	case none(err):
		return nil, nil
	case err != nil:
		return nil, err
	case reserved < 0 || reserved > maxWhole || since.Valid && (since.Int64 < 1 || since.Int64 > maxWhole):
		return nil, damaged("strongroom_usage")
	}
	return &strongroom.UsageRow{DekRef: ref, Reserved: uint64(reserved), InactiveSince: uint64(since.Int64)}, nil
}

// maxWhole is the largest whole number that every host's JSON reader holds exactly.
const maxWhole = 1<<53 - 1
