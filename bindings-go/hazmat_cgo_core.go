//go:build cgo && hazmat && !boringcrypto

package strongroom

// #include "hazmat_cgo.h"
import "C"

// HazmatSeal seals under a bare DEK; without iv under a random one.
func HazmatSeal(dek HazmatDek, at Binding, plaintext []byte, padded bool, iv []byte) ([]byte, error) {
	size := SealedLen(len(plaintext), padded)
	return output(size, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_hazmat_seal(dek.lend(), binding(&at), bytes8(plaintext),
			C.uint8_t(bit(padded)), bytes8(iv), dst, size, n)
	})
}

// HazmatOpen opens under a bare DEK.
func HazmatOpen(dek HazmatDek, at Binding, envelope []byte) ([]byte, error) {
	return output(len(envelope), func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_hazmat_open(dek.lend(), binding(&at), bytes8(envelope), dst, size, n)
	})
}

// HazmatSealMany gives count envelopes of the empty value.
func HazmatSealMany(dek HazmatDek, at Binding, count uint32) ([][]byte, error) {
	joined, err := output(overhead*int(count), func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_hazmat_seal_many(dek.lend(), binding(&at), C.uint32_t(count), dst, size, n)
	})
	envelopes := make([][]byte, 0, count)
	for ; len(joined) >= overhead; joined = joined[overhead:] {
		envelopes = append(envelopes, joined[:overhead])
	}
	return envelopes, err
}

// HazmatReseal opens under one bare DEK and seals under another.
func HazmatReseal(from, to HazmatDek, at Binding, envelope []byte) ([]byte, error) {
	return output(len(envelope), func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_hazmat_reseal(from.lend(), to.lend(), binding(&at), bytes8(envelope), dst, size, n)
	})
}

// HazmatWrapLocal wraps one bare DEK under another.
func HazmatWrapLocal(kek, dek HazmatDek, purpose, reader string, created uint64, iv []byte) (WrapRow, error) {
	row, err := output(C.STRONGROOM_ROW_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_hazmat_wrap_local(kek.lend(), dek.lend(), text8(purpose), text8(reader),
			C.uint64_t(created), bytes8(iv), dst, size, n)
	})
	return WrapRowFromJSON(row), err
}

// HazmatUnwrapLocal unwraps a local row and opens an envelope with what it got.
func HazmatUnwrapLocal(kek HazmatDek, row WrapRow, at Binding, envelope []byte) ([]byte, error) {
	return output(len(envelope), func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_hazmat_unwrap_local(kek.lend(), text8(row.text), binding(&at), bytes8(envelope), dst, size, n)
	})
}
