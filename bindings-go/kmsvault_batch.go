package strongroom

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// SealMany seals a batch; see [Vault.SealMany]. An item whose DEK can't be had has
// that DEK's error.
//
// It returns ErrLimit for more than 10,000 items.
func (v *KmsVault) SealMany(ctx context.Context, items []SealItem) ([]Result, error) {
	ctx = v.begin(ctx)
	return inChunks(items, func(chunk []SealItem) ([]Result, error) { return v.sealChunk(ctx, chunk) })
}

// sealChunk seals what has a DEK and a reserved seal. What the vault then refuses
// because the store has moved on is sealed alone.
func (v *KmsVault) sealChunk(ctx context.Context, chunk []SealItem) ([]Result, error) {
	ready := v.readyForAll(ctx, chunk)
	results := make([]Result, len(chunk))
	var items []SealItem
	var places []int
	for i, item := range chunk {
		target := ready[targetOf(item)]
		switch {
		case target.err != nil && !errors.Is(target.err, ErrNoActiveDek):
			results[i].Err = target.err
		case target.err == nil && target.seats == 0 && item.Binding.Org == v.org:
			results[i].Err = target.short
		default:
			target.seats--
			items, places = append(items, item), append(places, i)
		}
	}
	sealed, err := v.batch(ctx, len(items), func() ([]Result, error) { return v.vault.SealMany(items) })
	if err != nil {
		return nil, err
	}
	for at, i := range places {
		target := ready[targetOf(chunk[i])]
		results[i] = v.letOut(ctx, chunk[i], target, sealed[at])
	}
	for _, target := range ready {
		if target.err == nil && target.seats > 0 {
			v.giveBack(target.ref, uint64(target.seats))
		}
	}
	return results, nil
}

// letOut judges what the vault made of one item of a batch.
func (v *KmsVault) letOut(ctx context.Context, item SealItem, target *readyTarget, result Result) Result {
	if result.Err != nil {
		target.seats++
	}
	switch {
	case target.err != nil && result.Err == nil:
		return Result{Err: target.err}
	case target.err != nil:
		// The vault's own verdict is at least as grave.
		return result
	case stale(result.Err):
		envelope, err := v.seal(ctx, item.Binding, item.Plaintext, item.Options)
		return Result{envelope, err}
	case result.Err != nil || item.Binding.Org != v.org:
		return result
	}
	if err := v.seated(ctx, target.ref, result.Value); err != nil {
		return Result{Err: err}
	}
	if err := v.settled(ctx, result.Value); err != nil {
		return Result{Err: err}
	}
	v.used(ctx, result.Value)
	return result
}

// OpenMany opens a batch; see [Vault.OpenMany]. An item whose DEK can't be had has
// that DEK's error.
//
// It returns ErrLimit for more than 10,000 items.
func (v *KmsVault) OpenMany(ctx context.Context, items []OpenItem) ([]Result, error) {
	ctx = v.begin(ctx)
	return inChunks(items, func(chunk []OpenItem) ([]Result, error) {
		envelopes := make([][]byte, len(chunk))
		for i, item := range chunk {
			envelopes[i] = item.Envelope
		}
		missing, err := v.vault.Missing(envelopes)
		if err != nil {
			return nil, err
		}
		v.freshenFor(ctx, chunk)
		failures := v.holdAll(ctx, missing)
		results, err := v.batch(ctx, len(chunk), func() ([]Result, error) { return v.vault.OpenMany(chunk) })
		if err != nil {
			return nil, err
		}
		for i, item := range chunk {
			if !gone(results[i].Err) {
				v.used(ctx, item.Envelope)
				continue
			}
			if header, err := Inspect(item.Envelope); err == nil && failures[header.DekRef] != nil {
				results[i].Err = failures[header.DekRef]
			} else {
				results[i].Value, results[i].Err = v.open(ctx, item.Binding, item.Envelope)
			}
		}
		return results, nil
	})
}

