package strongroom_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
	"strongroom.dev/go/storetest"
)

func TestTheMemoryStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) func() strongroom.WrapStore {
		store := strongroom.NewMemoryStore()
		return func() strongroom.WrapStore { return store }
	})
}

func TestTheJSONLinesStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() strongroom.WrapStore {
		path := filepath.Join(t.TempDir(), "rows.jsonl")
		return func() strongroom.WrapStore { return openLines(t, path) }
	})
}

func TestTheMemoryFieldStoreKeepsTheContract(t *testing.T) {
	storetest.RunFields(t, func(*testing.T) func() storetest.PutFieldStore {
		store := strongroom.NewMemoryFieldStore()
		return func() storetest.PutFieldStore { return store }
	})
}

const wrapLine = `{"wrap":{"v":1,"purpose":"org-dek","owner":"acme","reader":"acme","version":1,"created":1761955200,` +
	`"dekRef":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","provider":"aws-kms",` +
	`"keyId":"arn:aws:kms:us-east-1:000000000000:key/a","blob":"YSB3cmFw"}}`

const activeLine = `{"active":{"org":"acme","dekRef":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",` +
	`"version":1,"state":"active","rev":1}}`

const deleteLine = `{"delete":{"dekRef":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","reader":"acme",` +
	`"keyId":"arn:aws:kms:us-east-1:000000000000:key/a"}}`

const (
	usageLine       = `{"usage":{"dekRef":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","reserved":1024}}`
	inactiveLine    = `{"usage":{"dekRef":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","reserved":1024,"inactiveSince":1761955200}}`
	deleteUsageLine = `{"delete_usage":{"dekRef":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}}`
)

var (
	wrapRow   = strongroom.WrapRowFromJSON([]byte(wrapLine[len(`{"wrap":`) : len(wrapLine)-1]))
	activeRow = strongroom.ActiveRowFromJSON([]byte(activeLine[len(`{"active":`) : len(activeLine)-1]))
)

func TestTheFileHasTheLinesThatEveryHostWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	store := openLines(t, path)
	must(t, store.PutIfAbsent(t.Context(), wrapRow))
	must(t, store.PutIfAbsent(t.Context(), wrapRow))
	must(t, store.CompareAndSetActive(t.Context(), activeRow))
	must(t, store.Delete(t.Context(), wrapRow))
	must(t, store.Delete(t.Context(), wrapRow))
	ref := strongroom.DekRef(bytes.Repeat([]byte{1}, 32))
	must(t, errOf(store.Reserve(t.Context(), ref, 1_024, 1<<32)))
	for range 2 {
		must(t, errOf(store.MarkInactive(t.Context(), ref, 1_761_955_200)))
	}
	for range 2 {
		must(t, store.DeleteUsage(t.Context(), ref))
	}
	want := strings.Join([]string{wrapLine, activeLine, deleteLine, usageLine, inactiveLine, deleteUsageLine}, "\n") + "\n"
	if got := read(t, path); got != want {
		t.Fatalf("the file is\n%s", got)
	}
}

func TestOnlyItsOwnerMayReadTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	must(t, openLines(t, path).PutIfAbsent(t.Context(), wrapRow))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode())
	}
}

func TestALastLineTornAnywhereIsPassedOverAndThenCutOff(t *testing.T) {
	second := strings.Replace(wrapLine, `"acme"`, `"globex"`, 2)
	for torn := range len(second) + 1 {
		path := filepath.Join(t.TempDir(), "rows.jsonl")
		write(t, path, wrapLine+"\n"+second[:torn])
		store := openLines(t, path)
		if rows, err := store.RowsByOwner(t.Context(), "globex", nil); err != nil || len(rows) != 0 {
			t.Fatalf("torn at %d: %d rows, %v", torn, len(rows), err)
		}
		must(t, store.CompareAndSetActive(t.Context(), activeRow))
		if got := read(t, path); got != wrapLine+"\n"+activeLine+"\n" {
			t.Fatalf("torn at %d: the file is\n%s", torn, got)
		}
	}
}

