package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	strongroom "strongroom.dev/go"
	"strongroom.dev/go/storetest"
)

// broken are stores with one fault each, and a check that must find it.
var broken = []struct {
	finds string
	make  func(*strongroom.MemoryStore) strongroom.WrapStore
}{
	{"another blob under the same key is refused",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &lastWins{s} }},
	{"a row is not found for another reader",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &anyReader{s} }},
	{"a record's rows are no other record's, table's or owner's",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &anyPlace{s} }},
	{"rows come in the order in which they were put",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &reversed{s} }},
	{"a rev that jumps is refused",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &anyRev{s, nil} }},
	{"deleting a row that is not there succeeds",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &strictDelete{s} }},
	{"a deleted row is found in no way",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &noDelete{s} }},
	{"a sum above the limit is refused and changes nothing",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &noLimit{s} }},
	{"since when a DEK is inactive is noted once",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &lastMark{s} }},
	{"a context that is over changes nothing",
		func(s *strongroom.MemoryStore) strongroom.WrapStore { return &deaf{s} }},
}

// TestTheContractFindsAFault runs this test binary on each broken store.
func TestTheContractFindsAFault(t *testing.T) {
	if at, err := strconv.Atoi(os.Getenv("STRONGROOM_TEST_BROKEN")); err == nil {
		storetest.Run(t, func(*testing.T) func() strongroom.WrapStore {
			store := broken[at].make(strongroom.NewMemoryStore())
			return func() strongroom.WrapStore { return store }
		})
		return
	}
	for at, fault := range broken {
		process := exec.Command(os.Args[0], "-test.run=^TestTheContractFindsAFault$")
		process.Env = append(os.Environ(), "STRONGROOM_TEST_BROKEN="+strconv.Itoa(at))
		out, err := process.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "/"+strings.ReplaceAll(fault.finds, " ", "_")) {
			t.Errorf("%s: %v\n%s", fault.finds, err, out)
		}
	}
}

type lastWins struct{ *strongroom.MemoryStore }

func (s *lastWins) PutIfAbsent(ctx context.Context, row strongroom.WrapRow) error {
	_ = s.Delete(ctx, row)
	return s.MemoryStore.PutIfAbsent(ctx, row)
}

type anyReader struct{ *strongroom.MemoryStore }

func (s *anyReader) Rows(ctx context.Context, ref strongroom.DekRef, _ string) ([]strongroom.WrapRow, error) {
	return s.MemoryStore.Rows(ctx, ref, "acme")
}

type anyPlace struct{ *strongroom.MemoryStore }

func (s *anyPlace) RowsByOwner(ctx context.Context, owner string, _ *strongroom.RecordPlace) ([]strongroom.WrapRow, error) {
	return s.MemoryStore.RowsByOwner(ctx, owner, nil)
}

type reversed struct{ *strongroom.MemoryStore }

func (s *reversed) RowsByOwner(ctx context.Context, owner string, at *strongroom.RecordPlace) ([]strongroom.WrapRow, error) {
	rows, err := s.MemoryStore.RowsByOwner(ctx, owner, at)
	slices.Reverse(rows)
	return rows, err
}

type anyRev struct {
	*strongroom.MemoryStore
	row *strongroom.ActiveRow
}

func (s *anyRev) CompareAndSetActive(_ context.Context, row strongroom.ActiveRow) error {
	s.row = &row
	return nil
}

func (s *anyRev) Active(context.Context, string) (*strongroom.ActiveRow, error) { return s.row, nil }

type strictDelete struct{ *strongroom.MemoryStore }

func (s *strictDelete) Delete(ctx context.Context, row strongroom.WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	if rows, _ := s.Rows(ctx, members.DekRef, members.Reader); len(rows) == 0 {
		return strongroom.ErrPreconditionFailed
	}
	return s.MemoryStore.Delete(ctx, row)
}

type noDelete struct{ *strongroom.MemoryStore }

func (*noDelete) Delete(context.Context, strongroom.WrapRow) error { return nil }

type noLimit struct{ *strongroom.MemoryStore }

func (s *noLimit) Reserve(ctx context.Context, ref strongroom.DekRef, count, limit uint64) (uint64, error) {
	if count == 0 || limit > 1<<53-1 {
		return 0, strongroom.ErrBadInput
	}
	return s.MemoryStore.Reserve(ctx, ref, min(count, 1_000), 1<<40)
}

type lastMark struct{ *strongroom.MemoryStore }

func (s *lastMark) MarkInactive(ctx context.Context, ref strongroom.DekRef, at uint64) (strongroom.UsageRow, error) {
	_ = s.DeleteUsage(ctx, ref)
	return s.MemoryStore.MarkInactive(ctx, ref, at)
}

type deaf struct{ *strongroom.MemoryStore }

func (s *deaf) PutIfAbsent(_ context.Context, row strongroom.WrapRow) error {
	return s.MemoryStore.PutIfAbsent(context.Background(), row)
}
