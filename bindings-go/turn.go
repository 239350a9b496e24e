package strongroom

import "context"

// turn is for work that goes on one at a time.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits until nobody else has the turn; free gives it up.
func (t turn) take(ctx context.Context) (free func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
