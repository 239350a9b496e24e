//go:build cgo

package strongroom

// #include "cgo.h"
import "C"

import (
	"runtime"
	"unsafe"
)

func rawMintRequest(h handle, org, cmk string, version uint32, created uint64) ([]byte, error) {
	return output(C.STRONGROOM_REQUEST_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_vault_mint_request(h, text8(org), text8(cmk),
			C.uint32_t(version), C.uint64_t(created), dst, size, n)
	})
}

func rawAdmitMinted(h handle, request uint64, from *KmsReply) (string, string, error) {
	row, active := make([]byte, C.STRONGROOM_ROW_MAX), make([]byte, C.STRONGROOM_ACTIVE_MAX)
	var rowLen, activeLen C.size_t
	status := C.strongroom_go_admit_minted(h, C.uint64_t(request), reply(from),
		dst8(row), C.size_t(len(row)), &rowLen, dst8(active), C.size_t(len(active)), &activeLen)
	runtime.KeepAlive(from)
	return string(row[:rowLen]), string(active[:activeLen]), failed(status)
}

func rawSetActive(h handle, active string) error {
	return failed(C.strongroom_vault_set_active(h, text8(active)))
}

func rawUnwrapRequest(h handle, org, row string) ([]byte, error) {
	return output(C.STRONGROOM_REQUEST_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_vault_unwrap_request(h, text8(org), text8(row), dst, size, n)
	})
}

func rawWrapRequest(h handle, ref DekRef, cmk string, created uint64) ([]byte, error) {
	return output(C.STRONGROOM_REQUEST_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_vault_wrap_request(h, bytes8(ref[:]), text8(cmk), C.uint64_t(created), dst, size, n)
	})
}

func rawShareRequest(h handle, ref DekRef, reader, cmk string, created uint64) ([]byte, error) {
	return output(C.STRONGROOM_REQUEST_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_vault_share_request(h, bytes8(ref[:]), text8(reader), text8(cmk),
			C.uint64_t(created), dst, size, n)
	})
}

func rawTakeRequestPlaintext(h handle, request uint64, dek []byte) error {
	return failed(C.strongroom_vault_take_request_plaintext(h, C.uint64_t(request), dst8(dek)))
}

func rawAdmitShared(h handle, request uint64, from *KmsReply) (string, error) {
	defer runtime.KeepAlive(from)
	row, err := output(C.STRONGROOM_ROW_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_go_admit_shared(h, C.uint64_t(request), reply(from), dst, size, n)
	})
	return string(row), err
}

func rawShredRequest(h handle, org, cmk string, days uint32) ([]byte, error) {
	return output(C.STRONGROOM_REQUEST_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_vault_shred_request(h, text8(org), text8(cmk), C.uint32_t(days), dst, size, n)
	})
}

func rawTombstone(h handle, org string) error {
	return failed(C.strongroom_vault_tombstone(h, text8(org)))
}

func rawSignOut(h handle) ([]DekRef, error) {
	// Between two calls the list may grow, so the room is asked for until it is enough.
	for room := int(C.STRONGROOM_SIGN_OUT_MAX); ; {
		list := make([]byte, room)
		var n C.size_t
		status := C.strongroom_vault_sign_out(h, dst8(list), C.size_t(len(list)), &n)
		if status != C.STRONGROOM_LIMIT {
			return dekRefs(list[:n]), failed(status)
		}
		room = int(n)
	}
}

func rawCacheExport(h handle, ref DekRef) ([]byte, error) {
	return output(C.STRONGROOM_CACHE_ENTRY_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_vault_cache_export(h, bytes8(ref[:]), dst, size, n)
	})
}

func rawCacheImport(h handle, entry []byte) (DekRef, error) {
	var ref DekRef
	status := C.strongroom_vault_cache_import(h, dst8(entry), C.size_t(len(entry)), dst8(ref[:]))
	return ref, failed(status)
}

func rawVersion() string { return C.GoString(C.strongroom_version()) }

func rawAssertFipsEndpoint(endpoint, region string) error {
	return failed(C.strongroom_assert_fips_endpoint(text8(endpoint), text8(region)))
}

func rawInspect(envelope []byte) (UntrustedHeader, error) {
	var header C.strongroom_untrusted_header
	if err := failed(C.strongroom_inspect(bytes8(envelope), &header)); err != nil {
		return UntrustedHeader{}, err
	}
	return UntrustedHeader{
		Version: uint8(header.version), Suite: uint8(header.suite), Padded: header.padded == 1,
		DekRef: DekRef(C.GoBytes(unsafe.Pointer(&header.dek_ref[0]), C.STRONGROOM_DEK_REF_LEN)),
		CtLen:  uint32(header.ct_len),
	}, nil
}

func rawToText(envelope []byte) (string, error) {
	size := int(C.strongroom_text_len(C.size_t(len(envelope))))
	text, err := output(size, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_to_text(bytes8(envelope), dst, size, n)
	})
	return string(text), err
}

func rawFromText(text string) ([]byte, error) {
	return output(len(text), func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_from_text(text8(text), dst, size, n)
	})
}

func rawKmsContext(row string) ([]byte, error) {
	return output(C.STRONGROOM_CONTEXT_MAX, func(dst *C.uint8_t, size C.size_t, n *C.size_t) C.strongroom_status {
		return C.strongroom_kms_context(text8(row), dst, size, n)
	})
}

func rawCheckWrapRow(row string) error { return failed(C.strongroom_wrap_row_check(text8(row))) }

func rawCheckActiveRow(active string) error {
	return failed(C.strongroom_active_row_check(text8(active)))
}

// reply lends a reply's members. Those that are nil, or empty where that means
// absent, have no data.
func reply(from *KmsReply) C.strongroom_reply {
	to := C.strongroom_reply{
		endpoint:        present(from.Endpoint),
		plaintext:       dst8(from.Plaintext),
		plaintext_len:   C.size_t(len(from.Plaintext)),
		ciphertext_blob: bytes8(from.CiphertextBlob),
	}
	if from.Error != "" {
		to.error = text8(from.Error)
	}
	if from.KeyID != nil {
		to.key_id = present(*from.KeyID)
	}
	return to
}

// present lends a text that is given even where it is empty.
func present(s string) C.strongroom_bytes {
	if s == "" {
		return C.strongroom_bytes{data: dst8(make([]byte, 0, 1)[:0])}
	}
	return text8(s)
}
