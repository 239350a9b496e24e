package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	strongroom "strongroom.dev/go"
)

// folderFields is the tests' own field store, which hosts of several languages share: a
// file a field, named by the hex of its names, and a lock folder around every change.
type folderFields struct{ folder string }

func openFields(folder string) (*folderFields, error) {
	return &folderFields{folder}, os.MkdirAll(folder, 0o700)
}

func (f *folderFields) put(at strongroom.Binding, envelope []byte) error {
	return f.locked(func() error { return f.write(at, envelope) })
}

// Fields implements [strongroom.FieldStore].
func (f *folderFields) Fields(_ context.Context, owner, table, record string) ([]strongroom.StoredField, error) {
	return f.found(func(at strongroom.Binding) bool {
		return at.Org == owner && at.Table == table && at.Record == record
	})
}

// Replace implements [strongroom.FieldStore].
func (f *folderFields) Replace(_ context.Context, at strongroom.Binding, old, new []byte) error {
	return f.locked(func() error {
		stored, err := os.ReadFile(f.path(at))
		if errors.Is(err, os.ErrNotExist) || err == nil && !bytes.Equal(stored, old) {
			return strongroom.ErrPreconditionFailed
		}
		if err != nil {
			return err
		}
		return f.write(at, new)
	})
}

// All implements [strongroom.FieldStore].
func (f *folderFields) All(_ context.Context, owner string, visit func(strongroom.StoredField) error) error {
	found, err := f.found(func(at strongroom.Binding) bool { return at.Org == owner })
	for _, field := range found {
		if err := visit(field); err != nil {
			return err
		}
	}
	return err
}

func (f *folderFields) found(is func(strongroom.Binding) bool) ([]strongroom.StoredField, error) {
	entries, err := os.ReadDir(f.folder)
	if err != nil {
		return nil, err
	}
	var found []strongroom.StoredField
	for _, entry := range entries {
		text, err := hex.DecodeString(entry.Name())
		var names [4]string
		// The lock, and what is being written, have other names.
		if err != nil || json.Unmarshal(text, &names) != nil {
			continue
		}
		at := strongroom.Binding{Org: names[0], Table: names[1], Record: names[2], Field: names[3]}
		if !is(at) {
			continue
		}
		envelope, err := os.ReadFile(filepath.Join(f.folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, strongroom.StoredField{Binding: at, Envelope: envelope})
	}
	return found, nil
}

func (f *folderFields) path(at strongroom.Binding) string {
	text, _ := json.Marshal([4]string{at.Org, at.Table, at.Record, at.Field})
	return filepath.Join(f.folder, hex.EncodeToString(text))
}

func (f *folderFields) write(at strongroom.Binding, envelope []byte) error {
	path := f.path(at)
	if err := os.WriteFile(path+".new", envelope, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (f *folderFields) locked(change func() error) error {
	lock := filepath.Join(f.folder, "lock")
	for {
		err := os.Mkdir(lock, 0o700)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrExist) {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	defer os.Remove(lock)
	return change()
}
