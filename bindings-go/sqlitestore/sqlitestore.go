// Package sqlitestore keeps wrap rows, active rows, usage rows and sealed fields in
// one SQLite file. Several processes of one machine, in Go, Node or Rust, may use a
// file at once.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"
	strongroom "strongroom.dev/go"
)

// Store is a [strongroom.WrapStore] and a [strongroom.FieldStore] in an SQLite file. It
// is safe for many goroutines.
//
// Where the file can't be read or written, is locked for longer than 5 s, or holds
// something that no store wrote there, methods return an error that wraps
// ErrStoreUnavailable, and nothing is changed.
type Store struct{ db *sql.DB }

var (
	_ strongroom.WrapStore  = (*Store)(nil)
	_ strongroom.FieldStore = (*Store)(nil)
)

// Open opens a file, or makes it with mode 0600. It returns ErrStoreUnavailable for a
// file that can't be opened, is another program's database, or is of a layout that this
// release doesn't know.
func Open(path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, unavailable(err)
	}
	// By us, because SQLite would make it for everybody; its other files get this one's mode.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unavailable(err)
	}
	if err := file.Close(); err != nil {
		return nil, unavailable(err)
	}
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: settings}
	db, err := sql.Open("sqlite3", name.String())
	if err != nil {
		return nil, unavailable(err)
	}
	if err := prepare(db); err != nil {
		return nil, errors.Join(unavailable(err), db.Close())
	}
	return &Store{db}, nil
}

// Close lets the file go. Later calls return ErrStoreUnavailable.
func (s *Store) Close() error { return s.db.Close() }

// prepare makes the tables in an empty file, and refuses a file that isn't ours.
func prepare(db *sql.DB) error {
	ends := time.Now().Add(patience)
	for {
		// SQLite doesn't wait by itself where two processes switch to WAL at once.
		_, err := db.Exec("PRAGMA journal_mode = WAL")
		var fault sqlite3.Error
		if err == nil {
			break
		} else if !errors.As(err, &fault) || fault.Code != sqlite3.ErrBusy || time.Now().After(ends) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var application, version, objects int64
	if err := tx.QueryRow("SELECT * FROM pragma_application_id, pragma_user_version, (SELECT count(*) FROM sqlite_schema)").
		Scan(&application, &version, &objects); err != nil {
		return err
	}
	switch {
	case application == 0 && version == 0 && objects == 0:
		if _, err := tx.Exec(schema); err != nil {
			return err
		}
	case application != applicationID:
		return errors.New("the file is not a strongroom store")
	case version != layout:
		return fmt.Errorf("the store's layout is %d, and this release knows %d", version, layout)
	}
	return tx.Commit()
}

// write runs a change as one transaction, which no other process can come between.
func (s *Store) write(ctx context.Context, change func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return failure(ctx, err)
	}
	defer tx.Rollback()
	if err := change(tx); err != nil {
		return failure(ctx, err)
	}
	return failure(ctx, tx.Commit())
}

// failure is what a method returns for an error of its own or of the driver.
func failure(ctx context.Context, err error) error {
	var own *strongroom.Error
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return unavailable(err)
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", strongroom.ErrStoreUnavailable, err) }

func damaged(what string) error {
	return fmt.Errorf("%w: a damaged row in %s", strongroom.ErrStoreUnavailable, what)
}

// none tells whether a query found no row.
func none(err error) bool { return errors.Is(err, sql.ErrNoRows) }

const (
	applicationID = 0x73723031
	layout        = 1
	patience      = 5 * time.Second
)

const settings = "_txlock=immediate&_busy_timeout=5000&_synchronous=FULL"

const schema = `
CREATE TABLE strongroom_wraps (seq INTEGER PRIMARY KEY AUTOINCREMENT, dek_ref TEXT NOT NULL, reader TEXT NOT NULL, key_id TEXT NOT NULL, owner TEXT NOT NULL, tbl TEXT, record TEXT, row TEXT NOT NULL, UNIQUE (dek_ref, reader, key_id)) STRICT;
CREATE INDEX strongroom_wraps_owner ON strongroom_wraps (owner, tbl, record);
CREATE INDEX strongroom_wraps_reader ON strongroom_wraps (reader);
CREATE TABLE strongroom_active (org TEXT PRIMARY KEY, rev INTEGER NOT NULL, row TEXT NOT NULL) STRICT;
CREATE TABLE strongroom_usage (dek_ref TEXT PRIMARY KEY, reserved INTEGER NOT NULL, inactive_since INTEGER) STRICT;
CREATE TABLE strongroom_fields (org TEXT NOT NULL, tbl TEXT NOT NULL, record TEXT NOT NULL, field TEXT NOT NULL, revision TEXT NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (org, tbl, record, field, revision)) STRICT;
PRAGMA application_id = 0x73723031;
PRAGMA user_version = 1;
`
