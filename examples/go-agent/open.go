package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	strongroom "strongroom.dev/go"
)

// opened is what the steps open and open-shared report.
type opened struct {
	Step     string `json:"step"`
	OK       bool   `json:"ok"`
	Pass     string `json:"pass,omitempty"`
	Fields   int    `json:"fields"`
	Bytes    int    `json:"bytes"`
	Digest   string `json:"digest"`
	KmsCalls int64  `json:"kmsCalls"`
	// Unshared is how a record that is not shared was refused.
	Unshared string `json:"unshared,omitempty"`
	Ms       int64  `json:"ms"`
}

// open opens everything that the export has of some orgs, twice: once with empty
// vaults and once warm.
func open(ctx context.Context, a *agent) error {
	sessions := map[string]*session{}
	for _, org := range a.orgList() {
		s, err := a.session(org)
		if err != nil {
			return err
		}
		defer s.Close()
		sessions[org] = s
	}
	for _, pass := range []string{"cold", "warm"} {
		begun, before := time.Now(), callsOf(sessions)
		all, err := a.openAll(ctx, sessions)
		if err != nil {
			return err
		}
		fact := opened{
			Step: a.step, OK: true, Pass: pass, Fields: all.fields, Bytes: all.bytes, Digest: all.digest(),
			KmsCalls: callsOf(sessions) - before, Ms: time.Since(begun).Milliseconds(),
		}
		if err := a.out.Encode(fact); err != nil {
			return err
		}
	}
	return nil
}

// openAll opens the export's lines in batches and digests them in their order.
func (a *agent) openAll(ctx context.Context, sessions map[string]*session) (*listing, error) {
	all := newListing()
	var batch []strongroom.OpenItem
	flush := func() error {
		values, err := openBatch(ctx, sessions, batch)
		if err != nil {
			return err
		}
		for i, value := range values {
			all.add(batch[i].Binding, value)
		}
		if batch = batch[:0]; all.fields%4_000 == 0 {
			a.say("%d fields opened", all.fields)
		}
		return nil
	}
	err := eachLine(a.export, func(line sealedLine) error {
		s := sessions[line.Org]
		if s == nil {
			return nil
		}
		item, err := line.item(s.manifest)
		if err != nil {
			return err
		}
		if batch = append(batch, item); len(batch) < batchSize {
			return nil
		}
		return flush()
	})
	if err != nil {
		return nil, err
	}
	return all, flush()
}

// openBatch has each org's vault open that org's items.
func openBatch(ctx context.Context, sessions map[string]*session, batch []strongroom.OpenItem) ([][]byte, error) {
	values := make([][]byte, len(batch))
	for org, s := range sessions {
		var mine []strongroom.OpenItem
		var places []int
		for i, item := range batch {
			if item.Binding.Org == org {
				mine, places = append(mine, item), append(places, i)
			}
		}
		results, err := s.OpenMany(ctx, mine)
		if err != nil {
			return nil, err
		}
		for i, result := range results {
			if result.Err != nil {
				return nil, fmt.Errorf("%v: %w", mine[i].Binding, result.Err)
			}
			values[places[i]] = result.Value
		}
	}
	return values, nil
}

// openShared opens another org's record that is shared with this one. Before it, the
// same vault is asked for a record that is not.
func openShared(ctx context.Context, a *agent) error {
	begun := time.Now()
	s, err := a.session(a.org)
	if err != nil {
		return err
	}
	defer s.Close()
	var items []strongroom.OpenItem
	var other *strongroom.OpenItem
	err = eachLine(a.export, func(line sealedLine) error {
		if line.Org != a.owner || line.Table != a.table || !slices.Contains([]string{a.record, a.unshared}, line.Record) {
			return nil
		}
		item, err := line.item(s.manifest)
		switch {
		case err != nil:
			return err
		case line.Record == a.record:
			items = append(items, item)
		default:
			other = &item
		}
		return nil
	})
	if err != nil {
		return err
	}
	if other == nil || len(items) == 0 {
		return fmt.Errorf("the export has no field of the shared record, or none of the other")
	}
	_, refusal := s.Open(ctx, other.Binding, other.Envelope)
	if refusal == nil {
		return fmt.Errorf("a record that is not shared was opened")
	}
	if calls := s.calls.Load(); calls != 0 {
		return fmt.Errorf("the KMS was asked %d times for a record that is not shared", calls)
	}
	all := newListing()
	values, err := openBatch(ctx, map[string]*session{a.owner: s}, items)
	if err != nil {
		return err
	}
	for i, value := range values {
		all.add(items[i].Binding, value)
	}
	return a.out.Encode(opened{
		Step: a.step, OK: true, Fields: all.fields, Bytes: all.bytes, Digest: all.digest(),
		KmsCalls: s.calls.Load(), Unshared: nameOf(refusal), Ms: time.Since(begun).Milliseconds(),
	})
}

// resealed is what the step reseal reports.
type resealed struct {
	Step     string `json:"step"`
	OK       bool   `json:"ok"`
	Fields   int    `json:"fields"`
	KmsCalls int64  `json:"kmsCalls"`
	Ms       int64  `json:"ms"`
}

// reseal seals each N-th field of an org anew, from the I-th on, into a file of its own.
func reseal(ctx context.Context, a *agent) error {
	begun := time.Now()
	var part, parts int
	if _, err := fmt.Sscanf(a.part, "%d/%d", &part, &parts); err != nil || part < 0 || part >= parts {
		return fmt.Errorf("--part is I/N, with I from 0 to N-1")
	}
	s, err := a.session(a.org)
	if err != nil {
		return err
	}
	defer s.Close()
	out, err := createExport(a.outFile, os.O_TRUNC)
	if err != nil {
		return err
	}
	defer out.file.Close()
	fact := resealed{Step: a.step, OK: true}
	seen := 0
	err = eachLine(a.export, func(line sealedLine) error {
		if line.Org != a.org {
			return nil
		}
		if seen++; (seen-1)%parts != part {
			return nil
		}
		item, err := line.item(s.manifest)
		if err != nil {
			return err
		}
		envelope, err := s.Reseal(ctx, item.Binding, item.Envelope, strongroom.ResealOptions{})
		if err != nil {
			return err
		}
		fact.Fields++
		return out.write(item.Binding, envelope)
	})
	if err != nil {
		return err
	}
	if err := out.close(); err != nil {
		return err
	}
	fact.KmsCalls, fact.Ms = s.calls.Load(), time.Since(begun).Milliseconds()
	return a.out.Encode(fact)
}

func callsOf(sessions map[string]*session) (calls int64) {
	for _, s := range sessions {
		calls += s.calls.Load()
	}
	return calls
}

const batchSize = 1_000
