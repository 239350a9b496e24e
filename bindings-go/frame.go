package strongroom

import (
	"encoding/binary"
	"math"
)

// A batch crosses to the core as one frame and comes back as one; strongroom.h
// describes both. It never leaves the process.

// sealReplyExtra is what an item's answer may exceed its question by.
const sealReplyExtra = 136

func sealFrame(items []SealItem) ([]byte, error) {
	size := 0
	for i := range items {
		size += itemLen(&items[i].Binding, items[i].Plaintext)
	}
	frame, err := newFrame(len(items), size)
	for i := range items {
		item := &items[i]
		frame = appendItem(frame, &item.Binding, item.Options, item.Plaintext)
	}
	return frame, err
}

func openFrame(items []OpenItem) ([]byte, error) {
	size := 0
	for i := range items {
		size += itemLen(&items[i].Binding, items[i].Envelope)
	}
	frame, err := newFrame(len(items), size)
	for i := range items {
		frame = appendItem(frame, &items[i].Binding, SealOptions{}, items[i].Envelope)
	}
	return frame, err
}

// newFrame makes a frame's buffer at its full size: growing it would leave copies
// of plaintext behind.
func newFrame(items, size int) ([]byte, error) {
	if items > batchMax || uint64(size) > math.MaxUint32 {
		return nil, ErrLimit
	}
	return make([]byte, 0, size), nil
}

func itemLen(at *Binding, value []byte) int {
	const fixed = 5*4 + 1 + 8 + 1 + 1
	return fixed + len(at.Org) + len(at.Table) + len(at.Record) + len(at.Field) + len(value)
}

func appendItem(frame []byte, at *Binding, options SealOptions, value []byte) []byte {
	for _, part := range [...]string{at.Org, at.Table, at.Record, at.Field} {
		frame = binary.BigEndian.AppendUint32(frame, uint32(len(part)))
		frame = append(frame, part...)
	}
	hasRevision, revision := revisionOf(at)
	frame = append(frame, bit(hasRevision))
	frame = binary.BigEndian.AppendUint64(frame, revision)
	frame = append(frame, byte(options.Scope), bit(options.Padded))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(value)))
	return append(frame, value...)
}

// results cuts a reply into its answers. The values share the reply's memory, each
// with its own capacity, so that appending to one never overwrites the next.
func results(reply []byte, count int) ([]Result, error) {
	list := make([]Result, count)
	for i := range list {
		if len(reply) < 8 {
			return nil, ErrInternal
		}
		number, n := binary.BigEndian.Uint32(reply), binary.BigEndian.Uint32(reply[4:])
		reply = reply[8:]
		if uint64(n) > uint64(len(reply)) {
			return nil, ErrInternal
		}
		if list[i].Err = fromNumber(number); list[i].Err == nil {
			list[i].Value = reply[:n:n]
		}
		reply = reply[n:]
	}
	return list, nil
}

// join puts byte strings one behind the other.
func join(list [][]byte) (joined []byte, lengths []uint32, err error) {
	size := 0
	lengths = make([]uint32, len(list))
	for i, item := range list {
		if uint64(len(item)) > math.MaxUint32 {
			return nil, nil, ErrLimit
		}
		size += len(item)
		lengths[i] = uint32(len(item))
	}
	joined = make([]byte, 0, size)
	for _, item := range list {
		joined = append(joined, item...)
	}
	return joined, lengths, nil
}

func revisionOf(at *Binding) (bool, uint64) {
	if at.Revision == nil {
		return false, 0
	}
	return true, *at.Revision
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}
