package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	strongroom "strongroom.dev/go"
)

// PutFieldStore is a [strongroom.FieldStore] into which a test can put fields.
type PutFieldStore interface {
	strongroom.FieldStore
	Put(ctx context.Context, at strongroom.Binding, envelope []byte) error
}

// RunFields runs the contract of field stores, as [Run] does that of row stores.
func RunFields(t *testing.T, fresh func(t *testing.T) (open func() PutFieldStore)) {
	t.Helper()
	for _, check := range fieldChecks {
		t.Run(check.name, func(t *testing.T) {
			open := fresh(t)
			check.run(&fieldProbe{t, open(), open})
		})
	}
}

type fieldCheck struct {
	name string
	run  func(*fieldProbe)
}

type fieldProbe struct {
	*testing.T
	store PutFieldStore
	open  func() PutFieldStore
}

func (p *fieldProbe) put(at strongroom.Binding, envelope string) {
	p.Helper()
	p.want(nil, p.store.Put(p.Context(), at, []byte(envelope)))
}

func (p *fieldProbe) want(want, got error) {
	p.Helper()
	if !errors.Is(got, want) {
		p.Fatalf("got %v, want %v", got, want)
	}
}

// has compares a record's fields, whatever their order, with "field[@revision]=envelope".
func (p *fieldProbe) has(owner, table, record string, want ...string) {
	p.Helper()
	found, err := p.store.Fields(p.Context(), owner, table, record)
	p.want(nil, err)
	for _, field := range found {
		if field.Binding.Org != owner || field.Binding.Table != table || field.Binding.Record != record {
			p.Fatalf("%v is of another record", field.Binding)
		}
	}
	p.same(found, want)
}

func (p *fieldProbe) same(found []strongroom.StoredField, want []string) {
	p.Helper()
	var got []string
	for _, field := range found {
		got = append(got, spell(field))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.Fatalf("fields are %q, want %q", got, want)
	}
}

func (p *fieldProbe) all(owner string) []strongroom.StoredField {
	p.Helper()
	var found []strongroom.StoredField
	p.want(nil, p.store.All(p.Context(), owner, func(field strongroom.StoredField) error {
		found = append(found, field)
		return nil
	}))
	return found
}

func spell(field strongroom.StoredField) string {
	text := field.Binding.Field
	if revision := field.Binding.Revision; revision != nil {
		text += "@" + strings.Repeat("i", int(*revision%10))
	}
	return text + "=" + string(field.Envelope)
}

func at(record, field string) strongroom.Binding {
	return strongroom.Binding{Org: "acme", Table: "hosts", Record: record, Field: field}
}

func revised(field string, revision uint64) strongroom.Binding {
	made := at("h-1", field)
	made.Revision = &revision
	return made
}

