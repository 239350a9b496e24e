package strongroom

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// chain is the keychain beside a vault: cached DEKs and the session under the service's
// name, the highest versions seen under another that sign-out leaves alone. Without a
// keychain it is there and does nothing.
type chain struct {
	lock     sync.Mutex
	entries  Keychain
	versions Keychain
	// seen is what the versions' keychain holds.
	seen map[string]uint32
	// rows came with the entries; they spare the vault a look into the store.
	rows   map[DekRef][]WrapRow
	warn   func(string)
	warned map[string]bool
	// stop ends the deleting of expired entries.
	stop chan struct{}
	once sync.Once
}

// cachedDek is an account's secret, dek.DEK_REF.
type cachedDek struct {
	Expires uint64    `json:"expires"`
	Entry   []byte    `json:"entry"`
	Rows    []WrapRow `json:"rows"`
}

// cachedSession is that of the account "session".
type cachedSession struct {
	Org     string `json:"org"`
	Session string `json:"session"`
	Expires uint64 `json:"expires"`
}

// cachedVersion is that of an org under the second service name.
type cachedVersion struct {
	Version uint32 `json:"version"`
}

func newChain(warn func(string)) *chain {
	return &chain{
		seen: map[string]uint32{}, rows: map[DekRef][]WrapRow{}, warn: warn, warned: map[string]bool{}, stop: make(chan struct{}),
	}
}

// says tells the product once. c.lock is held.
func (c *chain) says(message string) {
	if c.warn != nil && !c.warned[message] {
		c.warned[message] = true
		c.warn(message)
	}
}

// fails notes what the keychain refused. c.lock is held.
func (c *chain) fails(what string, err error) {
	c.says(fmt.Sprintf("the keychain can't %s; DEKs are kept in memory only: %v", what, err))
}

// open opens both keychains; with neither everything stays in memory.
func (c *chain) open(from Keychains, service string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for name, into := range map[string]*Keychain{service: &c.entries, service + ".versions": &c.versions} {
		opened, err := from.Open(name)
		if err != nil {
			c.fails("be opened", err)
			continue
		}
		*into = opened
	}
}

// get reads an account's JSON; false if there is none. c.lock is held.
func (c *chain) get(from Keychain, account string, into any) (bool, error) {
	secret, err := from.Get(account)
	if err != nil || secret == nil {
		return false, err
	}
	defer clear(secret)
	if err := json.Unmarshal(secret, into); err != nil {
		return false, ErrMalformed
	}
	return true, nil
}

func (c *chain) set(into Keychain, account string, value any) error {
	secret, err := json.Marshal(value)
	if err != nil {
		return ErrInternal
	}
	defer clear(secret)
	return into.Set(account, secret)
}

// minVersions reads the highest versions that were seen.
func (c *chain) minVersions() map[string]uint32 {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.versions == nil {
		return nil
	}
	accounts, err := c.versions.Accounts()
	if err != nil {
		c.fails("be read", err)
		return nil
	}
	for _, account := range accounts {
		org, err := base64.RawURLEncoding.DecodeString(account)
		if err != nil {
			continue
		}
		var known cachedVersion
		found, err := c.get(c.versions, account, &known)
		switch {
		case err != nil:
			c.fails("read a version", err)
		case found && known.Version > 0:
			c.seen[string(org)] = known.Version
		}
	}
	return c.seen
}

// saw raises the highest version that was seen of an org.
func (c *chain) saw(org string, version uint32) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.versions == nil || c.seen[org] >= version {
		return
	}
	account := base64.RawURLEncoding.EncodeToString([]byte(org))
	// Another process of the product may have seen more.
	var known cachedVersion
	if _, err := c.get(c.versions, account, &known); err == nil && known.Version >= version {
		c.seen[org] = known.Version
		return
	}
	if err := c.set(c.versions, account, cachedVersion{version}); err != nil {
		c.fails("keep a version", err)
		return
	}
	c.seen[org] = version
}

