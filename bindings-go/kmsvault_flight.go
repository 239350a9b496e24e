package strongroom

import (
	"cmp"
	"context"
	"sync"
)

// flights runs each piece of work once, however many goroutines ask for it at a
// time. The zero value is ready.
type flights struct {
	lock    sync.Mutex
	running map[flightKey]*flight
	// era lasts until a sign-out; whatever began in it then ends with its cause.
	era    context.Context
	endEra context.CancelCauseFunc
}

// flightKey names a piece of work: what is done, and to which DEK or org.
type flightKey struct {
	work flightWork
	ref  DekRef
	org  string
}

type flightWork uint8

const (
	// fetchDek gets a DEK by whichever row. It may wait for unwrapDek, never the
	// other way round, so rows that name each other can't make it wait for itself.
	fetchDek flightWork = iota
	// unwrapDek gets a DEK by the KMS.
	unwrapDek
	readActive
	lookAtActive
	rotateDek
	refreshDek
)

type flight struct {
	done    chan struct{}
	err     error
	waiters int
	// errands are those that joined.
	errands []*errand
	cancel  context.CancelCauseFunc
}

// do joins the flight of that name or starts it. The work's context has the values
// of the first caller's but ends only when nobody waits any more.
func (f *flights) do(ctx context.Context, key flightKey, work func(context.Context) error) error {
	f.lock.Lock()
	run := errandOf(ctx)
	if err := eraOver(ctx); err != nil {
		f.lock.Unlock()
		return err
	}
	if run != nil && key.work == unwrapDek {
		if failed := run.failed[key.ref]; failed != nil {
			f.lock.Unlock()
			return failed
		}
	}
	joined := f.running[key]
	if joined == nil {
		joined = f.start(context.WithoutCancel(ctx), key, work)
	}
	joined.waiters++
	if run != nil {
		joined.errands = append(joined.errands, run)
	}
	f.lock.Unlock()
	select {
	case <-joined.done:
		return joined.err
	case <-ctx.Done():
		f.leave(key, joined)
		return context.Cause(ctx)
	}
}

// stop ends the era and all flights: whoever waits gets the cause, and so does
// whatever began in that era and goes on. If it is for ever, no other era begins.
func (f *flights) stop(cause error, forEver bool) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.thisEra()
	f.endEra(cause)
	if !forEver {
		f.era = nil
	}
	for key, flight := range f.running {
		flight.cancel(cause)
		delete(f.running, key)
	}
}

// thisEra gives the era, a new one after the end of the last. f.lock is held.
func (f *flights) thisEra() context.Context {
	if f.era == nil {
		f.era, f.endEra = context.WithCancelCause(context.Background())
	}
	return f.era
}

func (f *flights) start(ctx context.Context, key flightKey, work func(context.Context) error) *flight {
	ctx, cancel := context.WithCancelCause(ctx)
	started := &flight{done: make(chan struct{}), cancel: cancel}
	if f.running == nil {
		f.running = map[flightKey]*flight{}
	}
	f.running[key] = started
	go func() {
		err := work(ctx)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		f.lock.Lock()
		if f.running[key] == started {
			delete(f.running, key)
		}
		if err != nil && key.work == unwrapDek {
			for _, run := range started.errands {
				run.failed[key.ref] = err
			}
		}
		f.lock.Unlock()
		cancel(nil)
		started.err = err
		close(started.done)
	}()
	return started
}

func (f *flights) leave(key flightKey, left *flight) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if left.waiters--; left.waiters > 0 {
		return
	}
	left.cancel(context.Canceled)
	if f.running[key] == left {
		delete(f.running, key)
	}
}

// errand is one call of a method. It knows the era in which it began, and remembers
// which DEKs the KMS did not give: a hundred records whose KEK is denied must not ask
// for it a hundred times. The lock of the flights guards what it remembers, so that
// nobody starts a flight between the end of one and the noting of its failure.
type errand struct {
	failed map[DekRef]error
	era    context.Context
}

type errandKey struct{}

// begin starts an errand, which goes with the context into the flights.
func (f *flights) begin(ctx context.Context) context.Context {
	f.lock.Lock()
	defer f.lock.Unlock()
	return context.WithValue(ctx, errandKey{}, &errand{map[DekRef]error{}, f.thisEra()})
}

func errandOf(ctx context.Context) *errand {
	run, _ := ctx.Value(errandKey{}).(*errand)
	return run
}

// eraOver is why the era in which the context's errand began is over, nil if it isn't.
func eraOver(ctx context.Context) error {
	if run := errandOf(ctx); run != nil {
		return context.Cause(run.era)
	}
	return nil
}

// ended is why the context's errand must not go on.
func ended(ctx context.Context) error { return cmp.Or(eraOver(ctx), context.Cause(ctx)) }

// untilEra gives a context that ends with the errand's era too, and what frees it.
func untilEra(ctx context.Context) (context.Context, func()) {
	run := errandOf(ctx)
	if run == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	release := context.AfterFunc(run.era, func() { cancel(context.Cause(run.era)) })
	return ctx, func() {
		release()
		cancel(nil)
	}
}
