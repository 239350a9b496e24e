//go:build cgo && !boringcrypto

package strongroom

/*
#cgo noescape strongroom_go_seal
#cgo nocallback strongroom_go_seal
#cgo noescape strongroom_go_open
#cgo nocallback strongroom_go_open
#cgo noescape strongroom_vault_seal_many
#cgo nocallback strongroom_vault_seal_many
#cgo noescape strongroom_vault_open_many
#cgo nocallback strongroom_vault_open_many
#include "cgo.h"
*/
import "C"

import "runtime"

// What uses a DEK, with the core's own AES-GCM.

const engine = "core"

func rawSeal(h handle, at *Binding, plaintext []byte, options SealOptions, room []byte) (int, error) {
	var n C.size_t
	status := C.strongroom_go_seal(h, binding(at), bytes8(plaintext),
		C.uint8_t(options.Scope), C.uint8_t(bit(options.Padded)), dst8(room), C.size_t(len(room)), &n)
	runtime.KeepAlive(at)
	runtime.KeepAlive(plaintext)
	return int(n), failed(status)
}

func rawOpen(h handle, at *Binding, envelope, room []byte) (int, error) {
	var n C.size_t
	status := C.strongroom_go_open(h, binding(at), bytes8(envelope), dst8(room), C.size_t(len(room)), &n)
	runtime.KeepAlive(at)
	runtime.KeepAlive(envelope)
	return int(n), failed(status)
}

func rawSealMany(h handle, frame, reply []byte) (int, error) {
	var n C.size_t
	status := C.strongroom_vault_seal_many(h, bytes8(frame), dst8(reply), C.size_t(len(reply)), &n)
	runtime.KeepAlive(frame)
	return int(n), failed(status)
}

func rawOpenMany(h handle, frame, reply []byte) (int, error) {
	var n C.size_t
	status := C.strongroom_vault_open_many(h, bytes8(frame), dst8(reply), C.size_t(len(reply)), &n)
	runtime.KeepAlive(frame)
	return int(n), failed(status)
}

func rawReseal(h handle, at *Binding, envelope []byte, options ResealOptions) ([]byte, error) {
	scope, padded := C.int8_t(C.STRONGROOM_KEEP), C.int8_t(C.STRONGROOM_KEEP)
	if options.Scope != nil {
		scope = C.int8_t(*options.Scope)
	}
	if options.Padded != nil {
		padded = C.int8_t(bit(*options.Padded))
	}
	defer runtime.KeepAlive(at)
	defer runtime.KeepAlive(envelope)
	return output(len(envelope)+padBlock, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_reseal(h, binding(at), bytes8(envelope), scope, padded, dst, size, n)
	})
}

func rawRebind(h handle, from, to *Binding, envelope []byte) ([]byte, error) {
	defer runtime.KeepAlive([]*Binding{from, to})
	defer runtime.KeepAlive(envelope)
	return output(len(envelope), func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_rebind(h, binding(from), binding(to), bytes8(envelope), dst, size, n)
	})
}

func rawAdmit(h handle, org, row string, from *KmsReply) (DekRef, error) {
	var ref DekRef
	var taken C.strongroom_reply
	if from != nil {
		taken = reply(from)
	}
	status := C.strongroom_go_admit(h, text8(org), text8(row), C.uint8_t(bit(from != nil)), taken, dst8(ref[:]))
	runtime.KeepAlive(from)
	return ref, failed(status)
}

func rawGenerateRecordDek(h handle, org, table, record string, version uint32, created uint64) (string, error) {
	row, err := output(C.STRONGROOM_ROW_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_vault_generate_record_dek(h, text8(org), text8(table), text8(record),
			C.uint32_t(version), C.uint64_t(created), dst, size, n)
	})
	return string(row), err
}

func rawWrapLocal(h handle, org string, ref DekRef, created uint64) (string, error) {
	row, err := output(C.STRONGROOM_ROW_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_vault_wrap_local(h, text8(org), bytes8(ref[:]), C.uint64_t(created), dst, size, n)
	})
	return string(row), err
}
