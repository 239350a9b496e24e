package strongroom_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	strongroom "strongroom.dev/go"
)

// fakeKms is a KMS in memory: a CMK is the hash of its ARN, and the encryption
// context is authenticated. It remembers what it was asked and every buffer that
// carried a DEK.
type fakeKms struct {
	lock    sync.Mutex
	calls   []strongroom.KmsRequest
	secrets [][]byte
	// fail gives the error name for a request, "" to answer it.
	fail func(strongroom.KmsRequest) string
	// before runs before each answer, outside of the lock.
	before func(context.Context, strongroom.KmsRequest) error
	// change may change an answer.
	change func(*strongroom.KmsReply)
}

func (k *fakeKms) Send(ctx context.Context, r strongroom.KmsRequest, plaintext []byte) (strongroom.KmsReply, error) {
	k.lock.Lock()
	k.calls = append(k.calls, r)
	before, fail, change := k.before, k.fail, k.change
	if plaintext != nil {
		k.secrets = append(k.secrets, plaintext)
	}
	k.lock.Unlock()
	if before != nil {
		if err := before(ctx, r); err != nil {
			return strongroom.KmsReply{}, err
		}
	}
	if fail != nil {
		if name := fail(r); name != "" {
			return strongroom.KmsReply{Endpoint: r.Endpoint, Error: name}, nil
		}
	}
	reply := k.answer(r, plaintext)
	if change != nil {
		change(&reply)
	}
	k.lock.Lock()
	defer k.lock.Unlock()
	if reply.Plaintext != nil {
		k.secrets = append(k.secrets, reply.Plaintext)
	}
	return reply, nil
}

func (k *fakeKms) answer(r strongroom.KmsRequest, plaintext []byte) strongroom.KmsReply {
	reply := strongroom.KmsReply{Endpoint: r.Endpoint, KeyID: &r.Params.KeyID}
	aead := cmkOf(r.Params.KeyID)
	context, _ := json.Marshal(r.Params.EncryptionContext)
	wrap := func(dek []byte) []byte { return aead.Seal(nil, nil, dek, context) }
	switch r.Op {
	case "GenerateDataKey":
		dek := make([]byte, 32)
		rand.Read(dek)
		// For one who knows no dek_ref before minting, the context has none.
		reply.Plaintext, reply.CiphertextBlob = dek, wrap(dek)
	case "Encrypt":
		reply.CiphertextBlob = wrap(plaintext)
	case "Decrypt":
		dek, err := aead.Open(nil, nil, r.Params.CiphertextBlob, context)
		if err != nil {
			return strongroom.KmsReply{Endpoint: r.Endpoint, Error: "InvalidCiphertextException"}
		}
		reply.Plaintext = dek
	}
	return reply
}

func cmkOf(arn string) cipher.AEAD {
	key := sha256.Sum256([]byte(arn))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return withIV{aead}
}

// withIV puts a random IV before what it seals. The standard library's own is not
// for BoringCrypto's ciphers.
type withIV struct{ cipher.AEAD }

func (a withIV) Seal(dst, _, plaintext, aad []byte) []byte {
	iv := make([]byte, a.NonceSize())
	rand.Read(iv)
	return a.AEAD.Seal(append(dst, iv...), iv, plaintext, aad)
}

func (a withIV) Open(dst, _, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < a.NonceSize() {
		return nil, errors.New("too short")
	}
	return a.AEAD.Open(dst, sealed[:a.NonceSize()], sealed[a.NonceSize():], aad)
}

// count gives how many calls of an operation there were, and forgets them.
func (k *fakeKms) count(op string) int {
	k.lock.Lock()
	defer k.lock.Unlock()
	before := len(k.calls)
	k.calls = slices.DeleteFunc(k.calls, func(r strongroom.KmsRequest) bool { return r.Op == op })
	return before - len(k.calls)
}

