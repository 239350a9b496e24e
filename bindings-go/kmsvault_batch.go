package strongroom

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// SealMany seals a batch; see [Vault.SealMany]. An item whose DEK can't be had has
// that DEK's error.
//
// It returns ErrLimit for more than 10,000 items.
func (v *KmsVault) SealMany(ctx context.Context, items []SealItem) ([]Result, error) {
	ctx = v.begin(ctx)
	return inChunks(items, func(chunk []SealItem) ([]Result, error) {
		failures := v.readyForAll(ctx, chunk)
		results, err := v.batch(ctx, len(chunk), func() ([]Result, error) { return v.vault.SealMany(chunk) })
		if err != nil {
			return nil, err
		}
		for i, item := range chunk {
			err := failures[targetOf(item)]
			if err == nil && results[i].Err == nil && item.Options.Scope == ScopeRecord {
				err = v.settled(ctx, results[i].Value)
			}
			switch {
			case errors.Is(err, ErrNoActiveDek) && results[i].Err != nil:
				// The vault's own verdict is at least as grave.
			case err != nil:
				results[i] = Result{Err: err}
			case stale(results[i].Err):
				results[i].Value, results[i].Err = v.seal(ctx, item.Binding, item.Plaintext, item.Options)
			}
		}
		return results, nil
	})
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
		failures := v.holdAll(ctx, missing)
		results, err := v.batch(ctx, len(chunk), func() ([]Result, error) { return v.vault.OpenMany(chunk) })
		if err != nil {
			return nil, err
		}
		for i, item := range chunk {
			if !gone(results[i].Err) {
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

func (v *KmsVault) readyForAll(ctx context.Context, items []SealItem) map[sealTarget]error {
	seen := map[sealTarget]bool{}
	var targets []sealTarget
	for _, item := range items {
		if target := targetOf(item); !seen[target] {
			seen[target] = true
			targets = append(targets, target)
		}
	}
	return sideBySide(targets, func(target sealTarget) error {
		at := Binding{Org: target.org, Table: target.place.Table, Record: target.place.Record}
		return v.readyFor(ctx, at, target.scope, false)
	})
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
