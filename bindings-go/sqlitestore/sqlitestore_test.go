package sqlitestore_test

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	strongroom "strongroom.dev/go"
	"strongroom.dev/go/sqlitestore"
	"strongroom.dev/go/storetest"
)

func open(t *testing.T, path string) *sqlitestore.Store {
	t.Helper()
	store, err := sqlitestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func TestTheStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() strongroom.WrapStore {
		path := filepath.Join(t.TempDir(), "odd ?#%41 name.db")
		return func() strongroom.WrapStore { return open(t, path) }
	})
}

func TestTheStoreKeepsTheContractOfFields(t *testing.T) {
	storetest.RunFields(t, func(t *testing.T) func() storetest.PutFieldStore {
		path := filepath.Join(t.TempDir(), "store.db")
		return func() storetest.PutFieldStore { return open(t, path) }
	})
}

func TestTheFileIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	store := open(t, path)
	if err := store.PutIfAbsent(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", suffix, info, err)
		}
	}
}

func TestAFileThatIsNoStoreIsRefusedAndLeftAlone(t *testing.T) {
	for name, change := range map[string]string{
		"a later layout":          "PRAGMA user_version = 2",
		"no layout":               "PRAGMA user_version = 0",
		"another application":     "PRAGMA application_id = 1",
		"no application":          "PRAGMA application_id = 0",
		"another program's table": "PRAGMA application_id = 0; PRAGMA user_version = 0; CREATE TABLE theirs (x)",
	} {
		path := filepath.Join(t.TempDir(), "store.db")
		open(t, path).Close()
		by(t, path, change)
		if _, err := sqlitestore.Open(path); !errors.Is(err, strongroom.ErrStoreUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, t.TempDir(), "/nowhere/store.db"} {
		if _, err := sqlitestore.Open(path); !errors.Is(err, strongroom.ErrStoreUnavailable) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestALockedFileIsUnavailableAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	store := open(t, path)
	if err := store.PutIfAbsent(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Reserve(t.Context(), dek, 5, 10); err != nil {
		t.Fatal(err)
	}
	db := raw(t, path)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Reserve(t.Context(), dek, 1, 10); !errors.Is(err, strongroom.ErrStoreUnavailable) {
		t.Fatal(err)
	}
	if rows, err := store.Rows(t.Context(), dek, "acme"); err != nil || len(rows) != 1 {
		t.Fatalf("reading waits for no writer: %v, %v", rows, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if sum, err := store.Reserve(t.Context(), dek, 1, 10); err != nil || sum != 6 {
		t.Fatalf("%d, %v", sum, err)
	}
}

func TestADamagedRowIsAnErrorAndNoAnswer(t *testing.T) {
	for _, damage := range []string{
		"UPDATE strongroom_wraps SET row = '{}'",
		"UPDATE strongroom_wraps SET row = replace(row, '\"owner\":\"acme\",\"reader\":\"acme\"', '\"owner\":\"globex\",\"reader\":\"globex\"')",
		"UPDATE strongroom_wraps SET row = replace(row, 'AAAA', 'BAAA')",
		"UPDATE strongroom_active SET row = ''",
		"UPDATE strongroom_active SET row = replace(row, 'acme', 'evil')",
		"UPDATE strongroom_active SET rev = 7",
		"UPDATE strongroom_usage SET reserved = -1",
		"UPDATE strongroom_usage SET inactive_since = 0",
		"UPDATE strongroom_fields SET revision = '01'",
		"UPDATE strongroom_fields SET revision = 'x'",
		"DROP TABLE strongroom_usage",
	} {
		path := filepath.Join(t.TempDir(), "store.db")
		store := open(t, path)
		at := strongroom.Binding{Org: "acme", Table: "t", Record: "r", Field: "f"}
		_, reserve := store.Reserve(t.Context(), dek, 1, 2)
		err := errors.Join(store.PutIfAbsent(t.Context(), row), store.CompareAndSetActive(t.Context(), active),
			reserve, store.Put(t.Context(), at, []byte{1}))
		if err != nil {
			t.Fatal(err)
		}
		if err := readAll(t, store); err != nil {
			t.Fatal(err)
		}
		by(t, path, damage)
		if err := readAll(t, store); !errors.Is(err, strongroom.ErrStoreUnavailable) {
			t.Errorf("%s: %v", damage, err)
		}
	}
}

func TestARowMovedToAnotherKeyIsNotReturned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	store := open(t, path)
	if err := store.PutIfAbsent(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	by(t, path, "UPDATE strongroom_wraps SET reader = 'globex', owner = 'globex'")
	if rows, err := store.Rows(t.Context(), dek, "globex"); !errors.Is(err, strongroom.ErrStoreUnavailable) {
		t.Errorf("%v, %v", rows, err)
	}
	if rows, err := store.RowsByOwner(t.Context(), "globex", nil); !errors.Is(err, strongroom.ErrStoreUnavailable) {
		t.Errorf("%v, %v", rows, err)
	}
	if rows, err := store.RowsByReader(t.Context(), "globex"); !errors.Is(err, strongroom.ErrStoreUnavailable) {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	store := open(t, filepath.Join(t.TempDir(), "store.db"))
	store.Close()
	if err := readAll(t, store); !errors.Is(err, strongroom.ErrStoreUnavailable) {
		t.Fatal(err)
	}
}

// TestTwoProcessesOnOneFileReserveNoneTooMany runs this test binary several times at once.
func TestTwoProcessesOnOneFileReserveNoneTooMany(t *testing.T) {
	if path := os.Getenv("STRONGROOM_TEST_FILE"); path != "" {
		store := open(t, path)
		for reserved := 0; ; reserved++ {
			if _, err := store.Reserve(t.Context(), dek, 1, 200); errors.Is(err, strongroom.ErrPreconditionFailed) {
				os.Stdout.WriteString("reserved " + strconv.Itoa(reserved) + "\n")
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "store.db")
	var group sync.WaitGroup
	sums := make(chan int, 3)
	for range cap(sums) {
		group.Add(1)
		go func() {
			defer group.Done()
			process := exec.Command(os.Args[0], "-test.run=^TestTwoProcessesOnOneFileReserveNoneTooMany$")
			process.Env = append(os.Environ(), "STRONGROOM_TEST_FILE="+path)
			out, err := process.CombinedOutput()
			_, after, _ := strings.Cut(string(out), "reserved ")
			count, _, _ := strings.Cut(after, "\n")
			sum, bad := strconv.Atoi(count)
			if err != nil || bad != nil {
				t.Errorf("%v: %s", err, out)
			}
			sums <- sum
		}()
	}
	group.Wait()
	close(sums)
	total := 0
	for sum := range sums {
		total += sum
	}
	if total != 200 {
		t.Fatalf("%d were reserved", total)
	}
}

func readAll(t *testing.T, store *sqlitestore.Store) error {
	_, rows := store.Rows(t.Context(), dek, "acme")
	_, active := store.Active(t.Context(), "acme")
	_, usage := store.Usage(t.Context(), dek)
	_, fields := store.Fields(t.Context(), "acme", "t", "r")
	return errors.Join(rows, active, usage, fields)
}

func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func by(t *testing.T, path, change string) {
	t.Helper()
	if _, err := raw(t, path).Exec(change); err != nil {
		t.Fatal(err)
	}
}

var (
	dek    strongroom.DekRef
	row    = strongroom.WrapRowFromJSON([]byte(`{"v":1,"purpose":"org-dek","owner":"acme","reader":"acme","version":1,"created":1,"dekRef":"` + dek.String() + `","provider":"aws-kms","keyId":"arn:aws:kms:us-east-1:000000000000:key/a","blob":"AQ=="}`))
	active = strongroom.ActiveRowFromJSON([]byte(`{"org":"acme","dekRef":"` + dek.String() + `","version":1,"state":"active","rev":1}`))
)
