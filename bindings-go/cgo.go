//go:build cgo

package strongroom

/*
#cgo noescape strongroom_vault_missing
#cgo nocallback strongroom_vault_missing
#cgo CFLAGS: -I${SRCDIR}
#cgo linux,amd64,!hazmat,!boringcrypto LDFLAGS: ${SRCDIR}/libstrongroom_linux_amd64.a
#include "cgo.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Memory of Go is lent to the core for the call and never kept there. Structs with
// pointers go by value, because cgo allows no pointer to memory that holds
// pointers: cgo.h puts them where the core wants them.

type handle = *C.strongroom_vault

func init() {
	// Not linked with an archive of another release than strongroom.h.
	C.strongroom_link_0_1_0()
}

func rawVaultNew(options string) (handle, error) {
	var made handle
	status := C.strongroom_vault_new(text8(options), &made)
	runtime.KeepAlive(options)
	return made, failed(status)
}

func rawVaultFree(h handle) { C.strongroom_vault_free(h) }

func rawMissing(h handle, joined []byte, lengths []uint32) ([]DekRef, error) {
	out := make([]byte, len(lengths)*len(DekRef{}))
	var n C.size_t
	status := C.strongroom_vault_missing(h, bytes8(joined),
		(*C.uint32_t)(unsafe.SliceData(lengths)), C.size_t(len(lengths)), dst8(out), C.size_t(len(out)), &n)
	runtime.KeepAlive(joined)
	return dekRefs(out[:n]), failed(status)
}

func rawStatus(h handle) ([]byte, error) {
	// Between two calls the list may grow, so the room is asked for until it is enough.
	for room := 4096; ; {
		list := make([]byte, room)
		var n C.size_t
		status := C.strongroom_vault_status(h, dst8(list), C.size_t(len(list)), &n)
		if status != 0 {
			return nil, failed(status)
		}
		if int(n) <= len(list) {
			return list[:n], nil
		}
		room = int(n)
	}
}

// output gives a call room for size bytes and returns what it wrote there.
func output(size int, call func(*C.uint8_t, C.size_t, *C.size_t) C.strongroom_status) ([]byte, error) {
	out := make([]byte, size)
	var n C.size_t
	if err := failed(call(dst8(out), C.size_t(size), &n)); err != nil {
		return nil, err
	}
	return out[:n], nil
}

func binding(at *Binding) C.strongroom_binding {
	hasRevision, revision := revisionOf(at)
	return C.strongroom_binding{
		org: text8(at.Org), table: text8(at.Table), record: text8(at.Record), field: text8(at.Field),
		has_revision: C.uint8_t(bit(hasRevision)), revision: C.uint64_t(revision),
	}
}

func text8(s string) C.strongroom_bytes {
	return C.strongroom_bytes{data: (*C.uint8_t)(unsafe.StringData(s)), len: C.size_t(len(s))}
}

func bytes8(b []byte) C.strongroom_bytes {
	return C.strongroom_bytes{data: dst8(b), len: C.size_t(len(b))}
}

func dst8(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(b)) }

func dekRefs(joined []byte) []DekRef {
	refs := make([]DekRef, 0, len(joined)/len(DekRef{}))
	for ; len(joined) > 0; joined = joined[len(DekRef{}):] {
		refs = append(refs, DekRef(joined))
	}
	return refs
}

func failed(status C.strongroom_status) error { return fromNumber(uint32(status)) }
