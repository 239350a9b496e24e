//go:build cgo && hazmat && !boringcrypto

package strongroom

// What only tests do: bare DEKs, fixed IVs, set clocks, a failing generator. The
// build tag is not enough to get it: the archive with these entries is never
// shipped, nor is this file.

/*
#cgo linux,amd64 LDFLAGS: ${SRCDIR}/../target/hazmat/c/libstrongroom.a
#include "hazmat_cgo.h"
*/
import "C"

// HazmatDek is a bare DEK and its identity, the JSON of SHIM's `identity`.
type HazmatDek struct {
	Key      []byte
	Identity string
}

// HazmatDekRef gives a bare DEK's reference.
func HazmatDekRef(dek HazmatDek) (DekRef, error) {
	var ref DekRef
	status := C.strongroom_go_hazmat_dek_ref(dek.lend(), dst8(ref[:]))
	return ref, failed(status)
}

// HazmatBindingAad gives the AAD of a header and a binding.
func HazmatBindingAad(header []byte, at Binding) ([]byte, error) {
	size := len(header) + 4*(2+1024) + 9
	return output(size, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_hazmat_binding_aad(bytes8(header), binding(&at), dst, size, n)
	})
}

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

// HazmatNewVault makes a vault whose clocks stand where the test puts them.
func HazmatNewVault(wall, mono uint64, with ...Option) (*Vault, error) {
	set := options{}
	for _, option := range with {
		option(&set)
	}
	var made handle
	status := C.strongroom_hazmat_vault_new(text8(set.json()), C.uint64_t(wall), C.uint64_t(mono), &made)
	if err := failed(status); err != nil {
		return nil, err
	}
	return adopt(made), nil
}

// HazmatSetClock moves the clocks of such a vault.
func (v *Vault) HazmatSetClock(wall, mono uint64) error {
	return v.do(func(h handle) error {
		return failed(C.strongroom_hazmat_set_clock(h, C.uint64_t(wall), C.uint64_t(mono)))
	})
}

// HazmatSetRngOK lets the generator of the whole process fail while ok is false.
func HazmatSetRngOK(ok bool) error { return failed(C.strongroom_hazmat_set_rng_ok(C.uint8_t(bit(ok)))) }

func (d HazmatDek) lend() C.strongroom_hazmat_dek {
	return C.strongroom_hazmat_dek{key: bytes8(d.Key), identity: text8(d.Identity)}
}
