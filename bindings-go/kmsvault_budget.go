package strongroom

import (
	"context"
	"errors"
)

// seats are the seals under one DEK that this process has reserved and not yet made.
type seats struct {
	left uint64
	// block is how many it reserves next time.
	block uint64
}

// reserve takes seats for seals under a DEK, from what is reserved already or from the
// store, before anything is sealed: so all processes together make no more seals than
// the limit, and a crash loses what was left of its block. It gives how many it got;
// with fewer than asked for the error is ErrBudgetExhausted.
func (v *KmsVault) reserve(ctx context.Context, ref DekRef, count uint64) (uint64, error) {
	if v.takeSeats(ref, count) {
		return count, nil
	}
	// One at a time: two who both lack a seat need one block.
	free, err := v.reserving.take(ctx)
	if err != nil {
		return 0, err
	}
	defer free()
	for {
		if v.takeSeats(ref, count) {
			return count, nil
		}
		block := v.blockFor(ref, count)
		_, err := v.store.Reserve(ctx, ref, block, v.fleetSealLimit)
		if errors.Is(err, ErrPreconditionFailed) {
			block, err = v.reserveRest(ctx, ref, block)
		}
		if err != nil {
			return 0, err
		}
		if block == 0 {
			return v.takeAll(ref), ErrBudgetExhausted
		}
		v.addSeats(ref, block)
	}
}

// reserveRest reserves what the limit leaves, at most so many; 0 if it leaves nothing.
func (v *KmsVault) reserveRest(ctx context.Context, ref DekRef, most uint64) (uint64, error) {
	for {
		row, err := v.store.Usage(ctx, ref)
		if err != nil {
			return 0, err
		}
		var reserved uint64
		if row != nil {
			reserved = row.Reserved
		}
		if reserved >= v.fleetSealLimit {
			return 0, nil
		}
		most = min(most, v.fleetSealLimit-reserved)
		_, err = v.store.Reserve(ctx, ref, most, v.fleetSealLimit)
		// Another process was quicker, and the sum has grown: this ends at the limit.
		if !errors.Is(err, ErrPreconditionFailed) {
			return most, err
		}
	}
}

// takeSeats takes seats that are there, all or none.
func (v *KmsVault) takeSeats(ref DekRef, count uint64) bool {
	v.lock.Lock()
	defer v.lock.Unlock()
	mine := v.seats[ref]
	if mine == nil || mine.left < count {
		return count == 0
	}
	mine.left -= count
	return true
}

func (v *KmsVault) takeAll(ref DekRef) uint64 {
	v.lock.Lock()
	defer v.lock.Unlock()
	mine := v.seats[ref]
	if mine == nil {
		return 0
	}
	all := mine.left
	mine.left = 0
	return all
}

// giveBack returns seats whose seals were never made.
func (v *KmsVault) giveBack(ref DekRef, count uint64) {
	v.lock.Lock()
	defer v.lock.Unlock()
	if mine := v.seats[ref]; mine != nil {
		mine.left += count
	}
}

// blockFor is how many seats to ask the store for: the next block, or more where more
// are needed at once.
func (v *KmsVault) blockFor(ref DekRef, count uint64) uint64 {
	v.lock.Lock()
	defer v.lock.Unlock()
	mine := v.seats[ref]
	if mine == nil {
		return max(count, blockFirst)
	}
	return max(count-min(mine.left, count), mine.block)
}

func (v *KmsVault) addSeats(ref DekRef, got uint64) {
	v.lock.Lock()
	defer v.lock.Unlock()
	mine := v.seats[ref]
	if mine == nil {
		if len(v.seats) >= maxKnown {
			// What was left of their blocks is lost, as by a restart.
			clear(v.seats)
		}
		mine = &seats{block: blockFirst}
		v.seats[ref] = mine
	}
	mine.left += got
	mine.block = min(mine.block*2, blockMost)
}

// seated takes one seat for an envelope whose DEK turned out to be another than the one
// that a seat was taken for: a newer version came in meanwhile.
func (v *KmsVault) seated(ctx context.Context, ref DekRef, envelope []byte) error {
	return v.seatedUnder(ctx, ref, refOf(envelope))
}

func (v *KmsVault) seatedUnder(ctx context.Context, reserved, used DekRef) error {
	if used == reserved {
		return nil
	}
	v.giveBack(reserved, 1)
	_, err := v.reserve(ctx, used, 1)
	return err
}

const (
	blockFirst = 1 << 10
	blockMost  = 1 << 20
)
