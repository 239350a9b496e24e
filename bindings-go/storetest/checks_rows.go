package storetest

import (
	"strings"

	strongroom "strongroom.dev/go"
)

var rowChecks = []check{
	{"an empty store gives nothing", func(p *probe) {
		p.rows(ref(1), "acme")
		p.owned("acme", nil)
		p.owned("acme", &strongroom.RecordPlace{Table: "hosts", Record: "h-1"})
		p.readable("acme")
		p.active("acme", nil)
	}},
	{"a row is found by its dek_ref and reader", func(p *probe) {
		row := orgDek(1, "acme")
		p.put(row)
		p.rows(ref(1), "acme", row)
	}},
	{"a row is not found by another dek_ref", func(p *probe) {
		p.put(orgDek(1, "acme"))
		p.rows(ref(2), "acme")
	}},
	{"a row is not found for another reader", func(p *probe) {
		p.put(orgDek(1, "acme"))
		p.rows(ref(1), "globex")
		p.readable("globex")
	}},
	{"a share is found for its reader only", func(p *probe) {
		shared := share(1, "acme", "globex", "hosts", "h-1")
		p.put(shared)
		p.rows(ref(1), "globex", shared)
		p.rows(ref(1), "acme")
		p.readable("globex", shared)
		p.readable("acme")
	}},
	{"orgs are compared byte for byte", func(p *probe) {
		p.put(orgDek(1, "acme"))
		for _, other := range []string{"Acme", "acme ", "acm", "acme\x00", "ａcme"} {
			p.rows(ref(1), other)
			p.owned(other, nil)
			p.readable(other)
		}
	}},
	{"names that differ in normalisation only are two owners", func(p *probe) {
		composed, combined := orgDek(1, "caf\u00e9"), orgDek(2, "cafe\u0301")
		p.put(composed, combined)
		p.owned("caf\u00e9", nil, composed)
		p.owned("cafe\u0301", nil, combined)
	}},
	{"the same row may be put again", func(p *probe) {
		row := orgDek(1, "acme")
		p.put(row, row, row)
		p.rows(ref(1), "acme", row)
	}},
	{"the same row in another spelling may be put again", func(p *probe) {
		row := orgDek(1, "acme")
		p.put(row, strongroom.WrapRowFromJSON([]byte(strings.Replace(row.JSON(), `{"v":1,`, `{ "v" : 1 , `, 1))))
		p.rows(ref(1), "acme", row)
	}},
	{"another blob under the same key is refused", conflict(func(s *spec) { s.blob = "another wrap" })},
	{"another version under the same key is refused", conflict(func(s *spec) { s.version = 2 })},
	{"another owner under the same key is refused", conflict(func(s *spec) {
		s.owner, s.reader, s.purpose, s.table, s.record = "globex", "acme", "share", "hosts", "h-1"
	})},
	{"another purpose under the same key is refused", conflict(func(s *spec) {
		s.purpose, s.table, s.record = "record-dek", "hosts", "h-1"
	})},
	{"a refused row leaves the stored one as it was", func(p *probe) {
		row := orgDek(1, "acme")
		p.put(row)
		p.want(strongroom.ErrPreconditionFailed, p.store.PutIfAbsent(p.Context(), rowOf(spec{ref: 1, blob: "x"})))
		p.put(row)
		p.owned("acme", nil, row)
	}},
	{"one DEK may have several wraps for a reader", func(p *probe) {
		first, second := orgDek(1, "acme"), rowOf(spec{ref: 1, keyID: cmkB, blob: "by another CMK"})
		p.put(first, second)
		p.rows(ref(1), "acme", first, second)
	}},
	{"one DEK may have wraps for several readers", func(p *probe) {
		own := recordDek(1, "acme", "hosts", "h-1")
		one, two := share(1, "acme", "globex", "hosts", "h-1"), share(1, "acme", "initech", "hosts", "h-1")
		p.put(own, one, two)
		p.rows(ref(1), "globex", one)
		p.rows(ref(1), "initech", two)
		p.owned("acme", nil, own, one, two)
	}},
	{"an owner's rows are those of all readers and no other owner's", func(p *probe) {
		mine, shared := orgDek(1, "acme"), share(2, "acme", "globex", "hosts", "h-1")
		p.put(mine, shared, orgDek(3, "globex"), share(4, "globex", "acme", "hosts", "h-1"))
		p.owned("acme", nil, mine, shared)
	}},
	{"a reader's rows are its own and those shared with it", func(p *probe) {
		mine, shared := orgDek(1, "globex"), share(2, "acme", "globex", "hosts", "h-1")
		p.put(mine, shared, orgDek(3, "acme"), share(4, "globex", "acme", "hosts", "h-1"))
		p.readable("globex", mine, shared)
	}},
	{"a record's rows are those of its DEKs for all readers", func(p *probe) {
		own := recordDek(1, "acme", "hosts", "h-1")
		next := recordDek(2, "acme", "hosts", "h-1")
		shared := share(1, "acme", "globex", "hosts", "h-1")
		p.put(own, orgDek(9, "acme"), shared, next)
		p.owned("acme", &strongroom.RecordPlace{Table: "hosts", Record: "h-1"}, own, shared, next)
	}},
	{"a record's rows are no other record's, table's or owner's", func(p *probe) {
		p.put(recordDek(1, "acme", "hosts", "h-2"), recordDek(2, "acme", "host", "h-1"),
			recordDek(3, "globex", "hosts", "h-1"), recordDek(4, "acme", "hosts", "H-1"), orgDek(5, "acme"))
		p.owned("acme", &strongroom.RecordPlace{Table: "hosts", Record: "h-1"})
	}},
	{"a table and a record that spell the same joined are two places", func(p *probe) {
		left, right := recordDek(1, "acme", "a", "bc"), recordDek(2, "acme", "ab", "c")
		slashed := recordDek(3, "acme", "a/b", "c")
		p.put(left, right, slashed)
		p.owned("acme", &strongroom.RecordPlace{Table: "a", Record: "bc"}, left)
		p.owned("acme", &strongroom.RecordPlace{Table: "ab", Record: "c"}, right)
		p.owned("acme", &strongroom.RecordPlace{Table: "a", Record: "b/c"})
	}},
	{"half a place is no place", func(p *probe) {
		p.put(orgDek(1, "acme"), recordDek(2, "acme", "hosts", "h-1"))
		p.owned("acme", &strongroom.RecordPlace{})
		p.owned("acme", &strongroom.RecordPlace{Table: "hosts"})
		p.owned("acme", &strongroom.RecordPlace{Record: "h-1"})
	}},
	{"rows come in the order in which they were put", func(p *probe) {
		var rows []strongroom.WrapRow
		for fill := byte(50); fill > 0; fill-- {
			rows = append(rows, orgDek(fill, "acme"))
		}
		p.put(rows...)
		p.owned("acme", nil, rows...)
	}},
	{"strings of every kind are kept", func(p *probe) {
		odd := "\u2028\"\\/\u0001\n<&>\U0001F511'%_*;--"
		row := recordDek(1, odd, odd, odd+"2")
		p.put(row)
		p.rows(ref(1), odd, row)
		p.owned(odd, &strongroom.RecordPlace{Table: odd, Record: odd + "2"}, row)
	}},
	{"a row as large as a row may be is kept", func(p *probe) {
		row := rowOf(spec{ref: 1, blob: strings.Repeat("x", 6_144), owner: strings.Repeat("o", 1_024)})
		p.put(row)
		p.rows(ref(1), strings.Repeat("o", 1_024), row)
	}},
	{"text that is no row is refused", func(p *probe) {
		good := orgDek(1, "acme").JSON()
		for _, bad := range []string{
			"", "{}", "null", good + "{}", strings.Replace(good, `"v":1`, `"v":1,"v":1`, 1),
			strings.Replace(good, `"v":1`, `"v":1,"note":1`, 1), strings.Replace(good, "org-dek", "share", 1),
			strings.Replace(good, `"version":1`, `"version":"1"`, 1),
		} {
			p.want(strongroom.ErrRowInconsistent, p.store.PutIfAbsent(p.Context(), strongroom.WrapRowFromJSON([]byte(bad))))
			p.want(strongroom.ErrRowInconsistent, p.store.Delete(p.Context(), strongroom.WrapRowFromJSON([]byte(bad))))
		}
		p.owned("acme", nil)
	}},
	{"a row of a later format is refused", func(p *probe) {
		later := strings.Replace(orgDek(1, "acme").JSON(), `"v":1`, `"v":2`, 1)
		p.want(strongroom.ErrUnsupportedVersion, p.store.PutIfAbsent(p.Context(), strongroom.WrapRowFromJSON([]byte(later))))
	}},
	{"a context that is over changes nothing", func(p *probe) {
		row := orgDek(1, "acme")
		if p.store.PutIfAbsent(canceled(), row) == nil {
			p.Fatal("put succeeded")
		}
		p.owned("acme", nil)
		p.put(row)
		if p.store.Delete(canceled(), row) == nil {
			p.Fatal("delete succeeded")
		}
		p.owned("acme", nil, row)
	}},
}

// conflict puts a row, then another one under the same (dekRef, reader, keyId).
func conflict(change func(*spec)) func(*probe) {
	return func(p *probe) {
		first := spec{ref: 1, owner: "acme"}
		second := first
		change(&second)
		p.put(rowOf(first))
		p.want(strongroom.ErrPreconditionFailed, p.store.PutIfAbsent(p.Context(), rowOf(second)))
		p.rows(ref(1), "acme", rowOf(first))
		p.owned("acme", nil, rowOf(first))
		p.owned("globex", nil)
	}
}
