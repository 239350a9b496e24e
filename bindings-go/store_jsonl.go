package strongroom

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// JSONLinesStore is a [WrapStore] in one file, a JSON object a line: {"wrap":
// row}, {"active": row}, {"usage": row}, {"delete": {dekRef, reader, keyId}} or
// {"delete_usage": {dekRef}}. The file is only ever appended to, each line is on the
// disk before its call returns, and the last active line of an org and the last usage
// line of a DEK count. Several processes of one machine, in Go, Node or Rust, may use
// a file at once: each reads on where it stopped, and a lock file beside it (its name
// with ".lock") lets one write at a time.
//
// A last line without its line feed was torn by a crash: readers pass over it and
// the next writer cuts it off. Any other line that is none of these is damage, and
// makes every call return ErrStoreUnavailable.
type JSONLinesStore struct {
	path string
	lock sync.Mutex
	// What was read of the file so far, and of which file.
	index *rowIndex
	read  int64
	file  os.FileInfo
}

var _ WrapStore = (*JSONLinesStore)(nil)

// OpenJSONLinesStore opens a file, or makes it with mode 0600 at the first write.
// It returns ErrStoreUnavailable for a file that can't be read.
func OpenJSONLinesStore(path string) (*JSONLinesStore, error) {
	s := &JSONLinesStore{path: path, index: newRowIndex()}
	return s, s.catchUp()
}

// Rows implements [WrapStore].
func (s *JSONLinesStore) Rows(ctx context.Context, ref DekRef, reader string) ([]WrapRow, error) {
	return readLines(ctx, s, func(x *rowIndex) []WrapRow { return x.ofDek(ref, reader) })
}

// RowsByOwner implements [WrapStore].
func (s *JSONLinesStore) RowsByOwner(ctx context.Context, owner string, at *RecordPlace) ([]WrapRow, error) {
	return readLines(ctx, s, func(x *rowIndex) []WrapRow { return x.ofOwner(owner, at) })
}

// RowsByReader implements [WrapStore].
func (s *JSONLinesStore) RowsByReader(ctx context.Context, reader string) ([]WrapRow, error) {
	return readLines(ctx, s, func(x *rowIndex) []WrapRow { return x.ofReader(reader) })
}

// Active implements [WrapStore].
func (s *JSONLinesStore) Active(ctx context.Context, org string) (*ActiveRow, error) {
	return readLines(ctx, s, func(x *rowIndex) *ActiveRow { return x.activeOf(org) })
}

// PutIfAbsent implements [WrapStore].
func (s *JSONLinesStore) PutIfAbsent(ctx context.Context, row WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	return s.write(ctx, func(x *rowIndex) (string, error) {
		vacant, err := x.vacant(&members)
		if !vacant {
			return "", err
		}
		return `{"wrap":` + oneLine(row.text) + `}`, nil
	})
}

// CompareAndSetActive implements [WrapStore].
func (s *JSONLinesStore) CompareAndSetActive(ctx context.Context, row ActiveRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	return s.write(ctx, func(x *rowIndex) (string, error) {
		return `{"active":` + oneLine(row.text) + `}`, x.mayActivate(&members)
	})
}

// Delete implements [WrapStore].
func (s *JSONLinesStore) Delete(ctx context.Context, row WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	return s.write(ctx, func(x *rowIndex) (string, error) {
		if x.rows[keyOf(&members)] == nil {
			return "", nil
		}
		var line strings.Builder
		line.WriteString(`{"delete":{"dekRef":"` + members.DekRef.String() + `","reader":`)
		quote(&line, members.Reader)
		line.WriteString(`,"keyId":`)
		quote(&line, members.KeyID)
		line.WriteString(`}}`)
		return line.String(), nil
	})
}

// Usage implements [WrapStore].
func (s *JSONLinesStore) Usage(ctx context.Context, ref DekRef) (*UsageRow, error) {
	return readLines(ctx, s, func(x *rowIndex) *UsageRow { return x.usageOf(ref) })
}

// Reserve implements [WrapStore].
func (s *JSONLinesStore) Reserve(ctx context.Context, ref DekRef, count, limit uint64) (uint64, error) {
	row, err := s.changeUsage(ctx, ref, func(row *UsageRow) error { return row.reserve(count, limit) })
	return row.Reserved, err
}

// MarkInactive implements [WrapStore].
func (s *JSONLinesStore) MarkInactive(ctx context.Context, ref DekRef, at uint64) (UsageRow, error) {
	return s.changeUsage(ctx, ref, func(row *UsageRow) error { return row.markInactive(at) })
}

// DeleteUsage implements [WrapStore].
func (s *JSONLinesStore) DeleteUsage(ctx context.Context, ref DekRef) error {
	return s.write(ctx, func(x *rowIndex) (string, error) {
		if x.usageOf(ref) == nil {
			return "", nil
		}
		return `{"delete_usage":{"dekRef":"` + ref.String() + `"}}`, nil
	})
}

func (s *JSONLinesStore) changeUsage(ctx context.Context, ref DekRef, change func(*UsageRow) error) (UsageRow, error) {
	var after UsageRow
	err := s.write(ctx, func(x *rowIndex) (string, error) {
		row, err := x.usageAfter(ref, change)
		if err != nil {
			return "", err
		}
		after = row
		if before := x.usageOf(ref); before != nil && *before == row {
			return "", nil
		}
		return `{"usage":` + row.text() + `}`, nil
	})
	if err != nil {
		return UsageRow{}, err
	}
	return after, nil
}

