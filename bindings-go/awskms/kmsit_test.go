//go:build kmsit

package awskms_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	strongroom "strongroom.dev/go"
	"strongroom.dev/go/awskms"
)

// server is a KMS that runs for a test: the strict local one, or moto. The same
// tests run against both for what moto enforces, so that one's mistake can't hide.
type server struct {
	*testing.T
	url string
	// dir is where the strict one keeps its keys and its log.
	dir  string
	cmks map[string][]string
	stop func()
}

var servers = map[string]func(*testing.T) *server{"local": startLocal, "moto": startMoto}

func startLocal(t *testing.T) *server {
	s := &server{T: t, dir: filepath.Join(t.TempDir(), "kms")}
	s.serve()
	s.makeKeys()
	return s
}

// serve starts the local KMS on its folder, a new one or one it had before.
func (s *server) serve(extra ...string) {
	s.Helper()
	arguments := append([]string{"kms", "serve", "--dir", s.dir}, extra...)
	process := exec.Command(program(s.T, "STRONGROOM_CLI"), arguments...)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	s.must(err)
	s.must(process.Start())
	s.stop = func() { _ = process.Process.Kill(); _ = process.Wait() }
	s.Cleanup(s.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	s.must(err)
	var ready struct{ Endpoint string }
	s.must(json.Unmarshal([]byte(line), &ready))
	s.url = ready.Endpoint
}

func startMoto(t *testing.T) *server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	process := exec.Command(program(t, "MOTO_SERVER"), "-H", "127.0.0.1", "-p", port)
	s := &server{T: t, url: "http://127.0.0.1:" + port + "/"}
	s.must(process.Start())
	s.stop = func() { _ = process.Process.Kill(); _ = process.Wait() }
	t.Cleanup(s.stop)
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if response, err := http.Get(s.url + "moto-api/data.json"); err == nil {
			response.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("moto does not answer")
		}
	}
	s.makeKeys()
	return s
}

func program(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set: run `cargo xtask test`, which builds or installs the program and names it there", variable)
	}
	return path
}

// makeKeys makes one CMK for each org, and a second one for acme.
func (s *server) makeKeys() {
	s.Helper()
	s.cmks = map[string][]string{}
	for _, org := range []string{"acme", "acme", "globex"} {
		made, err := s.client(org).CreateKey(s.Context(), &kms.CreateKeyInput{
			Tags: []types.Tag{{TagKey: aws.String("strongroom-org"), TagValue: aws.String(org)}},
		})
		s.must(err)
		s.cmks[org] = append(s.cmks[org], *made.KeyMetadata.Arn)
	}
}

// client is the SDK's, with an org's credentials.
func (s *server) client(org string) *kms.Client {
	return kms.New(kms.Options{
		Region: "us-east-1", BaseEndpoint: &s.url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			id := "sr-" + base64.RawURLEncoding.EncodeToString([]byte(org))
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: "local"}, nil
		}),
	})
}

func (s *server) adapter(org string) *awskms.Kms {
	s.Helper()
	return adapterOf(s.T, s.client(org), awskms.Options{DangerEndpoint: s.url})
}

// vault makes a fresh vault of an org, whose calls are made with caller's credentials.
func (s *server) vault(org, caller string, store strongroom.WrapStore) *strongroom.KmsVault {
	s.Helper()
	vault, err := strongroom.NewKmsVault(strongroom.KmsVaultConfig{
		Org: org, Cmks: s.cmks, Kms: s.adapter(caller), Store: store,
		Options: []strongroom.Option{strongroom.WithDangerEndpoint(s.url)},
	})
	s.must(err)
	s.Cleanup(func() { vault.Close() })
	return vault
}

// logged reads the local KMS's log of an operation: the results, in order.
func (s *server) logged(operation, callerOrg string) []string {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "log.jsonl"))
	s.must(err)
	var results []string
	for line := range strings.Lines(string(text)) {
		var entry struct {
			EventName, ErrorCode string
			AdditionalEventData  struct{ CallerOrg string }
		}
		s.must(json.Unmarshal([]byte(line), &entry))
		if entry.EventName == operation && entry.AdditionalEventData.CallerOrg == callerOrg {
			results = append(results, cmp.Or(entry.ErrorCode, "ok"))
		}
	}
	return results
}

