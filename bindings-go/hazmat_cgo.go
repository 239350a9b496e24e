//go:build cgo && hazmat

package strongroom

// What only tests do: bare DEKs, fixed IVs, set clocks, a failing generator. The
// build tag is not enough to get it: the archive with these entries is never
// shipped, nor is this file.

/*
#cgo linux,amd64,!boringcrypto LDFLAGS: ${SRCDIR}/../target/hazmat/c/libstrongroom.a
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
