package storetest

import (
	"sync/atomic"

	strongroom "strongroom.dev/go"
)

const most = 1<<53 - 1

func (p *probe) reserve(fill byte, count, limit, sum uint64) {
	p.Helper()
	got, err := p.store.Reserve(p.Context(), ref(fill), count, limit)
	p.want(nil, err)
	if got != sum {
		p.Fatalf("%d reserved, want %d", got, sum)
	}
}

func (p *probe) usage(fill byte, want *strongroom.UsageRow) {
	p.Helper()
	got, err := p.store.Usage(p.Context(), ref(fill))
	p.want(nil, err)
	if (got == nil) != (want == nil) || got != nil && *got != *want {
		p.Fatalf("usage is %v, want %v", got, want)
	}
}

var usageChecks = []check{
	{"a DEK that nobody reserved under has no usage row", func(p *probe) {
		p.usage(1, nil)
		p.put(orgDek(1, "acme"))
		p.set(active("acme", 1, 1))
		p.usage(1, nil)
	}},
	{"seals are summed up for each DEK", func(p *probe) {
		p.reserve(1, 1_024, 1<<32, 1_024)
		p.reserve(1, 2_048, 1<<32, 3_072)
		p.reserve(2, 7, 1<<32, 7)
		p.usage(1, &strongroom.UsageRow{DekRef: ref(1), Reserved: 3_072})
		p.usage(2, &strongroom.UsageRow{DekRef: ref(2), Reserved: 7})
		p.usage(3, nil)
	}},
	{"the limit itself may be reached", func(p *probe) {
		p.reserve(1, 5, 5, 5)
		p.reserve(2, most, most, most)
	}},
	{"a sum above the limit is refused and changes nothing", func(p *probe) {
		p.reserve(1, 4, 5, 4)
		for _, count := range []uint64{2, 5, 6, most, 1<<64 - 1} {
			_, err := p.store.Reserve(p.Context(), ref(1), count, 5)
			p.want(strongroom.ErrPreconditionFailed, err)
		}
		p.usage(1, &strongroom.UsageRow{DekRef: ref(1), Reserved: 4})
		p.reserve(1, 1, 5, 5)
		_, err := p.store.Reserve(p.Context(), ref(1), 1, 5)
		p.want(strongroom.ErrPreconditionFailed, err)
	}},
	{"a limit that is already passed refuses everything", func(p *probe) {
		p.reserve(1, 100, 100, 100)
		_, err := p.store.Reserve(p.Context(), ref(1), 1, 50)
		p.want(strongroom.ErrPreconditionFailed, err)
	}},
	{"a first reservation above the limit makes no row", func(p *probe) {
		_, err := p.store.Reserve(p.Context(), ref(1), 6, 5)
		p.want(strongroom.ErrPreconditionFailed, err)
		p.usage(1, nil)
	}},
	{"no seals, and a limit that no number holds, are bad input", func(p *probe) {
		for _, c := range [][2]uint64{{0, 5}, {1, most + 1}, {1, 1<<64 - 1}} {
			_, err := p.store.Reserve(p.Context(), ref(1), c[0], c[1])
			p.want(strongroom.ErrBadInput, err)
		}
		p.usage(1, nil)
	}},
	{"since when a DEK is inactive is noted once", func(p *probe) {
		for _, at := range []uint64{500, 400, 600} {
			row, err := p.store.MarkInactive(p.Context(), ref(1), at)
			p.want(nil, err)
			if want := (strongroom.UsageRow{DekRef: ref(1), InactiveSince: 500}); row != want {
				p.Fatalf("row is %v, want %v", row, want)
			}
		}
		p.usage(2, nil)
	}},
	{"reserving and noting leave each other alone", func(p *probe) {
		p.reserve(1, 3, 9, 3)
		_, err := p.store.MarkInactive(p.Context(), ref(1), 500)
		p.want(nil, err)
		p.reserve(1, 3, 9, 6)
		p.usage(1, &strongroom.UsageRow{DekRef: ref(1), Reserved: 6, InactiveSince: 500})
	}},
	{"a second that is none is bad input", func(p *probe) {
		for _, at := range []uint64{0, most + 1} {
			_, err := p.store.MarkInactive(p.Context(), ref(1), at)
			p.want(strongroom.ErrBadInput, err)
		}
		p.usage(1, nil)
	}},
	{"a deleted usage row is gone, and only that one", func(p *probe) {
		p.reserve(1, 3, 9, 3)
		p.reserve(2, 4, 9, 4)
		p.put(orgDek(1, "acme"))
		p.want(nil, p.store.DeleteUsage(p.Context(), ref(1)))
		p.want(nil, p.store.DeleteUsage(p.Context(), ref(1)))
		p.usage(1, nil)
		p.usage(2, &strongroom.UsageRow{DekRef: ref(2), Reserved: 4})
		p.rows(ref(1), "acme", orgDek(1, "acme"))
	}},
	{"deleting a wrap row leaves its usage row", func(p *probe) {
		p.put(orgDek(1, "acme"))
		p.reserve(1, 3, 9, 3)
		p.want(nil, p.store.Delete(p.Context(), orgDek(1, "acme")))
		p.usage(1, &strongroom.UsageRow{DekRef: ref(1), Reserved: 3})
	}},
	{"usage rows are seen by whoever opens the place anew", func(p *probe) {
		p.reserve(1, 3, 9, 3)
		p.reserve(2, 3, 9, 3)
		_, err := p.store.MarkInactive(p.Context(), ref(1), 500)
		p.want(nil, err)
		p.want(nil, p.store.DeleteUsage(p.Context(), ref(2)))
		p.store = p.open()
		p.usage(1, &strongroom.UsageRow{DekRef: ref(1), Reserved: 3, InactiveSince: 500})
		p.usage(2, nil)
	}},
	{"of many who reserve at once none is lost and the limit holds", func(p *probe) {
		var granted atomic.Uint64
		race(p, func(store strongroom.WrapStore, _ int) error {
			for range 10 {
				_, err := store.Reserve(p.Context(), ref(1), 3, 300)
				if err == nil {
					granted.Add(3)
				} else if err := except(err, strongroom.ErrPreconditionFailed); err != nil {
					return err
				}
			}
			return nil
		})
		if granted.Load() != 300 {
			p.Fatalf("%d granted of 300", granted.Load())
		}
		p.usage(1, &strongroom.UsageRow{DekRef: ref(1), Reserved: 300})
	}},
	{"a context that is over reserves nothing", func(p *probe) {
		if _, err := p.store.Reserve(canceled(), ref(1), 1, 5); err == nil {
			p.Fatal("reserved")
		}
		if _, err := p.store.MarkInactive(canceled(), ref(1), 5); err == nil {
			p.Fatal("noted")
		}
		p.usage(1, nil)
	}},
}