var fieldChecks = []fieldCheck{
	{"an empty store has no field", func(p *fieldProbe) {
		p.has("acme", "hosts", "h-1")
		p.same(p.all("acme"), nil)
	}},
	{"a record's fields are found, and no other's", func(p *fieldProbe) {
		p.put(at("h-1", "a"), "1")
		p.put(at("h-1", "b"), "2")
		p.put(at("h-2", "a"), "3")
		p.put(strongroom.Binding{Org: "globex", Table: "hosts", Record: "h-1", Field: "a"}, "4")
		p.put(strongroom.Binding{Org: "acme", Table: "host", Record: "sh-1", Field: "a"}, "5")
		p.has("acme", "hosts", "h-1", "a=1", "b=2")
		p.has("acme", "hosts", "h-2", "a=3")
		p.has("globex", "hosts", "h-1", "a=4")
		for _, c := range [][3]string{{"acme", "hosts", "h-"}, {"acme", "Hosts", "h-1"}, {"ACME", "hosts", "h-1"}, {"acme", "hosts", "h-11"}} {
			p.has(c[0], c[1], c[2])
		}
		p.same(p.all("acme"), []string{"a=1", "b=2", "a=3", "a=5"})
		p.same(p.all("globex"), []string{"a=4"})
		p.same(p.all("acm"), nil)
	}},
	{"revisions of a field, and none, are fields of their own", func(p *fieldProbe) {
		p.put(at("h-1", "a"), "none")
		p.put(revised("a", 0), "zero")
		p.put(revised("a", 1), "one")
		p.put(revised("a", 1<<64-1), "last")
		p.has("acme", "hosts", "h-1", "a=none", "a@=zero", "a@i=one", "a@"+strings.Repeat("i", 5)+"=last")
		p.want(nil, p.store.Replace(p.Context(), revised("a", 1), []byte("one"), []byte("new")))
		p.has("acme", "hosts", "h-1", "a=none", "a@=zero", "a@i=new", "a@"+strings.Repeat("i", 5)+"=last")
	}},
	{"putting again takes the place", func(p *fieldProbe) {
		p.put(at("h-1", "a"), "1")
		p.put(at("h-1", "a"), "2")
		p.has("acme", "hosts", "h-1", "a=2")
	}},
	{"an envelope is replaced only where exactly the old one stands", func(p *fieldProbe) {
		p.put(at("h-1", "a"), "old")
		for _, old := range []string{"", "ol", "old ", "olD", "new"} {
			p.want(strongroom.ErrPreconditionFailed, p.store.Replace(p.Context(), at("h-1", "a"), []byte(old), []byte("new")))
		}
		p.want(strongroom.ErrPreconditionFailed, p.store.Replace(p.Context(), at("h-1", "b"), []byte("old"), []byte("new")))
		p.want(strongroom.ErrPreconditionFailed, p.store.Replace(p.Context(), revised("a", 0), []byte("old"), []byte("new")))
		p.has("acme", "hosts", "h-1", "a=old")
		p.want(nil, p.store.Replace(p.Context(), at("h-1", "a"), []byte("old"), []byte("new")))
		p.has("acme", "hosts", "h-1", "a=new")
		p.want(strongroom.ErrPreconditionFailed, p.store.Replace(p.Context(), at("h-1", "a"), []byte("old"), []byte("new")))
	}},
	{"names of any bytes are kept apart", func(p *fieldProbe) {
		names := []string{"a", "a/b", "a#b", "a%", "a_", "á", "a\u0301", "'; --", "🔑", strings.Repeat("x", 1_024), "a\x00b", " "}
		for _, name := range names {
			p.put(strongroom.Binding{Org: "acme", Table: name, Record: name, Field: name}, "1")
		}
		for _, name := range names {
			p.has("acme", name, name, name+"=1")
		}
		if found := p.all("acme"); len(found) != len(names) {
			p.Fatalf("%d fields of %d", len(found), len(names))
		}
	}},
	{"envelopes are any bytes", func(p *fieldProbe) {
		old, young := make([]byte, 256), bytes.Repeat([]byte{0xF7, 0}, 40_000)
		for i := range old {
			old[i] = byte(i)
		}
		p.want(nil, p.store.Put(p.Context(), at("h-1", "a"), old))
		p.want(nil, p.store.Replace(p.Context(), at("h-1", "a"), old, young))
		p.has("acme", "hosts", "h-1", "a="+string(young))
	}},
	{"what a caller does with an envelope afterwards changes nothing", func(p *fieldProbe) {
		envelope := []byte("old")
		p.want(nil, p.store.Put(p.Context(), at("h-1", "a"), envelope))
		clear(envelope)
		p.has("acme", "hosts", "h-1", "a=old")
		found, err := p.store.Fields(p.Context(), "acme", "hosts", "h-1")
		p.want(nil, err)
		clear(found[0].Envelope)
		p.has("acme", "hosts", "h-1", "a=old")
	}},
	{"looking through all ends with the visitor's error", func(p *fieldProbe) {
		for _, name := range []string{"a", "b", "c"} {
			p.put(at("h-1", name), "1")
		}
		calls := 0
		err := p.store.All(p.Context(), "acme", func(strongroom.StoredField) error {
			calls++
			return strongroom.ErrMalformed
		})
		p.want(strongroom.ErrMalformed, err)
		if calls != 1 {
			p.Fatalf("%d calls", calls)
		}
	}},
	{"fields are seen by whoever opens the place anew", func(p *fieldProbe) {
		p.put(at("h-1", "a"), "1")
		p.want(nil, p.store.Replace(p.Context(), at("h-1", "a"), []byte("1"), []byte("2")))
		p.store = p.open()
		p.has("acme", "hosts", "h-1", "a=2")
	}},
	{"of many who replace at once one wins each time", func(p *fieldProbe) {
		p.put(at("h-1", "a"), "start")
		var won atomic.Int32
		var group sync.WaitGroup
		for i := range racers {
			store := p.store
			if i%2 == 1 {
				store = p.open()
			}
			group.Add(1)
			go func() {
				defer group.Done()
				err := store.Replace(p.Context(), at("h-1", "a"), []byte("start"), []byte{byte(i)})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, strongroom.ErrPreconditionFailed) {
					p.Errorf("%v", err)
				}
			}()
		}
		group.Wait()
		if won.Load() != 1 {
			p.Fatalf("%d won", won.Load())
		}
	}},
	{"a context that is over changes nothing", func(p *fieldProbe) {
		if p.store.Put(canceled(), at("h-1", "a"), nil) == nil {
			p.Fatal("put")
		}
		p.put(at("h-1", "a"), "1")
		if p.store.Replace(canceled(), at("h-1", "a"), []byte("1"), []byte("2")) == nil {
			p.Fatal("replaced")
		}
		p.has("acme", "hosts", "h-1", "a=1")
	}},
}
