// Package storetest holds the contract that every [strongroom.WrapStore] must keep.
//
// A store's own test calls [Run] once:
//
//	func TestTheStoreKeepsTheContract(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) func() strongroom.WrapStore {
//			place := t.TempDir()
//			return func() strongroom.WrapStore { return open(place) }
//		})
//	}
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	strongroom "strongroom.dev/go"
)

// Run runs the contract. fresh makes an empty place for rows and gives what opens
// it: every store that open returns must see the same rows, as if it were another
// process. A store that lives in memory is returned again.
func Run(t *testing.T, fresh func(t *testing.T) (open func() strongroom.WrapStore)) {
	t.Helper()
	for _, check := range slices.Concat(rowChecks, activeChecks, deleteChecks, usageChecks, sharedChecks) {
		t.Run(check.name, func(t *testing.T) {
			open := fresh(t)
			check.run(&probe{t, open(), open})
		})
	}
}

type check struct {
	name string
	run  func(*probe)
}

// probe asks a store and compares.
type probe struct {
	*testing.T
	store strongroom.WrapStore
	open  func() strongroom.WrapStore
}

func (p *probe) put(rows ...strongroom.WrapRow) {
	p.Helper()
	for _, row := range rows {
		p.want(nil, p.store.PutIfAbsent(p.Context(), row))
	}
}

func (p *probe) set(rows ...strongroom.ActiveRow) {
	p.Helper()
	for _, row := range rows {
		p.want(nil, p.store.CompareAndSetActive(p.Context(), row))
	}
}

func (p *probe) want(want, got error) {
	p.Helper()
	if !errors.Is(got, want) {
		p.Fatalf("got %v, want %v", got, want)
	}
}

// rows, owned and readable compare what a query gives with rows, in order.

func (p *probe) rows(ref strongroom.DekRef, reader string, want ...strongroom.WrapRow) {
	p.Helper()
	got, err := p.store.Rows(p.Context(), ref, reader)
	p.same(want, got, err)
}

func (p *probe) owned(owner string, at *strongroom.RecordPlace, want ...strongroom.WrapRow) {
	p.Helper()
	got, err := p.store.RowsByOwner(p.Context(), owner, at)
	p.same(want, got, err)
}

func (p *probe) readable(reader string, want ...strongroom.WrapRow) {
	p.Helper()
	got, err := p.store.RowsByReader(p.Context(), reader)
	p.same(want, got, err)
}

func (p *probe) active(org string, want *strongroom.ActiveRow) {
	p.Helper()
	got, err := p.store.Active(p.Context(), org)
	p.want(nil, err)
	if (got == nil) != (want == nil) {
		p.Fatalf("active is %v, want %v", got, want)
	}
	if got == nil {
		return
	}
	left, err := got.Members()
	p.want(nil, err)
	right, err := want.Members()
	p.want(nil, err)
	if left != right {
		p.Fatalf("active is %v, want %v", left, right)
	}
}

func (p *probe) same(want, got []strongroom.WrapRow, err error) {
	p.Helper()
	p.want(nil, err)
	if len(got) != len(want) {
		p.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if canonical(p.T, got[i]) != canonical(p.T, want[i]) {
			p.Fatalf("row %d is\n%s, want\n%s", i, got[i].JSON(), want[i].JSON())
		}
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
