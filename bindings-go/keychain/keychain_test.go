//go:build keychainit

package keychain_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	strongroom "strongroom.dev/go"
	"strongroom.dev/go/keychain"
)

const items = "/org/freedesktop/secrets/collection/login"

func open(t *testing.T, service string) strongroom.Keychain {
	t.Helper()
	k, err := keychain.System().Open(service)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func want(t *testing.T, k strongroom.Keychain, accounts ...string) {
	t.Helper()
	found, err := k.Accounts()
	slices.Sort(found)
	slices.Sort(accounts)
	if err != nil || !slices.Equal(found, accounts) {
		t.Fatalf("accounts %q, %v; want %q", found, err, accounts)
	}
}

func set(t *testing.T, k strongroom.Keychain, account string, secret []byte) {
	t.Helper()
	if err := k.Set(account, secret); err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err, reason error) {
	t.Helper()
	if !errors.Is(err, reason) {
		t.Fatalf("got %v, want %v", err, reason)
	}
}

// restart ends the daemon and starts an unlocked one on the same files.
func restart(t *testing.T) {
	t.Helper()
	command := exec.Command("gnome-keyring-daemon", "--replace", "--unlock", "--components=secrets")
	command.Stdin = strings.NewReader("strongroom")
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := keychain.System().Open("restart"); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the daemon didn't come back")
}

func bus(t *testing.T) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(os.Getenv("DBUS_SESSION_BUS_ADDRESS"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestASecretComesBackByteForByteAndIsReplaced(t *testing.T) {
	k := open(t, "go.bytes")
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, secret := range [][]byte{every, {0}, bytes.Repeat([]byte{255}, 1<<20)} {
		set(t, k, "dek.a", secret)
		got, err := k.Get("dek.a")
		if err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("%d bytes came back as %d, %v", len(secret), len(got), err)
		}
		want(t, k, "dek.a")
	}
	for range 2 {
		if err := k.Delete("dek.a"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := k.Get("dek.a"); got != nil || err != nil {
		t.Fatalf("what was deleted came back: %q, %v", got, err)
	}
	want(t, k)
}

func TestClearingAServiceLeavesTheOneWhoseNameItBegins(t *testing.T) {
	k, versions := open(t, "go.x"), open(t, "go.x.versions")
	set(t, versions, "b3Jn", []byte("7"))
	for _, account := range []string{"dek.a", "dek.b", "session"} {
		set(t, k, account, []byte(account))
	}
	want(t, k, "dek.a", "dek.b", "session")
	accounts, err := k.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range accounts {
		if err := k.Delete(account); err != nil {
			t.Fatal(err)
		}
	}
	want(t, k)
	want(t, versions, "b3Jn")
}

func TestOddNamesAreKeptApart(t *testing.T) {
	names := []string{"ü/…/鍵", "*", "a b\n\"'\\", strings.Repeat("n", 1_024), "A", "a"}
	for _, service := range names {
		k := open(t, "go."+service[:min(len(service), 1_021)])
		for _, account := range names {
			set(t, k, account, []byte(service+account))
		}
		want(t, k, slices.Clone(names)...)
		for _, account := range names {
			got, err := k.Get(account)
			if err != nil || string(got) != service+account {
				t.Fatalf("%.20q of %.20q: %.20q, %v", account, service, got, err)
			}
		}
	}
}

func TestNamesAndSizesThatNoKeychainTakesAreRefused(t *testing.T) {
	k := open(t, "go.refused")
	for _, name := range []string{"", "a\x00b", "\xff", strings.Repeat("n", 1_025)} {
		_, err := keychain.System().Open(name)
		refused(t, err, strongroom.ErrBadInput)
		_, err = k.Get(name)
		refused(t, err, strongroom.ErrBadInput)
		refused(t, k.Set(name, []byte("s")), strongroom.ErrBadInput)
		refused(t, k.Delete(name), strongroom.ErrBadInput)
	}
	refused(t, k.Set("big", make([]byte, 1<<20+1)), strongroom.ErrLimit)
	want(t, k)
}

func TestWithoutASessionBusThereIsNoKeychainAndNoKernelKey(t *testing.T) {
	before, _ := os.ReadFile("/proc/keys")
	k := open(t, "go.nobus")
	for _, address := range []string{"", "unix:path=/nonexistent", "nonsense"} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		_, err := keychain.System().Open("go.nobus")
		refused(t, err, keychain.ErrUnavailable)
		refused(t, k.Set("dek.a", []byte("secret")), keychain.ErrUnavailable)
	}
	if after, _ := os.ReadFile("/proc/keys"); bytes.Contains(after, []byte("go.nobus")) {
		t.Fatalf("kernel keys before %q, after %q", before, after)
	}
}

func TestALockedCollectionIsNeitherReadNorUnlocked(t *testing.T) {
	defer restart(t)
	k := open(t, "go.locked")
	set(t, k, "dek.a", []byte("secret"))
	var done []dbus.ObjectPath
	var prompt dbus.ObjectPath
	root := bus(t).Object("org.freedesktop.secrets", "/org/freedesktop/secrets")
	call := root.Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{items})
	if err := call.Store(&done, &prompt); err != nil || len(done) != 1 {
		t.Fatalf("not locked: %v %v", done, err)
	}
	start := time.Now()
	_, err := keychain.System().Open("go.locked")
	refused(t, err, keychain.ErrLocked)
	_, err = k.Get("dek.a")
	refused(t, err, keychain.ErrLocked)
	_, err = k.Accounts()
	refused(t, err, keychain.ErrLocked)
	refused(t, k.Set("dek.b", []byte("s")), keychain.ErrLocked)
	refused(t, k.Delete("dek.a"), keychain.ErrLocked)
	if took := time.Since(start); took > 3*time.Second {
		t.Fatalf("a prompt was waited for: %v", took)
	}
}

func TestADaemonThatDiesOrHangsIsAnErrorInTime(t *testing.T) {
	defer restart(t)
	k := open(t, "go.dead")
	set(t, k, "dek.a", []byte("secret"))
	var pid uint32
	conn := bus(t)
	if err := conn.BusObject().CallWithContext(context.Background(), "org.freedesktop.DBus.GetConnectionUnixProcessID",
		0, "org.freedesktop.secrets").Store(&pid); err != nil {
		t.Fatal(err)
	}
	daemon, err := os.FindProcess(int(pid))
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = k.Get("dek.a")
	refused(t, err, keychain.ErrUnavailable)
	if took := time.Since(start); took > 8*time.Second {
		t.Fatalf("a hanging daemon was waited for: %v", took)
	}
	if err := daemon.Kill(); err != nil {
		t.Fatal(err)
	}
	// The bus may start another one, which is locked.
	if _, err = k.Get("dek.a"); !errors.Is(err, keychain.ErrLocked) && !errors.Is(err, keychain.ErrUnavailable) {
		t.Fatalf("a dead daemon answered: %v", err)
	}
	restart(t)
	got, err := k.Get("dek.a")
	if err != nil || string(got) != "secret" {
		t.Fatalf("after the daemon came back: %q, %v", got, err)
	}
}
