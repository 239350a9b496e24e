//go:build cgo && linux && !race

package strongroom

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// A masked secret is one that the test can look for without holding it.
type masked struct{ mask, value []byte }

// newMasked writes a random secret into dst and nowhere else: what makes random
// bytes may leave some of them in registers, and so on a stack.
func newMasked(dst []byte) masked {
	it := masked{make([]byte, len(dst)), make([]byte, len(dst))}
	rand.Read(it.mask)
	rand.Read(it.value)
	for i := range dst {
		dst[i] = it.value[i] ^ it.mask[i]
	}
	return it
}

func (m masked) part(from, to int) masked { return masked{m.mask[from:to], m.value[from:to]} }

func (m masked) count(memory []byte) (found int) {
	first := m.value[0] ^ m.mask[0]
	for at := bytes.IndexByte(memory, first); at >= 0 && at+len(m.value) <= len(memory); {
		same := true
		for i := range m.value {
			if memory[at+i]^m.mask[i] != m.value[i] {
				same = false
				break
			}
		}
		if same {
			found++
		}
		next := bytes.IndexByte(memory[at+1:], first)
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return found
}

// A scanner reads the process's writable memory, but for its own window.
type scanner struct{ window []byte }

func newScanner(t *testing.T) scanner {
	t.Helper()
	window, err := syscall.Mmap(-1, 0, 8<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(window) })
	return scanner{window}
}

// count says how often each secret stands in memory.
func (s scanner) count(t *testing.T, secrets ...masked) []int {
	t.Helper()
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	found, scanned := make([]int, len(secrets)), 0
	for _, region := range s.regions(t) {
		// Pieces overlap by less than the shortest secret, so that none is counted twice.
		for at := region[0]; at < region[1]; {
			piece := s.window[:min(uint64(len(s.window)), region[1]-at)]
			n, _ := memory.ReadAt(piece, int64(at))
			if n <= 0 {
				break
			}
			for i, secret := range secrets {
				found[i] += secret.count(piece[:n])
			}
			scanned += n
			if at += uint64(n); at < region[1] {
				at -= 64
			}
		}
	}
	clear(s.window)
	if scanned < 1<<20 {
		t.Fatalf("only %d bytes were read", scanned)
	}
	return found
}

func (s scanner) regions(t *testing.T) (list [][2]uint64) {
	t.Helper()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	own := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s.window))))
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uint64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(rights, "rw") {
			continue
		}
		// The kernel may show the window as a part of a larger mapping.
		end := own + uint64(len(s.window))
		if from < own && own < to {
			list = append(list, [2]uint64{from, own})
		}
		if from < end && end < to {
			list = append(list, [2]uint64{end, to})
		}
		if to <= own || from >= end {
			list = append(list, [2]uint64{from, to})
		}
	}
	return list
}

// mintedDek makes a vault with a DEK that nobody else has ever held, and what it takes to look for it.
func mintedDek(t *testing.T) (*Vault, masked) {
	t.Helper()
	vault, err := NewVault()
	if err != nil {
		t.Fatal(err)
	}
	request, err := vault.MintRequest("acme", cmk, 1, created)
	if err != nil {
		t.Fatal(err)
	}
	reply := answer(request)
	dek := newMasked(reply.Plaintext)
	_, active, err := vault.AdmitMinted(request.ID, reply)
	if err != nil {
		t.Fatal(err)
	}
	if err := vault.SetActive(active); err != nil {
		t.Fatal(err)
	}
	return vault, dek
}

func TestAFailedOpenLeavesNoPlaintextBehind(t *testing.T) {
	scan := newScanner(t)
	vault, _ := mintedDek(t)
	defer vault.Close()
	plaintext := make([]byte, 4096)
	secret := newMasked(plaintext)
	parts := []masked{secret.part(0, 16), secret.part(2048, 2064), secret.part(4080, 4096)}
	envelope, err := vault.Seal(password(), plaintext, SealOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if found := scan.count(t, parts...); found[0] == 0 || found[1] == 0 || found[2] == 0 {
		t.Fatalf("the scan does not find a plaintext that is there: %v", found)
	}
	clear(plaintext)
	if found := scan.count(t, parts...); found[0]+found[1]+found[2] != 0 {
		t.Errorf("after seal: %v", found)
	}
	dst := bytes.Repeat([]byte{0xA5}, 4096)
	envelope[len(envelope)-1] ^= 1
	for _, at := range []Binding{password(), password().WithRevision(1)} {
		if _, err := vault.AppendOpen(dst[:0], at, envelope); !errors.Is(err, ErrAuthFailed) {
			t.Fatal(err)
		}
		results, err := vault.OpenMany([]OpenItem{{at, envelope}})
		if err != nil || !errors.Is(results[0].Err, ErrAuthFailed) {
			t.Fatal(err)
		}
		if _, err := vault.Reseal(at, envelope, ResealOptions{}); !errors.Is(err, ErrAuthFailed) {
			t.Fatal(err)
		}
	}
	if found := scan.count(t, parts...); found[0]+found[1]+found[2] != 0 {
		t.Errorf("after failed opens: %v", found)
	}
	if !bytes.Equal(dst, bytes.Repeat([]byte{0xA5}, 4096)) {
		t.Error("the buffer was written to")
	}
	runtime.KeepAlive(plaintext)
}
