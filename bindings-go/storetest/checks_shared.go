package storetest

import (
	"errors"
	"sync"
	"sync/atomic"

	strongroom "strongroom.dev/go"
)

var sharedChecks = []check{
	{"another handle sees every row", func(p *probe) {
		row, shared, now := orgDek(1, "acme"), share(2, "acme", "globex", "hosts", "h-1"), active("acme", 1, 1)
		p.put(row, shared)
		p.set(now)
		p.store = p.open()
		p.owned("acme", nil, row, shared)
		p.readable("globex", shared)
		p.active("acme", &now)
	}},
	{"another handle sees no deleted row", func(p *probe) {
		row, kept := orgDek(1, "acme"), orgDek(2, "acme")
		p.put(row, kept)
		p.want(nil, p.store.Delete(p.Context(), row))
		p.store = p.open()
		p.owned("acme", nil, kept)
	}},
	{"another handle refuses a conflict", func(p *probe) {
		p.put(orgDek(1, "acme"))
		p.set(active("acme", 1, 1))
		p.store = p.open()
		p.want(strongroom.ErrPreconditionFailed, p.store.PutIfAbsent(p.Context(), rowOf(spec{ref: 1, blob: "x"})))
		p.want(strongroom.ErrPreconditionFailed, p.store.CompareAndSetActive(p.Context(), active("acme", 2, 1)))
		p.set(active("acme", 2, 2))
	}},
	{"two handles see what the other writes meanwhile", func(p *probe) {
		here, there := p.store, p.open()
		first, second := orgDek(1, "acme"), orgDek(2, "acme")
		p.put(first)
		p.store = there
		p.rows(ref(1), "acme", first)
		p.put(second)
		p.want(nil, there.Delete(p.Context(), first))
		p.store = here
		p.owned("acme", nil, second)
		p.set(active("acme", 1, 1))
		p.want(strongroom.ErrPreconditionFailed, there.CompareAndSetActive(p.Context(), active("acme", 9, 1)))
	}},
	{"of many who set the same rev one wins", func(p *probe) {
		for rev := uint64(1); rev <= 5; rev++ {
			var won atomic.Int32
			race(p, func(store strongroom.WrapStore, i int) error {
				err := store.CompareAndSetActive(p.Context(), active("acme", byte(i+1), rev))
				if err == nil {
					won.Add(1)
				}
				return except(err, strongroom.ErrPreconditionFailed)
			})
			if won.Load() != 1 {
				p.Fatalf("rev %d: %d winners", rev, won.Load())
			}
		}
	}},
	{"of many who put different rows under one key one wins", func(p *probe) {
		var won atomic.Int32
		race(p, func(store strongroom.WrapStore, i int) error {
			err := store.PutIfAbsent(p.Context(), rowOf(spec{ref: 1, blob: string(rune('a' + i))}))
			if err == nil {
				won.Add(1)
			}
			return except(err, strongroom.ErrPreconditionFailed)
		})
		rows, err := p.store.Rows(p.Context(), ref(1), "acme")
		if won.Load() != 1 || err != nil || len(rows) != 1 {
			p.Fatalf("%d winners, %d rows, %v", won.Load(), len(rows), err)
		}
	}},
	{"many who put the same row all succeed", func(p *probe) {
		row := orgDek(1, "acme")
		race(p, func(store strongroom.WrapStore, _ int) error { return store.PutIfAbsent(p.Context(), row) })
		p.owned("acme", nil, row)
	}},
	{"many who put and delete rows of their own lose none", func(p *probe) {
		race(p, func(store strongroom.WrapStore, i int) error {
			kept, gone := orgDek(byte(2*i), "acme"), orgDek(byte(2*i+1), "acme")
			err := errors.Join(store.PutIfAbsent(p.Context(), gone), store.PutIfAbsent(p.Context(), kept))
			_, read := store.RowsByOwner(p.Context(), "acme", nil)
			return errors.Join(err, read, store.Delete(p.Context(), gone))
		})
		p.store = p.open()
		rows, err := p.store.RowsByOwner(p.Context(), "acme", nil)
		if err != nil || len(rows) != racers {
			p.Fatalf("%d rows, %v", len(rows), err)
		}
		for i := range racers {
			p.rows(ref(byte(2*i)), "acme", orgDek(byte(2*i), "acme"))
			p.rows(ref(byte(2*i+1)), "acme")
		}
	}},
}

// race lets many goroutines work at once, half of them through a handle of their own.
func race(p *probe, work func(store strongroom.WrapStore, i int) error) {
	p.Helper()
	var group sync.WaitGroup
	start := make(chan struct{})
	failures := make([]error, racers)
	for i := range racers {
		store := p.store
		if i%2 == 1 {
			store = p.open()
		}
		group.Add(1)
		go func() {
			defer group.Done()
			<-start
			failures[i] = work(store, i)
		}()
	}
	close(start)
	group.Wait()
	p.want(nil, errors.Join(failures...))
}

func except(err, allowed error) error {
	if errors.Is(err, allowed) {
		return nil
	}
	return err
}

const racers = 16
