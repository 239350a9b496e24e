package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"strconv"

	strongroom "strongroom.dev/go"
)

// Fields implements [strongroom.FieldStore].
func (s *Store) Fields(ctx context.Context, owner, table, record string) ([]strongroom.StoredField, error) {
	return s.fields(ctx, "org = ? AND tbl = ? AND record = ? ORDER BY field, revision", owner, table, record)
}

// Put stores an envelope, in the place of whatever was there.
func (s *Store) Put(ctx context.Context, at strongroom.Binding, envelope []byte) error {
	return s.write(ctx, func(tx *sql.Tx) error { return put(tx, at, envelope) })
}

// Replace implements [strongroom.FieldStore].
func (s *Store) Replace(ctx context.Context, at strongroom.Binding, old, new []byte) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		var stored []byte
		err := tx.QueryRow(`SELECT envelope FROM strongroom_fields
			WHERE org = ? AND tbl = ? AND record = ? AND field = ? AND revision = ?`, placeOf(at)...).Scan(&stored)
		if none(err) || err == nil && !bytes.Equal(stored, old) {
			return strongroom.ErrPreconditionFailed
		} else if err != nil {
			return err
		}
		return put(tx, at, new)
	})
}

// All implements [strongroom.FieldStore]. It reads a page at a time, so that visit may
// call the store.
func (s *Store) All(ctx context.Context, owner string, visit func(strongroom.StoredField) error) error {
	last := []any{"", "", "", ""}
	for {
		page, err := s.fields(ctx, `org = ? AND (tbl, record, field, revision) > (?, ?, ?, ?)
			ORDER BY tbl, record, field, revision LIMIT 256`, append([]any{owner}, last...)...)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, field := range page {
			if err := visit(field); err != nil {
				return err
			}
		}
		last = placeOf(page[len(page)-1].Binding)[1:]
	}
}

func (s *Store) fields(ctx context.Context, where string, args ...any) ([]strongroom.StoredField, error) {
	rows, err := s.db.QueryContext(ctx,
		"SELECT org, tbl, record, field, revision, envelope FROM strongroom_fields WHERE "+where, args...)
	if err != nil {
		return nil, failure(ctx, err)
	}
	defer rows.Close()
	var found []strongroom.StoredField
	for rows.Next() {
		var field strongroom.StoredField
		var revision string
		at := &field.Binding
		if err := rows.Scan(&at.Org, &at.Table, &at.Record, &at.Field, &revision, &field.Envelope); err != nil {
			return nil, failure(ctx, err)
		}
		if revision != "" {
			number, err := strconv.ParseUint(revision, 10, 64)
			if err != nil || strconv.FormatUint(number, 10) != revision {
				return nil, damaged("strongroom_fields")
			}
			at.Revision = &number
		}
		found = append(found, field)
	}
	return found, failure(ctx, rows.Err())
}

func put(tx *sql.Tx, at strongroom.Binding, envelope []byte) error {
	// Not nil, which SQL would take for no value.
	values := append(placeOf(at), append([]byte{}, envelope...))
	_, err := tx.Exec(`INSERT INTO strongroom_fields (org, tbl, record, field, revision, envelope) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET envelope = excluded.envelope`, values...)
	return err
}

// placeOf is a field's primary key.
func placeOf(at strongroom.Binding) []any {
	revision := ""
	if at.Revision != nil {
		revision = strconv.FormatUint(*at.Revision, 10)
	}
	return []any{at.Org, at.Table, at.Record, at.Field, revision}
}