// keep writes a DEK's entry, unless the errand's era is over: a sign-out that has wiped
// the vault waits for this and then deletes it.
func (c *chain) keep(ctx context.Context, v *KmsVault, ref DekRef, rows []WrapRow) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.entries == nil || eraOver(ctx) != nil {
		return
	}
	v.lock.Lock()
	mine := v.lives[ref]
	v.lock.Unlock()
	if mine == nil {
		return
	}
	entry, err := v.vault.CacheExport(ref)
	if err != nil {
		return
	}
	defer clear(entry)
	err = c.set(c.entries, dekAccount(ref), cachedDek{uint64(mine.end.Unix()), entry, rows})
	if err != nil && !errors.Is(err, ErrLimit) {
		c.fails("keep a DEK", err)
	}
}

// drop deletes a DEK's entry.
func (c *chain) drop(ref DekRef) {
	c.lock.Lock()
	defer c.lock.Unlock()
	delete(c.rows, ref)
	if c.entries == nil {
		return
	}
	if err := c.entries.Delete(dekAccount(ref)); err != nil {
		c.fails("delete a DEK", err)
	}
}

// rowsOf gives the rows that came with a DEK's entry.
func (c *chain) rowsOf(ref DekRef) []WrapRow {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.rows[ref]
}

// empty deletes everything under the service's name and reads back that nothing is left.
func (c *chain) empty() error {
	c.lock.Lock()
	defer c.lock.Unlock()
	clear(c.rows)
	if c.entries == nil {
		return nil
	}
	accounts, err := c.entries.Accounts()
	for _, account := range accounts {
		err = errors.Join(err, c.entries.Delete(account))
	}
	if err == nil {
		accounts, err = c.entries.Accounts()
	}
	if err == nil && len(accounts) > 0 {
		err = fmt.Errorf("%d entries are left", len(accounts))
	}
	if err != nil {
		c.fails("be emptied", err)
		return fmt.Errorf("%w: the keychain can't be emptied: %w", ErrStoreUnavailable, err)
	}
	return nil
}

// sweep deletes the entries whose time is over, or that are none.
func (c *chain) sweep(now uint64) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.entries == nil {
		return
	}
	accounts, err := c.entries.Accounts()
	if err != nil {
		c.fails("be read", err)
		return
	}
	for _, account := range accounts {
		var known struct {
			Expires uint64 `json:"expires"`
		}
		found, err := c.get(c.entries, account, &known)
		if err != nil && !errors.Is(err, ErrMalformed) {
			c.fails("be read", err)
			continue
		}
		// No entry is for longer than twelve hours, whatever it says.
		if !found && err == nil || err == nil && known.Expires > now && known.Expires <= now+ttlMost+aheadMost {
			continue
		}
		if err := c.entries.Delete(account); err != nil {
			c.fails("delete what is over", err)
		}
	}
}

// sweepOn sweeps every minute until the vault is closed.
func (c *chain) sweepOn(now func() time.Time) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.sweep(uint64(now().Unix()))
		case <-c.stop:
			return
		}
	}
}

func (c *chain) close() { c.once.Do(func() { close(c.stop) }) }

// deks lists the DEKs that have an entry.
func (c *chain) deks() []DekRef {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.entries == nil {
		return nil
	}
	accounts, err := c.entries.Accounts()
	if err != nil {
		c.fails("be read", err)
	}
	slices.Sort(accounts)
	var refs []DekRef
	for _, account := range accounts {
		var ref DekRef
		if text, ok := strings.CutPrefix(account, dekPrefix); ok && ref.UnmarshalText([]byte(text)) == nil {
			refs = append(refs, ref)
		}
	}
	return refs
}

func dekAccount(ref DekRef) string { return dekPrefix + ref.String() }

const (
	dekPrefix      = "dek."
	sessionAccount = "session"
	sweepEvery     = time.Minute
	// How far ahead another host's clock may be, as the core allows.
	aheadMost = 300
)
