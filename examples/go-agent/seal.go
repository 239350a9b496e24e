package main

import (
	"context"
	"fmt"
	"os"
	"time"

	strongroom "strongroom.dev/go"
)

// sealed is what the step seal reports.
type sealed struct {
	Step       string `json:"step"`
	OK         bool   `json:"ok"`
	Org        string `json:"org"`
	Records    int    `json:"records"`
	Fields     int    `json:"fields"`
	Bytes      int    `json:"bytes"`
	RecordDeks int    `json:"recordDeks"`
	Digest     string `json:"digest"`
	KmsCalls   int64  `json:"kmsCalls"`
	Ms         int64  `json:"ms"`
}

// seal seals an org's records as the manifest says and appends them to the export.
// An org without a DEK gets its first.
func seal(ctx context.Context, a *agent) error {
	begun := time.Now()
	s, err := a.session(a.org)
	if err != nil {
		return err
	}
	defer s.Close()
	active, err := s.store.Active(ctx, a.org)
	if err != nil {
		return err
	}
	if active == nil {
		if _, err := s.Rotate(ctx); err != nil {
			return err
		}
	}
	export, err := createExport(a.export, os.O_APPEND)
	if err != nil {
		return err
	}
	defer export.file.Close()
	fact := sealed{Step: a.step, OK: true, Org: a.org}
	all := newListing()
	err = eachLine(a.data, func(r record) error {
		if r.Org != a.org {
			return fmt.Errorf("a record of %q among those of %q", r.Org, a.org)
		}
		fact.Records++
		if fact.Records%200 == 0 {
			a.say("%s: %d records, %d fields sealed", a.org, fact.Records, all.fields)
		}
		generated, err := s.sealRecord(ctx, r, export, all)
		if generated {
			fact.RecordDeks++
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := export.close(); err != nil {
		return err
	}
	fact.Fields, fact.Bytes, fact.Digest = all.fields, all.bytes, all.digest()
	fact.KmsCalls, fact.Ms = s.calls.Load(), time.Since(begun).Milliseconds()
	return a.out.Encode(fact)
}

// sealRecord seals a record's fields in one batch. A record with fields of scope
// record gets a DEK of its own first.
func (s *session) sealRecord(ctx context.Context, r record, export *exportFile, all *listing) (generated bool, err error) {
	items := make([]strongroom.SealItem, 0, len(r.Fields))
	own := false
	for _, name := range r.names() {
		at, err := s.manifest.Binding(r.Org, r.Table, r.Record, name)
		if err != nil {
			return false, fmt.Errorf("%s.%s: %w", r.Table, name, err)
		}
		options, err := s.manifest.SealOptions(r.Table, name)
		if err != nil {
			return false, err
		}
		plaintext, err := r.Fields[name].bytes()
		if err != nil {
			return false, err
		}
		own = own || options.Scope == strongroom.ScopeRecord
		items = append(items, strongroom.SealItem{Binding: at, Plaintext: plaintext, Options: options})
	}
	if own {
		if generated, err = s.haveRecordDek(ctx, r); err != nil {
			return false, err
		}
	}
	results, err := s.SealMany(ctx, items)
	if err != nil {
		return generated, err
	}
	for i, result := range results {
		if result.Err != nil {
			return generated, fmt.Errorf("%s.%s: %w", r.Table, items[i].Binding.Field, result.Err)
		}
		if err := export.write(items[i].Binding, result.Value); err != nil {
			return generated, err
		}
		all.add(items[i].Binding, items[i].Plaintext)
	}
	return generated, nil
}

func (s *session) haveRecordDek(ctx context.Context, r record) (generated bool, err error) {
	rows, err := s.store.RowsByOwner(ctx, r.Org, &strongroom.RecordPlace{Table: r.Table, Record: r.Record})
	if err != nil || len(rows) > 0 {
		return false, err
	}
	_, err = s.GenerateRecordDek(ctx, r.Table, r.Record)
	return err == nil, err
}
