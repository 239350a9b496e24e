package strongroom

import (
	"context"
	"time"
)

// SetPause replaces the waiting between tries.
func (v *KmsVault) SetPause(pause func(context.Context, time.Duration) error) { v.pause = pause }

// SetClock replaces the time.
func (v *KmsVault) SetClock(now func() time.Time) { v.now = now }

// AgeReads lets a minute pass for what was read from the store.
func (v *KmsVault) AgeReads() {
	v.lock.Lock()
	defer v.lock.Unlock()
	v.active = nil
	clear(v.looked)
	clear(v.places)
	clear(v.kinds)
}

// LockFile makes the lock of a JSON-lines store.
func LockFile(ctx context.Context, path string) (func(), error) { return lockFile(ctx, path) }

// ReadyDek gets one DEK, like an envelope that needs it.
func (v *KmsVault) ReadyDek(ctx context.Context, ref DekRef) error { return v.hold(ctx, ref) }

// SweepKeychain lets the timer strike at a second.
func (v *KmsVault) SweepKeychain(now uint64) { v.chain.sweep(now) }
