package keychain

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/godbus/dbus/v5"
)

// maxSecret bounds one message on the bus.
const maxSecret = 1 << 20

// patience is how long a call may take: a daemon may hang, or wait for a person.
const patience = 5 * time.Second

const (
	busName    = "org.freedesktop.secrets"
	rootPath   = dbus.ObjectPath("/org/freedesktop/secrets")
	serviceAPI = "org.freedesktop.Secret.Service."
	collection = "org.freedesktop.Secret.Collection."
	item       = "org.freedesktop.Secret.Item."
	noPath     = dbus.ObjectPath("/")
)

// secret is the Secret Service's struct (oayays).
type secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// bus is one conversation with the Secret Service. Each call has its own, so that a
// daemon that was started again is found.
type bus struct {
	ctx        context.Context
	conn       *dbus.Conn
	collection dbus.ObjectPath
}

func ready() error { return talk(func(*bus) error { return nil }) }

// talk connects, finds the default collection and sees that it is unlocked.
func talk(do func(*bus) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	address, err := address()
	if err != nil {
		return err
	}
	conn, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return unavailable(err)
	}
	defer conn.Close()
	b := &bus{ctx: ctx, conn: conn}
	if err := b.find(); err != nil {
		return err
	}
	var locked dbus.Variant
	const get = "org.freedesktop.DBus.Properties.Get"
	if err := b.call(b.collection, get, []any{&locked}, "org.freedesktop.Secret.Collection", "Locked"); err != nil {
		return err
	}
	if isLocked, ok := locked.Value().(bool); !ok || isLocked {
		return ErrLocked
	}
	return do(b)
}

// find looks for the default collection. A daemon that reads its files anew has none for
// a moment.
func (b *bus) find() error {
	for range 10 {
		if err := b.call(rootPath, serviceAPI+"ReadAlias", []any{&b.collection}, "default"); err != nil {
			return err
		}
		if b.collection != noPath {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%w: no default collection", ErrUnavailable)
}

// address never starts a bus, as the D-Bus module would where none is named.
func address() (string, error) {
	if named := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); named != "" {
		return named, nil
	}
	socket := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
	if _, err := os.Stat(socket); !filepath.IsAbs(socket) || err != nil {
		return "", fmt.Errorf("%w: no session bus", ErrUnavailable)
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(socket), nil
}

func (b *bus) call(path dbus.ObjectPath, method string, results []any, args ...any) error {
	call := b.conn.Object(busName, path).CallWithContext(b.ctx, method, 0, args...)
	if err := call.Store(results...); err != nil {
		return fault(err)
	}
	return nil
}

func fault(err error) error {
	if known, ok := err.(dbus.Error); ok && known.Name == "org.freedesktop.Secret.Error.IsLocked" {
		return ErrLocked
	}
	return unavailable(err)
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

// unprompted refuses what would have asked a person, and takes the question back.
func (b *bus) unprompted(prompt dbus.ObjectPath) error {
	if prompt == noPath {
		return nil
	}
	if err := b.call(prompt, "org.freedesktop.Secret.Prompt.Dismiss", nil); err != nil {
		return err
	}
	return ErrLocked
}

func (b *bus) session() (path dbus.ObjectPath, err error) {
	var nothing dbus.Variant
	err = b.call(rootPath, serviceAPI+"OpenSession", []any{&nothing, &path}, "plain", dbus.MakeVariant(""))
	return path, err
}

func (b *bus) search(attributes map[string]string) (items []dbus.ObjectPath, err error) {
	err = b.call(b.collection, collection+"SearchItems", []any{&items}, attributes)
	return items, err
}

// entries are one service's. The attributes are those that most keyring modules write.
type entries struct{ service string }

func (e entries) of(account string) map[string]string {
	return map[string]string{"service": e.service, "username": account}
}

func (e entries) get(account string) (value []byte, err error) {
	err = talk(func(b *bus) error {
		items, err := b.search(e.of(account))
		if err != nil || len(items) == 0 {
			return err
		}
		session, err := b.session()
		if err != nil {
			return err
		}
		var found secret
		if err := b.call(items[0], item+"GetSecret", []any{&found}, session); err != nil {
			return err
		}
		value = append([]byte{}, found.Value...)
		clear(found.Value)
		return nil
	})
	return value, err
}

func (e entries) set(account string, value []byte) error {
	return talk(func(b *bus) error {
		session, err := b.session()
		if err != nil {
			return err
		}
		properties := map[string]dbus.Variant{
			item + "Label":      dbus.MakeVariant(e.service),
			item + "Attributes": dbus.MakeVariant(e.of(account)),
		}
		entry := secret{session, []byte{}, value, "application/octet-stream"}
		var made, prompt dbus.ObjectPath
		err = b.call(b.collection, collection+"CreateItem", []any{&made, &prompt}, properties, entry, true)
		if err != nil {
			return err
		}
		return b.unprompted(prompt)
	})
}

func (e entries) remove(account string) error {
	return talk(func(b *bus) error {
		items, err := b.search(e.of(account))
		if err != nil {
			return err
		}
		for _, found := range items {
			var prompt dbus.ObjectPath
			if err := b.call(found, item+"Delete", []any{&prompt}); err != nil {
				return err
			}
			if err := b.unprompted(prompt); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e entries) accounts() (accounts []string, err error) {
	err = talk(func(b *bus) error {
		items, err := b.search(map[string]string{"service": e.service})
		if err != nil {
			return err
		}
		for _, found := range items {
			var value dbus.Variant
			const get = "org.freedesktop.DBus.Properties.Get"
			if err := b.call(found, get, []any{&value}, "org.freedesktop.Secret.Item", "Attributes"); err != nil {
				return err
			}
			attributes, ok := value.Value().(map[string]string)
			if !ok {
				return fmt.Errorf("%w: attributes of another type", ErrUnavailable)
			}
			accounts = append(accounts, attributes["username"])
		}
		return nil
	})
	return accounts, err
}
