package sqlitestore

import (
	"context"
	"database/sql"
	"reflect"

	strongroom "strongroom.dev/go"
)

// Rows implements [strongroom.WrapStore].
func (s *Store) Rows(ctx context.Context, ref strongroom.DekRef, reader string) ([]strongroom.WrapRow, error) {
	return s.find(ctx, func(m *strongroom.WrapMembers) bool { return m.DekRef == ref && m.Reader == reader },
		"dek_ref = ? AND reader = ?", ref.String(), reader)
}

// RowsByOwner implements [strongroom.WrapStore].
func (s *Store) RowsByOwner(ctx context.Context, owner string, at *strongroom.RecordPlace) ([]strongroom.WrapRow, error) {
	if at == nil {
		return s.find(ctx, func(m *strongroom.WrapMembers) bool { return m.Owner == owner }, "owner = ?", owner)
	}
	return s.find(ctx,
		func(m *strongroom.WrapMembers) bool {
			return m.Owner == owner && m.Table == at.Table && m.Record == at.Record
		},
		"owner = ? AND tbl = ? AND record = ?", owner, at.Table, at.Record)
}

// RowsByReader implements [strongroom.WrapStore].
func (s *Store) RowsByReader(ctx context.Context, reader string) ([]strongroom.WrapRow, error) {
	return s.find(ctx, func(m *strongroom.WrapMembers) bool { return m.Reader == reader }, "reader = ?", reader)
}

// find reads rows in the order in which they were put. A row says itself what it is:
// columns that name it as another are damage.
func (s *Store) find(
	ctx context.Context, asked func(*strongroom.WrapMembers) bool, where string, args ...any,
) ([]strongroom.WrapRow, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT row FROM strongroom_wraps WHERE "+where+" ORDER BY seq", args...)
	if err != nil {
		return nil, failure(ctx, err)
	}
	defer rows.Close()
	var found []strongroom.WrapRow
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, failure(ctx, err)
		}
		row := strongroom.WrapRowFromJSON([]byte(text))
		if members, err := row.Members(); err != nil || !asked(&members) {
			return nil, damaged("strongroom_wraps")
		}
		found = append(found, row)
	}
	return found, failure(ctx, rows.Err())
}

// PutIfAbsent implements [strongroom.WrapStore].
func (s *Store) PutIfAbsent(ctx context.Context, row strongroom.WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	key := []any{members.DekRef.String(), members.Reader, members.KeyID}
	return s.write(ctx, func(tx *sql.Tx) error {
		var text string
		err := tx.QueryRow("SELECT row FROM strongroom_wraps WHERE dek_ref = ? AND reader = ? AND key_id = ?", key...).Scan(&text)
		if none(err) {
			at := func(name string) sql.NullString { return sql.NullString{String: name, Valid: name != ""} }
			values := append(key, members.Owner, at(members.Table), at(members.Record), row.JSON())
			_, err := tx.Exec(`INSERT INTO strongroom_wraps (dek_ref, reader, key_id, owner, tbl, record, row)
				VALUES (?, ?, ?, ?, ?, ?, ?)`, values...)
			return err
		} else if err != nil {
			return err
		}
		stored, err := strongroom.WrapRowFromJSON([]byte(text)).Members()
		if err != nil {
			return damaged("strongroom_wraps")
		}
		if !reflect.DeepEqual(stored, members) {
			return strongroom.ErrPreconditionFailed
		}
		return nil
	})
}

// Delete implements [strongroom.WrapStore].
func (s *Store) Delete(ctx context.Context, row strongroom.WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM strongroom_wraps WHERE dek_ref = ? AND reader = ? AND key_id = ?",
			members.DekRef.String(), members.Reader, members.KeyID)
		return err
	})
}

// Active implements [strongroom.WrapStore].
func (s *Store) Active(ctx context.Context, org string) (*strongroom.ActiveRow, error) {
	var rev int64
	var text string
	err := s.db.QueryRowContext(ctx, "SELECT rev, row FROM strongroom_active WHERE org = ?", org).Scan(&rev, &text)
	if none(err) {
		return nil, nil
	} else if err != nil {
		return nil, failure(ctx, err)
	}
	row := strongroom.ActiveRowFromJSON([]byte(text))
	if members, err := row.Members(); err != nil || members.Org != org || members.Rev != uint64(rev) {
		return nil, damaged("strongroom_active")
	}
	return &row, nil
}

// CompareAndSetActive implements [strongroom.WrapStore].
func (s *Store) CompareAndSetActive(ctx context.Context, row strongroom.ActiveRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		var before int64
		err := tx.QueryRow("SELECT rev FROM strongroom_active WHERE org = ?", members.Org).Scan(&before)
		if err != nil && !none(err) {
			return err
		}
		if uint64(before) != members.Rev-1 {
			return strongroom.ErrPreconditionFailed
		}
		_, err = tx.Exec("INSERT OR REPLACE INTO strongroom_active (org, rev, row) VALUES (?, ?, ?)",
			members.Org, int64(members.Rev), row.JSON())
		return err
	})
}