func (s *server) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *server) refused(want, err error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got %v, want %v", err, want)
	}
}

var password = strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-1", Field: "password"}

// filled is a store with every kind of row that a KMS wraps, and a sealed value for each
// kind of DEK.
func (s *server) filled() (store strongroom.WrapStore, org, record []byte) {
	s.Helper()
	ctx := s.Context()
	store = strongroom.NewMemoryStore()
	v := s.vault("acme", "acme", store)
	_, err := v.Rotate(ctx)
	s.must(err)
	_, err = v.GenerateRecordDek(ctx, "hosts", "h-1")
	s.must(err)
	_, err = v.WrapForPreview(ctx, "hosts", "h-1")
	s.must(err)
	_, err = v.Share(ctx, "hosts", "h-1", "globex", s.cmks["globex"][0])
	s.must(err)
	org, err = v.Seal(ctx, password, []byte("s3cret"), strongroom.SealOptions{})
	s.must(err)
	record, err = v.Seal(ctx, password, []byte("s3cret"), strongroom.SealOptions{Scope: strongroom.ScopeRecord})
	s.must(err)
	return store, org, record
}

func (s *server) opens(v *strongroom.KmsVault, envelope []byte) {
	s.Helper()
	plaintext, err := v.Open(s.Context(), password, envelope)
	s.must(err)
	if string(plaintext) != "s3cret" {
		s.Fatalf("opened %q", plaintext)
	}
}

func TestSealedValuesOpenThroughARealKms(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			store, org, record := s.filled()
			s.opens(s.vault("acme", "acme", store), org)
			s.opens(s.vault("acme", "acme", store), record)
			reader := s.vault("globex", "globex", store)
			s.opens(reader, record)
			_, err := reader.Open(t.Context(), password, org)
			s.refused(strongroom.ErrUnknownDek, err)
		})
	}
}

// TestEachPairOfTheContextIsAuthenticated changes, drops and adds one pair at a time;
// the request as it was is answered before and after.
func TestEachPairOfTheContextIsAuthenticated(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			store, _, _ := s.filled()
			rows, err := store.RowsByOwner(t.Context(), "acme", nil)
			s.must(err)
			tried := map[string]int{}
			for _, row := range rows {
				members, err := row.Members()
				s.must(err)
				if members.Provider == "aws-kms" {
					tried[members.Purpose] += s.tryContexts(row, members)
				}
			}
			want := map[string]int{"org-dek": 5*5 + 3, "record-dek": 7*5 + 3, "share": 7*5 + 3}
			if !maps.Equal(tried, want) {
				t.Fatalf("tried %v, want %v", tried, want)
			}
		})
	}
}