func (k *fakeKms) wantCalls(t *testing.T, op string, want int) {
	t.Helper()
	if got := k.count(op); got != want {
		t.Fatalf("%d calls of %s, want %d", got, op, want)
	}
}

// set changes how the KMS behaves from now on.
func (k *fakeKms) set(change func(*fakeKms)) {
	k.lock.Lock()
	defer k.lock.Unlock()
	change(k)
}

func (k *fakeKms) wantWiped(t *testing.T) {
	t.Helper()
	k.lock.Lock()
	defer k.lock.Unlock()
	if len(k.secrets) == 0 {
		t.Fatal("no secret was ever carried")
	}
	for i, secret := range k.secrets {
		if !bytes.Equal(secret, make([]byte, 32)) {
			t.Fatalf("secret %d of %d was left in memory", i, len(k.secrets))
		}
	}
}

func always(name string) func(strongroom.KmsRequest) string {
	return func(strongroom.KmsRequest) string { return name }
}

const (
	acmeCmk   = "arn:aws:kms:us-east-1:000000000000:key/acme"
	acmeCmk2  = "arn:aws:kms:us-east-1:000000000000:key/acme-2"
	globexCmk = "arn:aws:kms:us-east-1:000000000000:key/globex"
)

// world is a store and a KMS that several vaults work with.
type world struct {
	*testing.T
	kms   *fakeKms
	store *fakeStore
}

func newWorld(t *testing.T) *world {
	return &world{t, &fakeKms{}, &fakeStore{WrapStore: strongroom.NewMemoryStore()}}
}

// vault makes a fresh vault for an org, which ends with the test. It waits for
// nothing between tries.
func (w *world) vault(org string, change ...func(*strongroom.KmsVaultConfig)) *strongroom.KmsVault {
	w.Helper()
	config := strongroom.KmsVaultConfig{
		Org:   org,
		Cmks:  map[string][]string{"acme": {acmeCmk, acmeCmk2}, "globex": {globexCmk}},
		Kms:   w.kms,
		Store: w.store,
	}
	for _, change := range change {
		change(&config)
	}
	vault, err := strongroom.NewKmsVault(config)
	must(w.T, err)
	vault.SetPause(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	w.Cleanup(func() { must(w.T, vault.Close()) })
	return vault
}

// rotated makes a vault whose org has an active DEK; the calls for it are forgotten.
func (w *world) rotated(org string) *strongroom.KmsVault {
	w.Helper()
	vault := w.vault(org)
	_, err := vault.Rotate(w.Context())
	must(w.T, err)
	w.kms.wantCalls(w.T, "GenerateDataKey", 1)
	return vault
}

// fakeStore is a store that can be made to fail.
type fakeStore struct {
	strongroom.WrapStore
	lock    sync.Mutex
	failing error
	// put runs in place of PutIfAbsent, cas in place of CompareAndSetActive.
	put func(strongroom.WrapRow) error
	cas func(strongroom.ActiveRow) error
}

func (s *fakeStore) set(change func(*fakeStore)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	change(s)
}

func (s *fakeStore) failure() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.failing
}

func (s *fakeStore) Rows(ctx context.Context, ref strongroom.DekRef, reader string) ([]strongroom.WrapRow, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.WrapStore.Rows(ctx, ref, reader)
}

func (s *fakeStore) PutIfAbsent(ctx context.Context, row strongroom.WrapRow) error {
	s.lock.Lock()
	put := s.put
	s.lock.Unlock()
	if put != nil {
		return put(row)
	}
	return s.WrapStore.PutIfAbsent(ctx, row)
}

func (s *fakeStore) CompareAndSetActive(ctx context.Context, row strongroom.ActiveRow) error {
	s.lock.Lock()
	cas := s.cas
	s.lock.Unlock()
	if cas != nil {
		return cas(row)
	}
	return s.WrapStore.CompareAndSetActive(ctx, row)
}