func TestADamagedLineIsNeverSkipped(t *testing.T) {
	for _, damaged := range []string{
		"", " ", "x", "{}", "[]", "null", wrapLine + " ", " " + wrapLine, wrapLine + wrapLine, wrapLine[1:],
		wrapLine[:len(wrapLine)-1], strings.Replace(wrapLine, `{"wrap":`, `{"Wrap":`, 1),
		strings.Replace(wrapLine, `{"wrap":`, `{"wrap":{},"wrap":`, 1), wrapLine[:len(wrapLine)-1] + `,"x":1}`,
		strings.Replace(wrapLine, `"v":1`, `"v":2`, 1), strings.Replace(wrapLine, "YSB3cmFw", "YSB3cmF3", 1),
		strings.Replace(activeLine, `"rev":1`, `"rev":0`, 1), activeLine[:len(activeLine)-1] + `,"x":1}`,
		strings.Replace(deleteLine, `"reader":"acme"`, `"reader":1`, 1), deleteLine[:len(deleteLine)-2] + `,"x":1}}`,
		strings.Replace(deleteLine, `"reader"`, `"Reader"`, 1), strings.Replace(deleteLine, `AQE"`, `AQF"`, 1),
		strings.Replace(deleteLine, `"reader":"acme"`, `"reader":"acme","reader":"acme"`, 1), `{"delete":null}`,
		strings.Replace(usageLine, "1024", "-1", 1), strings.Replace(usageLine, "1024", "1024.0", 1),
		strings.Replace(usageLine, "1024", "9007199254740992", 1), strings.Replace(usageLine, `"reserved"`, `"Reserved"`, 1),
		strings.Replace(inactiveLine, "1761955200", "0", 1), strings.Replace(usageLine, "1024", `1024,"x":1`, 1),
		`{"usage":{}}`, strings.Replace(deleteUsageLine, `AQE"`, `AQE","x":1`, 1), `{"delete_usage":{}}`,
		strings.Replace(deleteLine, `"acme"`, `"\ud800"`, 1), strings.Replace(wrapLine, "acme", "acm\xff", 1),
	} {
		path := filepath.Join(t.TempDir(), "rows.jsonl")
		write(t, path, wrapLine+"\n"+damaged+"\n"+activeLine+"\n")
		if _, err := strongroom.OpenJSONLinesStore(path); !errors.Is(err, strongroom.ErrStoreUnavailable) {
			t.Errorf("%q: %v", damaged, err)
		}
		before := read(t, path)
		write(t, path, wrapLine+"\n")
		store := openLines(t, path)
		write(t, path, before)
		if _, err := store.Active(t.Context(), "acme"); !errors.Is(err, strongroom.ErrStoreUnavailable) {
			t.Errorf("%q: read: %v", damaged, err)
		}
		if err := store.CompareAndSetActive(t.Context(), activeRow); !errors.Is(err, strongroom.ErrStoreUnavailable) {
			t.Errorf("%q: write: %v", damaged, err)
		}
		if read(t, path) != before {
			t.Errorf("%q: the file was changed", damaged)
		}
	}
}

func TestAFileThatWasReplacedOrCutIsReadFromItsBeginning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	write(t, path, wrapLine+"\n"+activeLine+"\n")
	store := openLines(t, path)
	write(t, path+".new", activeLine+"\n")
	must(t, os.Rename(path+".new", path))
	if rows, err := store.RowsByOwner(t.Context(), "acme", nil); err != nil || len(rows) != 0 {
		t.Fatalf("replaced: %d rows, %v", len(rows), err)
	}
	must(t, os.Truncate(path, 0))
	if row, err := store.Active(t.Context(), "acme"); err != nil || row != nil {
		t.Fatalf("cut: %v, %v", row, err)
	}
	must(t, os.Remove(path))
	must(t, store.PutIfAbsent(t.Context(), wrapRow))
	if got := read(t, path); got != wrapLine+"\n" {
		t.Fatalf("the file is\n%s", got)
	}
}

func TestAStoreWithoutItsFolderIsUnavailable(t *testing.T) {
	store := openLines(t, filepath.Join(t.TempDir(), "none", "rows.jsonl"))
	if err := store.PutIfAbsent(t.Context(), wrapRow); !errors.Is(err, strongroom.ErrStoreUnavailable) {
		t.Fatal(err)
	}
	if _, err := strongroom.OpenJSONLinesStore(t.TempDir()); !errors.Is(err, strongroom.ErrStoreUnavailable) {
		t.Fatal(err)
	}
}

func TestALockThatIsHeldIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	store := openLines(t, path)
	held := fmt.Sprintf("%d 0011223344556677\n", os.Getpid())
	write(t, path+".lock", held)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := store.PutIfAbsent(ctx, wrapRow); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if read(t, path+".lock") != held {
		t.Fatal("the lock was touched")
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = os.Remove(path + ".lock") })
	must(t, store.PutIfAbsent(t.Context(), wrapRow))
	if _, err := os.Stat(path + ".lock"); !os.IsNotExist(err) {
		t.Fatal("the lock was left", err)
	}
}

func TestALockThatIsAnothersByNowStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl.lock")
	release, err := strongroom.LockFile(t.Context(), path)
	must(t, err)
	others := "1 0011223344556677\n"
	write(t, path, others)
	release()
	if read(t, path) != others {
		t.Fatal("another's lock was touched")
	}
}

func TestALockWithoutAMakerIsBrokenOnlyWhenItIsOld(t *testing.T) {
	for _, content := range []string{"", "12", "x y\n", "0 0\n", "-1 0\n"} {
		path := filepath.Join(t.TempDir(), "rows.jsonl")
		store := openLines(t, path)
		write(t, path+".lock", content)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := store.PutIfAbsent(ctx, wrapRow); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%q: %v", content, err)
		}
		cancel()
		old := time.Now().Add(-time.Minute)
		must(t, os.Chtimes(path+".lock", old, old))
		must(t, store.PutIfAbsent(t.Context(), wrapRow))
	}
}

func TestTheLockOfAProcessThatIsGoneIsBroken(t *testing.T) {
	gone := exec.Command("true")
	must(t, gone.Run())
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	write(t, path+".lock", fmt.Sprintf("%d 0011223344556677\n", gone.ProcessState.Pid()))
	// A breaker that is gone too.
	write(t, path+".lock.break", "")
	old := time.Now().Add(-time.Minute)
	must(t, os.Chtimes(path+".lock.break", old, old))
	must(t, openLines(t, path).PutIfAbsent(t.Context(), wrapRow))
}

// TestProcessesThatWriteAtOnceLoseNothing starts this test binary several times;
// one of the processes is killed in the middle of its work.
func TestProcessesThatWriteAtOnceLoseNothing(t *testing.T) {
	if path := os.Getenv("STRONGROOM_TEST_STORE"); path != "" {
		writeAsOneOfMany(t, path, os.Getenv("STRONGROOM_TEST_OWNER"))
		return
	}
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	var group sync.WaitGroup
	for i := range 4 {
		process := exec.Command(os.Args[0], "-test.run=^TestProcessesThatWriteAtOnceLoseNothing$")
		process.Env = append(os.Environ(), "STRONGROOM_TEST_STORE="+path, fmt.Sprintf("STRONGROOM_TEST_OWNER=org-%d", i))
		must(t, process.Start())
		if i == 3 {
			time.AfterFunc(150*time.Millisecond, func() { _ = process.Process.Kill() })
		}
		group.Add(1)
		go func() {
			defer group.Done()
			if err := process.Wait(); err != nil && i != 3 {
				t.Errorf("process %d: %v", i, err)
			}
		}()
	}
	group.Wait()
	store := openLines(t, path)
	for i := range 3 {
		rows, err := store.RowsByOwner(t.Context(), fmt.Sprintf("org-%d", i), nil)
		if err != nil || len(rows) != rowsEach {
			t.Errorf("process %d: %d rows, %v", i, len(rows), err)
		}
	}
	must(t, store.PutIfAbsent(t.Context(), wrapRow))
}

func writeAsOneOfMany(t *testing.T, path, owner string) {
	store := openLines(t, path)
	for i := range rowsEach {
		row := strings.ReplaceAll(wrapRow.JSON(), "acme", owner)
		row = strings.Replace(row, "key/a", fmt.Sprintf("key/%d", i), 1)
		must(t, store.PutIfAbsent(t.Context(), strongroom.WrapRowFromJSON([]byte(row))))
	}
}

const rowsEach = 40

func openLines(t *testing.T, path string) *strongroom.JSONLinesStore {
	t.Helper()
	store, err := strongroom.OpenJSONLinesStore(path)
	must(t, err)
	return store
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