func (s *server) tryContexts(row strongroom.WrapRow, members strongroom.WrapMembers) (tried int) {
	s.Helper()
	vault, err := strongroom.NewVault(strongroom.WithDangerEndpoint(s.url), strongroom.WithCmks(s.cmks))
	s.must(err)
	defer vault.Close()
	request, err := vault.UnwrapRequest(members.Reader, row)
	s.must(err)
	adapter := s.adapter(members.Reader)
	right := request.Params.EncryptionContext
	send := func(context map[string]string) strongroom.KmsReply {
		request.Params.EncryptionContext = context
		reply, err := adapter.Send(s.Context(), request, nil)
		s.must(err)
		return reply
	}
	answered := func() {
		reply := send(right)
		_, err := vault.Admit(members.Reader, row, &reply)
		s.must(err)
	}
	refuse := func(what string, change func(map[string]string)) {
		s.Helper()
		wrong := maps.Clone(right)
		change(wrong)
		reply := send(wrong)
		if reply.Plaintext != nil {
			s.Fatalf("%s: %s gave a DEK", members.Purpose, what)
		}
		_, err := vault.Admit(members.Reader, row, &reply)
		if !errors.Is(err, strongroom.ErrKmsDenied) {
			s.Fatalf("%s: %s: %v (%s)", members.Purpose, what, err, reply.Error)
		}
		tried++
	}
	answered()
	for _, key := range slices.Sorted(maps.Keys(right)) {
		refuse("without "+key, func(c map[string]string) { delete(c, key) })
		refuse("with another "+key, func(c map[string]string) { c[key] += "x" })
		refuse("with capitals in "+key, func(c map[string]string) { c[key] = strings.ToUpper(c[key]) + "X" })
		refuse("with an empty "+key, func(c map[string]string) { c[key] = "" })
		refuse("with a renamed "+key, func(c map[string]string) {
			c[key+"x"] = c[key]
			delete(c, key)
		})
	}
	refuse("with one more pair", func(c map[string]string) { c["strongroom-extra"] = "x" })
	refuse("with one more empty pair", func(c map[string]string) { c["extra"] = "" })
	refuse("with nothing", func(c map[string]string) { clear(c) })
	answered()
	return tried
}

func TestAnotherCmkDoesNotUnwrap(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			store, org, _ := s.filled()
			rows, err := store.RowsByOwner(t.Context(), "acme", nil)
			s.must(err)
			swapped := strongroom.NewMemoryStore()
			text := strings.Replace(rows[0].JSON(), s.cmks["acme"][0], s.cmks["acme"][1], 1)
			s.must(swapped.PutIfAbsent(t.Context(), strongroom.WrapRowFromJSON([]byte(text))))
			_, err = s.vault("acme", "acme", swapped).Open(t.Context(), password, org)
			s.refused(strongroom.ErrKmsDenied, err)
			s.opens(s.vault("acme", "acme", store), org)
		})
	}
}

func TestAKmsThatIsGoneIsUnavailable(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			store, org, _ := s.filled()
			s.stop()
			_, err := s.vault("acme", "acme", store).Open(t.Context(), password, org)
			s.refused(strongroom.ErrKmsUnavailable, err)
		})
	}
}

func TestAnotherOrgIsDeniedWithOneLineInTheLog(t *testing.T) {
	s := startLocal(t)
	store, org, record := s.filled()
	for _, envelope := range [][]byte{org, record} {
		before := len(s.logged("Decrypt", "globex"))
		v := s.vault("acme", "globex", store)
		var items []strongroom.OpenItem
		for range 50 {
			items = append(items, strongroom.OpenItem{Binding: password, Envelope: envelope})
		}
		results, err := v.OpenMany(t.Context(), items)
		s.must(err)
		for _, result := range results {
			s.refused(strongroom.ErrKmsDenied, result.Err)
		}
		// The record's DEK has a local row and one of the KMS: two DEKs, a call each.
		lines := s.logged("Decrypt", "globex")[before:]
		want := []string{"AccessDeniedException"}
		if &envelope[0] == &record[0] {
			want = append(want, "AccessDeniedException")
		}
		if !slices.Equal(lines, want) {
			t.Fatalf("the log has %v", lines)
		}
	}
	s.opens(s.vault("acme", "acme", store), org)
	_, err := s.vault("acme", "globex", store).Rotate(t.Context())
	s.refused(strongroom.ErrKmsDenied, err)
	if lines := s.logged("GenerateDataKey", "globex"); !slices.Equal(lines, []string{"AccessDeniedException"}) {
		t.Fatalf("the log has %v", lines)
	}
}