// write lets decide choose a line, under the lock and knowing every line so far,
// and appends it. An empty line means that there is nothing to do.
func (s *JSONLinesStore) write(ctx context.Context, decide func(*rowIndex) (string, error)) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	release, err := lockFile(ctx, s.path+".lock")
	if err != nil {
		return err
	}
	defer release()
	if err := s.catchUp(); err != nil {
		return err
	}
	line, err := decide(s.index)
	if err != nil || line == "" {
		return err
	}
	if err := s.append(line + "\n"); err != nil {
		return unavailable(err)
	}
	return s.catchUp()
}

// append writes one line behind the last complete one. What it can't finish it
// takes back; if even that fails, what is left is a torn line.
func (s *JSONLinesStore) append(line string) error {
	_, err := os.Lstat(s.path)
	made := os.IsNotExist(err)
	file, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Truncate(s.read); err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(line), s.read)
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		_ = file.Truncate(s.read)
		return err
	}
	if made {
		return syncFolder(filepath.Dir(s.path))
	}
	return nil
}

// catchUp reads the lines that were written since it was last called.
func (s *JSONLinesStore) catchUp() error {
	file, err := os.Open(s.path)
	if os.IsNotExist(err) {
		s.restart(nil)
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return unavailable(err)
	}
	if s.file == nil || !os.SameFile(s.file, info) || info.Size() < s.read {
		s.restart(info)
	}
	begun := s.read
	err = s.readOn(file, info.Size())
	if err != nil && begun > 0 {
		// A writer whose fsync failed took back a line that was read here.
		s.restart(info)
		err = s.readOn(file, info.Size())
	}
	if err != nil {
		return fmt.Errorf("%w: %s at byte %d: %w", ErrStoreUnavailable, s.path, s.read, err)
	}
	return nil
}

// readOn takes in the complete lines between what was read and size.
func (s *JSONLinesStore) readOn(file io.ReaderAt, size int64) error {
	tail, err := io.ReadAll(io.NewSectionReader(file, s.read, size-s.read))
	if err != nil {
		return err
	}
	for {
		line, rest, complete := bytes.Cut(tail, []byte{'\n'})
		if !complete {
			return nil
		}
		if err := s.replay(string(line)); err != nil {
			return err
		}
		tail, s.read = rest, s.read+int64(len(line))+1
	}
}

func (s *JSONLinesStore) restart(info os.FileInfo) {
	s.index, s.read, s.file = newRowIndex(), 0, info
}

// replay takes in one line of the file.
func (s *JSONLinesStore) replay(line string) error {
	if text, ok := memberOf(line, "wrap"); ok {
		row := WrapRow{text}
		members, err := row.Members()
		if err != nil {
			return err
		}
		vacant, err := s.index.vacant(&members)
		if vacant {
			s.index.add(row, members)
		}
		return err
	}
	if text, ok := memberOf(line, "active"); ok {
		row := ActiveRow{text}
		members, err := row.Members()
		if err == nil {
			s.index.activate(row, members)
		}
		return err
	}
	if text, ok := memberOf(line, "usage"); ok {
		row, err := readUsage(text)
		if err == nil {
			s.index.usage[row.DekRef] = row
		}
		return err
	}
	if text, ok := memberOf(line, "delete_usage"); ok {
		ref, err := deletedUsage(text)
		if err == nil {
			delete(s.index.usage, ref)
		}
		return err
	}
	if text, ok := memberOf(line, "delete"); ok {
		key, err := deletedKey(text)
		if err == nil {
			s.index.remove(key)
		}
		return err
	}
	return ErrMalformed
}

// memberOf gives the value in {"name":value}; whoever takes it must judge it.
func memberOf(line, name string) (value string, ok bool) {
	value, ok = strings.CutPrefix(line, `{"`+name+`":`)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(value, "}")
}

func deletedKey(text string) (key rowKey, err error) {
	object, err := readJSONObject([]byte(text))
	if err != nil {
		return key, err
	}
	if err := object.ref("dekRef", &key.ref); err != nil {
		return key, err
	}
	if key.reader, err = object.text("reader"); err != nil {
		return key, err
	}
	if key.keyID, err = object.text("keyId"); err != nil {
		return key, err
	}
	return key, object.only("dekRef", "reader", "keyId")
}

func deletedUsage(text string) (ref DekRef, err error) {
	object, err := readJSONObject([]byte(text))
	if err != nil {
		return ref, err
	}
	if err := object.ref("dekRef", &ref); err != nil {
		return ref, err
	}
	return ref, object.only("dekRef")
}

func readLines[T any](ctx context.Context, s *JSONLinesStore, look func(*rowIndex) T) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if err := s.catchUp(); err != nil {
		return none, err
	}
	return look(s.index), nil
}

// oneLine takes the line feeds between the members of a row out. Inside of
// strings JSON has none.
func oneLine(row string) string {
	return strings.NewReplacer("\n", "", "\r", "").Replace(row)
}

func unavailable(cause error) error {
	return fmt.Errorf("%w: %w", ErrStoreUnavailable, cause)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

const fileMode = 0o600
