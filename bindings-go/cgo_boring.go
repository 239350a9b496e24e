//go:build cgo && boringcrypto

package strongroom

/*
#cgo linux,amd64,!hazmat LDFLAGS: ${SRCDIR}/libstrongroom_boring_linux_amd64.a
#include "boring_cgo.h"
*/
import "C"

import (
	"crypto/aes"
	"crypto/boring"
	"crypto/cipher"
	"runtime"
	"unsafe"
)

// What uses a DEK, with AES-GCM in Go's BoringCrypto. The core, which has no AES in
// this build, makes every check, hands out the cipher's work step by step and makes
// the result. Keys and plaintexts stay in its memory, which it wipes; what crypto/aes
// copies of a key is beyond our reach: see SECURITY.md.

const engine = "boring"

func init() {
	if !boring.Enabled() {
		panic("strongroom: this build's AES-GCM is BoringCrypto's, and that is not enabled")
	}
}

// begin starts an operation: its status says what the core's checks found.
type begin func(made **C.strongroom_external) C.strongroom_status

// operate does an operation into room and says how many bytes the result has. room
// is as it was after an error.
func operate(room []byte, start begin) (int, error) {
	var external *C.strongroom_external
	if err := failed(start(&external)); err != nil {
		return 0, err
	}
	defer C.strongroom_external_free(external)
	for {
		var step C.strongroom_external_step
		var more C.uint8_t
		if err := failed(C.strongroom_external_next(external, &step, &more)); err != nil {
			return 0, err
		}
		if more == 0 {
			break
		}
		if err := failed(C.strongroom_external_resume(external, C.uint8_t(bit(encipher(&step))))); err != nil {
			return 0, err
		}
	}
	var n C.size_t
	err := failed(C.strongroom_external_finish(external, dst8(room), C.size_t(len(room)), &n))
	return int(n), err
}

// encipher does one step where the core wants its result, and says whether it succeeded.
func encipher(step *C.strongroom_external_step) bool {
	block, err := aes.NewCipher(unsafe.Slice((*byte)(step.key), 32))
	if err != nil {
		return false
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return false
	}
	iv, aad, input := unsafe.Slice((*byte)(step.iv), gcm.NonceSize()), lent(step.aad), lent(step.input)
	output := unsafe.Slice((*byte)(step.output), int(step.output_len))
	// Without room to spare: a result of another length would be made elsewhere.
	if step.seals == 1 {
		return len(gcm.Seal(output[:0:len(output)], iv, input, aad)) == len(output)
	}
	opened, err := gcm.Open(output[:0:len(output)], iv, input, aad)
	return err == nil && len(opened) == len(output)
}

func lent(bytes C.strongroom_bytes) []byte {
	return unsafe.Slice((*byte)(bytes.data), int(bytes.len))
}

// operated is operate into a new buffer of at most size bytes.
func operated(size int, start begin) ([]byte, error) {
	out := make([]byte, size)
	n, err := operate(out, start)
	if err != nil {
		return nil, err
	}
	return out[:n], nil
}

func rawSeal(h handle, at *Binding, plaintext []byte, options SealOptions, room []byte) (int, error) {
	defer runtime.KeepAlive(at)
	return operate(room, func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_seal_begin(h, binding(at), bytes8(plaintext),
			C.uint8_t(options.Scope), C.uint8_t(bit(options.Padded)), made)
	})
}

func rawOpen(h handle, at *Binding, envelope, room []byte) (int, error) {
	defer runtime.KeepAlive(at)
	return operate(room, func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_open_begin(h, binding(at), bytes8(envelope), made)
	})
}

func rawSealMany(h handle, frame, reply []byte) (int, error) {
	return operate(reply, func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_vault_seal_many_begin(h, bytes8(frame), made)
	})
}

func rawOpenMany(h handle, frame, reply []byte) (int, error) {
	return operate(reply, func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_vault_open_many_begin(h, bytes8(frame), made)
	})
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
	return operated(len(envelope)+padBlock, func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_reseal_begin(h, binding(at), bytes8(envelope), scope, padded, made)
	})
}

func rawRebind(h handle, from, to *Binding, envelope []byte) ([]byte, error) {
	defer runtime.KeepAlive([]*Binding{from, to})
	return operated(len(envelope), func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_go_rebind_begin(h, binding(from), binding(to), bytes8(envelope), made)
	})
}

// A local row is unwrapped in steps; an answer of the KMS needs none.
func rawAdmit(h handle, org, row string, from *KmsReply) (DekRef, error) {
	var ref DekRef
	if from == nil {
		_, err := operate(ref[:], func(made **C.strongroom_external) C.strongroom_status {
			return C.strongroom_vault_unwrap_begin(h, text8(org), text8(row), made)
		})
		return ref, err
	}
	status := C.strongroom_go_admit(h, text8(org), text8(row), 1, reply(from), dst8(ref[:]))
	runtime.KeepAlive(from)
	return ref, failed(status)
}

func rawGenerateRecordDek(h handle, org, table, record string, version uint32, created uint64) (string, error) {
	row, err := operated(C.STRONGROOM_ROW_MAX, func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_vault_generate_record_dek_begin(h, text8(org), text8(table), text8(record),
			C.uint32_t(version), C.uint64_t(created), made)
	})
	return string(row), err
}

func rawWrapLocal(h handle, org string, ref DekRef, created uint64) (string, error) {
	row, err := operated(C.STRONGROOM_ROW_MAX, func(made **C.strongroom_external) C.strongroom_status {
		return C.strongroom_vault_wrap_begin(h, text8(org), bytes8(ref[:]), C.uint64_t(created), made)
	})
	return string(row), err
}