func TestAThrottledKmsIsAskedAgainUpToTheLimit(t *testing.T) {
	for _, c := range []struct {
		throttled, calls int
		want             error
	}{{1, 2, nil}, {4, 5, nil}, {5, 5, strongroom.ErrKmsThrottled}} {
		s := startLocal(t)
		store, org, _ := s.filled()
		s.stop()
		s.serve("--throttle-first", fmt.Sprint(c.throttled))
		before := len(s.logged("Decrypt", "acme"))
		_, err := s.vault("acme", "acme", store).Open(t.Context(), password, org)
		if !errors.Is(err, c.want) {
			t.Fatalf("%d throttled: %v", c.throttled, err)
		}
		lines := s.logged("Decrypt", "acme")[before:]
		if len(lines) != c.calls || lines[0] != "ThrottlingException" || (lines[len(lines)-1] == "ok") != (c.want == nil) {
			t.Fatalf("%d throttled: the log has %v", c.throttled, lines)
		}
	}
}

func TestAShreddedOrgIsNotOpenedAnyMore(t *testing.T) {
	s := startLocal(t)
	store, org, record := s.filled()
	v := s.vault("acme", "acme", store)
	s.opens(v, org)
	for _, days := range []uint32{0, 6, 31} {
		_, err := v.Vault().ShredRequest("acme", s.cmks["acme"][0], days)
		s.refused(strongroom.ErrBadInput, err)
	}
	_, err := v.Vault().ShredRequest("acme", s.cmks["globex"][0], 7)
	s.refused(strongroom.ErrKeyIDUnexpected, err)
	request, err := v.Vault().ShredRequest("acme", s.cmks["acme"][0], 7)
	s.must(err)
	denied, err := s.adapter("globex").Send(t.Context(), request, nil)
	s.must(err)
	if denied.Error != "AccessDeniedException" {
		t.Fatalf("another org: %+v", denied)
	}
	reply, err := s.adapter("acme").Send(t.Context(), request, nil)
	s.must(err)
	if reply.Error != "" || *reply.KeyID != s.cmks["acme"][0] || reply.Endpoint != s.url {
		t.Fatalf("%+v", reply)
	}
	s.must(v.Vault().Tombstone("acme"))
	_, err = v.Open(t.Context(), password, org)
	s.refused(strongroom.ErrOrgTombstoned, err)
	_, err = s.vault("acme", "acme", store).Open(t.Context(), password, org)
	s.refused(strongroom.ErrKmsPendingDeletion, err)
	_, err = s.vault("acme", "acme", store).Rotate(t.Context())
	s.refused(strongroom.ErrKmsPendingDeletion, err)
	// What was shared before survives: it is under the reader's CMK.
	s.opens(s.vault("globex", "globex", store), record)
}

func TestShreddingAndRevokingThroughARealKms(t *testing.T) {
	s := startLocal(t)
	store, org, record := s.filled()
	s.opens(s.vault("globex", "globex", store), record)
	owner := s.vault("acme", "acme", store)
	fields := strongroom.NewMemoryFieldStore()
	s.must(fields.Put(t.Context(), password, record))
	revoked, err := owner.Revoke(t.Context(), password.Table, password.Record, "globex", fields)
	s.must(err)
	if revoked.Resealed != 1 || len(revoked.Readers) != 0 {
		t.Fatalf("%+v", revoked)
	}
	found, err := fields.Fields(t.Context(), "acme", password.Table, password.Record)
	s.must(err)
	_, err = s.vault("globex", "globex", store).Open(t.Context(), password, found[0].Envelope)
	s.refused(strongroom.ErrUnknownDek, err)
	s.opens(s.vault("acme", "acme", store), found[0].Envelope)
	// Another principal's calls are denied, and nothing is tombstoned.
	_, err = s.vault("acme", "globex", store).Shred(t.Context(), 7)
	s.refused(strongroom.ErrKmsDenied, err)
	s.opens(s.vault("acme", "acme", store), org)
	for _, first := range []bool{true, false} {
		report, err := s.vault("acme", "acme", store).Shred(t.Context(), 7)
		s.must(err)
		if (report.Keys[0].DeletedAt > 0) != first {
			t.Fatalf("first: %v, %+v", first, report.Keys)
		}
	}
	_, err = s.vault("acme", "acme", store).Open(t.Context(), password, org)
	s.refused(strongroom.ErrOrgTombstoned, err)
}
