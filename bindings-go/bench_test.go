//go:build cgo

package strongroom

import (
	"bytes"
	"fmt"
	"testing"
)

// The crossing is measured with the work, because callers pay for both.

func BenchmarkSeal(b *testing.B) {
	vault := sealing(b)
	for _, size := range []int{16, 256, 4096, 1 << 20} {
		plaintext, at := bytes.Repeat([]byte{'x'}, size), password()
		b.Run(fmt.Sprintf("new/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := vault.Seal(at, plaintext, SealOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("reused/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			dst := make([]byte, 0, SealedLen(size, false))
			for b.Loop() {
				if _, err := vault.AppendSeal(dst, at, plaintext, SealOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	vault := sealing(b)
	for _, size := range []int{16, 256, 4096, 1 << 20} {
		envelope, err := vault.Seal(password(), bytes.Repeat([]byte{'x'}, size), SealOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("reused/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			dst, at := make([]byte, 0, size), password()
			for b.Loop() {
				if _, err := vault.AppendOpen(dst, at, envelope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenMany(b *testing.B) {
	vault := sealing(b)
	items := make([]OpenItem, 1000)
	for i := range items {
		envelope, err := vault.Seal(password(), bytes.Repeat([]byte{'x'}, 256), SealOptions{})
		if err != nil {
			b.Fatal(err)
		}
		items[i] = OpenItem{password(), envelope}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := vault.OpenMany(items); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenInParallel(b *testing.B) {
	vault := sealing(b)
	envelope, err := vault.Seal(password(), bytes.Repeat([]byte{'x'}, 1<<20), SealOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 20)
	b.RunParallel(func(pb *testing.PB) {
		dst := make([]byte, 0, 1<<20)
		for pb.Next() {
			if _, err := vault.AppendOpen(dst, password(), envelope); err != nil {
				b.Error(err)
			}
		}
	})
}
