//go:build cgo && hazmat && boringcrypto

package strongroom

/*
#cgo linux,amd64 LDFLAGS: ${SRCDIR}/../target/hazmat/c/libstrongroom_boring.a
#include "hazmat_boring_cgo.h"
*/
import "C"

// HazmatSeal seals under a bare DEK; without iv under a random one.
func HazmatSeal(dek HazmatDek, at Binding, plaintext []byte, padded bool, iv []byte) ([]byte, error) {
	size := SealedLen(len(plaintext), padded)
	return operated(size, func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_hazmat_seal_begin(dek.lend(), binding(&at), bytes8(plaintext),
			C.uint8_t(bit(padded)), bytes8(iv), made)
	})
}

// HazmatOpen opens under a bare DEK.
func HazmatOpen(dek HazmatDek, at Binding, envelope []byte) ([]byte, error) {
	return operated(len(envelope), func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_hazmat_open_begin(dek.lend(), binding(&at), bytes8(envelope), made)
	})
}

// HazmatSealMany gives count envelopes of the empty value.
func HazmatSealMany(dek HazmatDek, at Binding, count uint32) ([][]byte, error) {
	joined, err := operated(overhead*int(count), func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_hazmat_seal_many_begin(dek.lend(), binding(&at), C.uint32_t(count), made)
	})
	envelopes := make([][]byte, 0, count)
	for ; len(joined) >= overhead; joined = joined[overhead:] {
		envelopes = append(envelopes, joined[:overhead])
	}
	return envelopes, err
}

// HazmatReseal opens under one bare DEK and seals under another.
func HazmatReseal(from, to HazmatDek, at Binding, envelope []byte) ([]byte, error) {
	return operated(len(envelope), func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_hazmat_reseal_begin(from.lend(), to.lend(), binding(&at), bytes8(envelope), made)
	})
}

// HazmatWrapLocal wraps one bare DEK under another.
func HazmatWrapLocal(kek, dek HazmatDek, purpose, reader string, created uint64, iv []byte) (WrapRow, error) {
	row, err := operated(C.STRONGROOM_ROW_MAX, func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_hazmat_wrap_local_begin(kek.lend(), dek.lend(), text8(purpose), text8(reader),
			C.uint64_t(created), bytes8(iv), made)
	})
	return WrapRowFromJSON(row), err
}

// HazmatUnwrapLocal unwraps a local row and opens an envelope with what it got.
func HazmatUnwrapLocal(kek HazmatDek, row WrapRow, at Binding, envelope []byte) ([]byte, error) {
	return operated(len(envelope), func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_hazmat_unwrap_local_begin(kek.lend(), text8(row.text), binding(&at), bytes8(envelope), made)
	})
}
