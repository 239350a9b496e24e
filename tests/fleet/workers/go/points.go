package main

import (
	"context"
	"os"
	"syscall"

	strongroom "strongroom.dev/go"
)

// points ends the process by SIGKILL once the armed call has taken effect.
type points struct {
	at   string
	left int
}

func (p *points) arm(at string, n int) { p.at, p.left = at, n }

func (p *points) passed(at string) {
	if p.at != at {
		return
	}
	if p.left--; p.left > 0 {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	// The signal comes before anything else is done.
	select {}
}

type countedKms struct {
	strongroom.Kms
	points *points
	calls  int
}

func (k *countedKms) Send(ctx context.Context, r strongroom.KmsRequest, plaintext []byte) (strongroom.KmsReply, error) {
	k.calls++
	reply, err := k.Kms.Send(ctx, r, plaintext)
	k.points.passed("kms." + r.Op)
	return reply, err
}

type watchedFields struct {
	*folderFields
	points *points
}

func (f *watchedFields) Replace(ctx context.Context, at strongroom.Binding, old, new []byte) error {
	err := f.folderFields.Replace(ctx, at, old, new)
	f.points.passed("fields.replace")
	return err
}

// watchedStore is the store, whose calls are points, and which can be away.
type watchedStore struct {
	strongroom.WrapStore
	points *points
	down   bool
}

func (s *watchedStore) failure() error {
	if s.down {
		return strongroom.ErrStoreUnavailable
	}
	return nil
}

func (s *watchedStore) Rows(ctx context.Context, ref strongroom.DekRef, reader string) ([]strongroom.WrapRow, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.WrapStore.Rows(ctx, ref, reader)
}

func (s *watchedStore) RowsByOwner(ctx context.Context, owner string, at *strongroom.RecordPlace) ([]strongroom.WrapRow, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.WrapStore.RowsByOwner(ctx, owner, at)
}

func (s *watchedStore) Active(ctx context.Context, org string) (*strongroom.ActiveRow, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.WrapStore.Active(ctx, org)
}

func (s *watchedStore) PutIfAbsent(ctx context.Context, row strongroom.WrapRow) error {
	if err := s.failure(); err != nil {
		return err
	}
	err := s.WrapStore.PutIfAbsent(ctx, row)
	s.points.passed("store.putIfAbsent")
	return err
}

func (s *watchedStore) CompareAndSetActive(ctx context.Context, row strongroom.ActiveRow) error {
	if err := s.failure(); err != nil {
		return err
	}
	err := s.WrapStore.CompareAndSetActive(ctx, row)
	s.points.passed("store.compareAndSetActive")
	return err
}

func (s *watchedStore) Delete(ctx context.Context, row strongroom.WrapRow) error {
	if err := s.failure(); err != nil {
		return err
	}
	err := s.WrapStore.Delete(ctx, row)
	s.points.passed("store.delete")
	return err
}

func (s *watchedStore) Reserve(ctx context.Context, ref strongroom.DekRef, count, limit uint64) (uint64, error) {
	if err := s.failure(); err != nil {
		return 0, err
	}
	sum, err := s.WrapStore.Reserve(ctx, ref, count, limit)
	s.points.passed("store.reserve")
	return sum, err
}

func (s *watchedStore) MarkInactive(ctx context.Context, ref strongroom.DekRef, at uint64) (strongroom.UsageRow, error) {
	if err := s.failure(); err != nil {
		return strongroom.UsageRow{}, err
	}
	row, err := s.WrapStore.MarkInactive(ctx, ref, at)
	s.points.passed("store.markInactive")
	return row, err
}

func (s *watchedStore) DeleteUsage(ctx context.Context, ref strongroom.DekRef) error {
	if err := s.failure(); err != nil {
		return err
	}
	err := s.WrapStore.DeleteUsage(ctx, ref)
	s.points.passed("store.deleteUsage")
	return err
}
