package strongroom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// held says whether the vault has a DEK. Missing reads no more of an envelope than
// its frame, so an empty one with that dek_ref asks the question.
func (v *KmsVault) held(ref DekRef) (bool, error) {
	probe := make([]byte, overhead)
	copy(probe, []byte{0xF7, 1, 1, 0})
	copy(probe[4:], ref[:])
	missing, err := v.vault.Missing([][]byte{probe})
	return err == nil && len(missing) == 0, err
}

// hold gets a DEK if the vault doesn't have it.
func (v *KmsVault) hold(ctx context.Context, ref DekRef) error {
	if err := eraOver(ctx); err != nil {
		return err
	}
	if held, err := v.held(ref); held || err != nil {
		return err
	}
	return v.flights.do(ctx, flightKey{work: fetchDek, ref: ref}, func(ctx context.Context) error {
		// Another flight may have ended between the look and the start of this one.
		if held, err := v.held(ref); held || err != nil {
			return err
		}
		return v.fetch(ctx, ref)
	})
}

// fetch gets a DEK by the rows that came with its keychain entry, or else by the store's.
func (v *KmsVault) fetch(ctx context.Context, ref DekRef) error {
	if rows := v.chain.rowsOf(ref); len(rows) > 0 {
		if err := v.fetchBy(ctx, ref, rows); err == nil || ended(ctx) != nil {
			return err
		}
	}
	rows, err := v.store.Rows(ctx, ref, v.org)
	if err != nil {
		return err
	}
	return v.fetchBy(ctx, ref, rows)
}

// fetchBy tries a DEK's local rows, then asks the KMS.
func (v *KmsVault) fetchBy(ctx context.Context, ref DekRef, rows []WrapRow) error {
	failure := error(nil)
	var wrapped []candidate
	for _, row := range rows {
		members, err := row.Members()
		switch {
		case err != nil:
		case members.DekRef != ref:
			// It would bring in what nobody asked for.
			err = ErrRowInconsistent
		case members.Provider != providerLocal:
			wrapped = append(wrapped, candidate{row, members})
			continue
		default:
			if err = v.unwrapLocal(ctx, row, &members); err == nil || ctx.Err() != nil {
				return err
			}
		}
		failure = cmp.Or(failure, err)
	}
	if len(wrapped) > 0 {
		return v.unwrap(ctx, ref, wrapped)
	}
	return cmp.Or(failure, error(ErrUnknownDek))
}

// unwrapLocal admits a local row, after its KEK where that is not held. A KEK is an
// org DEK, so only the KMS can give it.
func (v *KmsVault) unwrapLocal(ctx context.Context, row WrapRow, members *WrapMembers) error {
	admit := func() error {
		_, err := v.vault.Admit(v.org, row, nil)
		return err
	}
	var kek DekRef
	err := v.admit(ctx, admit)
	if err != nil && !gone(err) {
		return err
	}
	if err := kek.UnmarshalText([]byte(members.KeyID)); err != nil {
		return err
	}
	if err != nil {
		if err := v.unwrap(ctx, kek, nil); err != nil {
			return err
		}
		if err := v.admit(ctx, admit); err != nil {
			return err
		}
	}
	v.bornUnder(members.DekRef, kek)
	v.chain.keep(ctx, v, members.DekRef, []WrapRow{row})
	return nil
}

type candidate struct {
	row     WrapRow
	members WrapMembers
}

// unwrap has the KMS unwrap a DEK, once however many wait. Without rows it is a KEK,
// whose rows it reads itself.
func (v *KmsVault) unwrap(ctx context.Context, ref DekRef, rows []candidate) error {
	return v.flights.do(ctx, flightKey{work: unwrapDek, ref: ref}, func(ctx context.Context) error {
		if held, err := v.held(ref); held || err != nil {
			return err
		}
		if err := v.stillDenied(ref); err != nil {
			return err
		}
		rows, err := rows, error(nil)
		if rows == nil {
			rows, err = v.kekRows(ctx, ref)
		}
		if err != nil {
			return err
		}
		return v.unwrapFirst(ctx, rows)
	})
}