// freshenFor follows the active rows of a chunk's owners.
func (v *KmsVault) freshenFor(ctx context.Context, chunk []OpenItem) {
	owners := map[string]bool{v.org: true}
	for _, item := range chunk {
		owners[item.Binding.Org] = true
	}
	sideBySide(slices.Collect(maps.Keys(owners)), func(owner string) error {
		v.freshen(ctx, owner)
		return nil
	})
}

// batch works on n items in the vault. After a sign-out each has that as its error.
func (v *KmsVault) batch(ctx context.Context, n int, work func() ([]Result, error)) ([]Result, error) {
	results, err := inEra(ctx, v, work)
	if over := eraOver(ctx); err != nil && err == over && !errors.Is(over, ErrBadInput) {
		return slices.Repeat([]Result{{Err: over}}, n), nil
	}
	return results, err
}

// holdAll gets DEKs side by side and gives the error of each that can't be had.
func (v *KmsVault) holdAll(ctx context.Context, refs []DekRef) map[DekRef]error {
	return sideBySide(refs, func(ref DekRef) error { return v.hold(ctx, ref) })
}

// sealTarget is what decides under which DEK an item is sealed.
type sealTarget struct {
	org   string
	scope Scope
	place RecordPlace
}

func targetOf(item SealItem) sealTarget {
	target := sealTarget{org: item.Binding.Org, scope: item.Options.Scope}
	if target.scope == ScopeRecord {
		target.place = RecordPlace{item.Binding.Table, item.Binding.Record}
	}
	return target
}

// readyTarget is what a chunk's items of one target have to seal with.
type readyTarget struct {
	ref DekRef
	err error
	// seats are reserved for that many items; short is why there are no more.
	seats int
	short error
}

func (v *KmsVault) readyForAll(ctx context.Context, items []SealItem) map[sealTarget]*readyTarget {
	ready := map[sealTarget]*readyTarget{}
	var targets []sealTarget
	for _, item := range items {
		target := targetOf(item)
		if ready[target] == nil {
			ready[target] = &readyTarget{}
			targets = append(targets, target)
		}
		ready[target].seats++
	}
	sideBySide(targets, func(target sealTarget) error {
		found := ready[target]
		at := Binding{Org: target.org, Table: target.place.Table, Record: target.place.Record}
		if found.ref, found.err = v.readyFor(ctx, at, target.scope, false); found.err != nil || target.org != v.org {
			return nil
		}
		seats, err := v.reserve(ctx, found.ref, uint64(found.seats))
		found.seats, found.short = int(seats), err
		return nil
	})
	return ready
}

// sideBySide works on a list, on a few at a time, and gives the errors.
func sideBySide[K comparable](list []K, work func(K) error) map[K]error {
	failures := map[K]error{}
	var lock sync.Mutex
	var group sync.WaitGroup
	slots := make(chan struct{}, maxCalls)
	for _, item := range list {
		slots <- struct{}{}
		group.Add(1)
		go func() {
			defer group.Done()
			defer func() { <-slots }()
			if err := work(item); err != nil {
				lock.Lock()
				defer lock.Unlock()
				failures[item] = err
			}
		}()
	}
	group.Wait()
	return failures
}

// inChunks works a batch off in parts that need no more DEKs than a vault holds.
func inChunks[T any](items []T, work func([]T) ([]Result, error)) ([]Result, error) {
	if len(items) > batchMax {
		return nil, ErrLimit
	}
	results := make([]Result, 0, len(items))
	for len(items) > 0 {
		chunk := items[:min(len(items), chunkMax)]
		items = items[len(chunk):]
		part, err := work(chunk)
		if err != nil {
			return nil, err
		}
		results = append(results, part...)
	}
	return results, nil
}

// Half of what a vault holds: a record DEK may need its KEK beside it.
const chunkMax = 2_048
