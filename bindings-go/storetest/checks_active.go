package storetest

import (
	"strings"

	strongroom "strongroom.dev/go"
)

var activeChecks = []check{
	{"the first active row has rev 1", func(p *probe) {
		row := active("acme", 1, 1)
		p.set(row)
		p.active("acme", &row)
	}},
	{"a first active row with another rev is refused", func(p *probe) {
		for _, rev := range []uint64{2, 3, 1<<53 - 1} {
			p.want(strongroom.ErrPreconditionFailed, p.store.CompareAndSetActive(p.Context(), active("acme", 1, rev)))
		}
		p.active("acme", nil)
	}},
	{"each active row is one rev above the stored one", func(p *probe) {
		rows := []strongroom.ActiveRow{active("acme", 1, 1), active("acme", 2, 2), active("acme", 3, 3)}
		p.set(rows...)
		p.active("acme", &rows[2])
	}},
	{"the same rev again is refused, even with the same row", func(p *probe) {
		row := active("acme", 1, 1)
		p.set(row)
		p.want(strongroom.ErrPreconditionFailed, p.store.CompareAndSetActive(p.Context(), row))
		p.want(strongroom.ErrPreconditionFailed, p.store.CompareAndSetActive(p.Context(), active("acme", 2, 1)))
		p.active("acme", &row)
	}},
	{"a rev that jumps is refused", func(p *probe) {
		row := active("acme", 1, 1)
		p.set(row)
		for _, rev := range []uint64{3, 4, 1<<53 - 1} {
			p.want(strongroom.ErrPreconditionFailed, p.store.CompareAndSetActive(p.Context(), active("acme", 2, rev)))
		}
		p.active("acme", &row)
	}},
	{"a rev that goes back is refused", func(p *probe) {
		rows := []strongroom.ActiveRow{active("acme", 1, 1), active("acme", 2, 2), active("acme", 3, 3)}
		p.set(rows...)
		for _, old := range rows[:2] {
			p.want(strongroom.ErrPreconditionFailed, p.store.CompareAndSetActive(p.Context(), old))
		}
		p.active("acme", &rows[2])
	}},
	{"each org has its own active row", func(p *probe) {
		mine, other := active("acme", 1, 1), active("globex", 2, 1)
		p.set(mine, other)
		p.want(strongroom.ErrPreconditionFailed, p.store.CompareAndSetActive(p.Context(), active("globex", 3, 1)))
		p.active("acme", &mine)
		p.active("globex", &other)
		p.active("initech", nil)
		p.active("Acme", nil)
	}},
	{"a tombstone is an active row like any other", func(p *probe) {
		gone := activeIn("acme", 1, 2, "tombstoned")
		p.set(active("acme", 1, 1), gone)
		p.active("acme", &gone)
	}},
	{"the store leaves versions to the vault", func(p *probe) {
		older := active("acme", 1, 2)
		p.set(active("acme", 2, 1), older)
		p.active("acme", &older)
	}},
	{"an active row is no wrap row and touches none", func(p *probe) {
		row := orgDek(1, "acme")
		p.put(row)
		p.set(active("acme", 1, 1))
		p.owned("acme", nil, row)
		p.rows(ref(1), "acme", row)
	}},
	{"text that is no active row is refused", func(p *probe) {
		good := active("acme", 1, 1).JSON()
		for _, bad := range []string{
			"", "{}", "[]", good + " 1", strings.Replace(good, `"rev":1`, `"rev":0`, 1),
			strings.Replace(good, `"rev":1`, `"rev":1,"rev":1`, 1), strings.Replace(good, `"rev":1`, `"rev":1.0`, 1),
			strings.Replace(good, `"rev":1`, `"rev":9007199254740992`, 1),
			strings.Replace(good, "active", "paused", 1), strings.Replace(good, `"version":1`, `"version":0`, 1),
		} {
			row := strongroom.ActiveRowFromJSON([]byte(bad))
			p.want(strongroom.ErrRowInconsistent, p.store.CompareAndSetActive(p.Context(), row))
		}
		p.active("acme", nil)
	}},
	{"a context that is over sets nothing", func(p *probe) {
		if p.store.CompareAndSetActive(canceled(), active("acme", 1, 1)) == nil {
			p.Fatal("set succeeded")
		}
		p.active("acme", nil)
	}},
}

var deleteChecks = []check{
	{"a deleted row is found in no way", func(p *probe) {
		row := recordDek(1, "acme", "hosts", "h-1")
		p.put(row)
		p.want(nil, p.store.Delete(p.Context(), row))
		p.rows(ref(1), "acme")
		p.owned("acme", nil)
		p.owned("acme", &strongroom.RecordPlace{Table: "hosts", Record: "h-1"})
		p.readable("acme")
	}},
	{"deleting a row that is not there succeeds", func(p *probe) {
		row := orgDek(1, "acme")
		p.want(nil, p.store.Delete(p.Context(), row))
		p.put(row)
		p.want(nil, p.store.Delete(p.Context(), row))
		p.want(nil, p.store.Delete(p.Context(), row))
	}},
	{"deleting takes one reader's row and no other's", func(p *probe) {
		own := recordDek(1, "acme", "hosts", "h-1")
		one, two := share(1, "acme", "globex", "hosts", "h-1"), share(1, "acme", "initech", "hosts", "h-1")
		p.put(own, one, two)
		p.want(nil, p.store.Delete(p.Context(), one))
		p.owned("acme", nil, own, two)
		p.readable("globex")
		p.readable("initech", two)
	}},
	{"deleting takes one CMK's row and no other's", func(p *probe) {
		first, second := orgDek(1, "acme"), rowOf(spec{ref: 1, keyID: cmkB})
		p.put(first, second)
		p.want(nil, p.store.Delete(p.Context(), first))
		p.rows(ref(1), "acme", second)
	}},
	{"deleting goes by dek_ref, reader and key id alone", func(p *probe) {
		p.put(orgDek(1, "acme"))
		p.want(nil, p.store.Delete(p.Context(), rowOf(spec{ref: 1, blob: "another wrap"})))
		p.rows(ref(1), "acme")
	}},
	{"a deleted row may be put again", func(p *probe) {
		row, later := orgDek(1, "acme"), orgDek(2, "acme")
		p.put(row, later)
		p.want(nil, p.store.Delete(p.Context(), row))
		p.put(row)
		p.owned("acme", nil, later, row)
	}},
	{"another row may take a deleted one's place", func(p *probe) {
		other := rowOf(spec{ref: 1, blob: "another wrap"})
		p.put(orgDek(1, "acme"))
		p.want(nil, p.store.Delete(p.Context(), orgDek(1, "acme")))
		p.put(other)
		p.rows(ref(1), "acme", other)
	}},
	{"deleting leaves the active row alone", func(p *probe) {
		row := active("acme", 1, 1)
		p.put(orgDek(1, "acme"))
		p.set(row)
		p.want(nil, p.store.Delete(p.Context(), orgDek(1, "acme")))
		p.active("acme", &row)
	}},
}