// kekRows reads the rows of an org DEK. A record DEK that a local row names as its KEK
// is not worth a call: the vault would refuse it.
func (v *KmsVault) kekRows(ctx context.Context, ref DekRef) ([]candidate, error) {
	rows, err := v.store.Rows(ctx, ref, v.org)
	var wrapped []candidate
	for _, row := range rows {
		members, err := row.Members()
		if err == nil && members.DekRef == ref && members.Purpose == purposeOrgDek {
			wrapped = append(wrapped, candidate{row, members})
		}
	}
	return wrapped, err
}

// unwrapFirst asks for the row whose CMK the host lists first. Rows that the vault
// refuses before anything is asked are passed over: whoever can write to the store
// could otherwise hide a good row behind a bad one. An answer, even a denial, ends
// it: there is one call for a DEK and no falling back.
func (v *KmsVault) unwrapFirst(ctx context.Context, rows []candidate) error {
	own := v.cmks[v.org]
	rank := func(c candidate) int {
		if at := slices.Index(own, c.members.KeyID); at >= 0 {
			return at
		}
		return len(own)
	}
	slices.SortStableFunc(rows, func(a, b candidate) int { return rank(a) - rank(b) })
	failure := error(nil)
	for _, candidate := range rows {
		request, err := inEra(ctx, v, func() (KmsRequest, error) { return v.vault.UnwrapRequest(v.org, candidate.row) })
		if err == nil {
			ref := candidate.members.DekRef
			err := v.ask(ctx, request, nil, func(reply KmsReply) error {
				err := second(v.vault.Admit(v.org, candidate.row, &reply))
				if err == nil {
					v.born(ref)
				}
				return err
			})
			if err == nil {
				v.chain.keep(ctx, v, ref, []WrapRow{candidate.row})
			}
			v.denied(ref, err)
			return err
		}
		failure = cmp.Or(failure, err)
	}
	return cmp.Or(failure, error(ErrUnknownDek))
}

// ask sends a request, as often as is allowed, and has the answer taken in. take
// judges it: the vault knows which of the KMS's errors means what.
func (v *KmsVault) ask(ctx context.Context, request KmsRequest, plaintext []byte, take func(KmsReply) error) error {
	ctx, free := untilEra(ctx)
	defer free()
	for try := 1; ; try++ {
		reply, err := v.send(ctx, request, plaintext)
		if err == nil {
			err = v.admit(ctx, func() error { return take(reply) })
		}
		// The vault wipes what it takes; this is for what it never got.
		clear(reply.Plaintext)
		again := errors.Is(err, ErrKmsThrottled) || errors.Is(err, ErrKmsUnavailable)
		if !again || try == v.tries {
			return err
		}
		if err := v.pause(ctx, backOff(try)); err != nil {
			return err
		}
	}
}

func (v *KmsVault) send(ctx context.Context, request KmsRequest, plaintext []byte) (KmsReply, error) {
	select {
	case v.calls <- struct{}{}:
		defer func() { <-v.calls }()
	case <-ctx.Done():
	}
	// Where both were ready, either was taken.
	if err := ended(ctx); err != nil {
		return KmsReply{}, err
	}
	reply, err := v.kms.Send(ctx, request, plaintext)
	if over := ended(ctx); over != nil || err == nil {
		return reply, over
	}
	if known := new(Error); errors.As(err, &known) {
		return reply, err
	}
	return reply, fmt.Errorf("%w: %w", ErrKmsUnavailable, err)
}

// backOff is exponential with full jitter: waiters of one overload must not come
// back together.
func backOff(try int) time.Duration {
	ceiling := min(backOffFirst<<(try-1), backOffMost)
	return rand.N(ceiling)
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// gone says whether a call failed because a DEK is not held any more, or not yet.
func gone(err error) bool {
	return errors.Is(err, ErrUnknownDek) || errors.Is(err, ErrExpired) || errors.Is(err, ErrClockRollback)
}

const (
	backOffFirst = 100 * time.Millisecond
	backOffMost  = 5 * time.Second
)
