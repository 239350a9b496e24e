package strongroom

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// ResumeKmsVault makes a [KmsVault] that goes on where the last one of the same session
// stopped: DEKs that it left in the keychain are in it, for what is left of their time,
// and versions below the highest that were ever seen are refused. What comes into the
// vault is written to the keychain, [KmsVault.SignOut] empties it, and what is over is
// deleted at once and every minute until the vault is closed.
//
// The config must have Keychain, Service and the option [WithSession]. A keychain that is
// absent or locked, or fails midway, means that DEKs are kept in memory only: Warn is
// told, and nothing weaker takes its place. DEKs of an org whose active row can't be read
// stay where they are.
//
// It returns the errors of [NewKmsVault].
func ResumeKmsVault(ctx context.Context, config KmsVaultConfig) (*KmsVault, error) {
	told := options{}
	for _, option := range config.Options {
		option(&told)
	}
	var session string
	if config.Keychain == nil || config.Service == "" || json.Unmarshal([]byte(told["session"]), &session) != nil {
		return nil, ErrBadInput
	}
	chain := newChain(config.Warn)
	// Before anything of the keychain is asked for.
	if _, err := config.settings(); err != nil {
		return nil, err
	}
	chain.open(config.Keychain, config.Service)
	versions, err := highestVersions(told, chain.minVersions())
	if err != nil {
		return nil, err
	}
	config.Options = slices.Clone(config.Options)
	if len(versions) > 0 {
		config.Options = append(config.Options, WithMinVersions(versions))
	}
	v, err := newKmsVault(config, chain)
	if err != nil {
		return nil, err
	}
	chain.beginSession(v.org, session, v.seconds())
	chain.sweep(v.seconds())
	v.importAll(v.begin(ctx))
	go chain.sweepOn(time.Now)
	return v, nil
}

// highestVersions joins what the product knows with what the keychain does.
func highestVersions(told options, seen map[string]uint32) (map[string]uint32, error) {
	versions := map[string]uint32{}
	if text, ok := told["min_versions"]; ok && json.Unmarshal([]byte(text), &versions) != nil {
		return nil, ErrBadInput
	}
	for org, version := range seen {
		versions[org] = max(versions[org], version)
	}
	return versions, nil
}

// beginSession makes the keychain this session's. What another left there is deleted.
func (c *chain) beginSession(org, session string, now uint64) {
	c.lock.Lock()
	if c.entries == nil {
		c.lock.Unlock()
		return
	}
	var known cachedSession
	found, err := c.get(c.entries, sessionAccount, &known)
	c.lock.Unlock()
	if found && err == nil && known.Org == org && known.Session == session && known.Expires > now && known.Expires <= now+ttlMost {
		return
	}
	if found && (known.Org != org || known.Session != session) && c.empty() != nil {
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if err := c.set(c.entries, sessionAccount, cachedSession{org, session, now + ttlMost}); err != nil {
		c.fails("keep the session", err)
	}
}

// importAll takes the keychain's DEKs in. Those of a tombstoned org, and those that the
// vault refuses, are deleted.
func (v *KmsVault) importAll(ctx context.Context) {
	// Each org's active row is read once.
	read := map[string]error{}
	for _, ref := range v.chain.deks() {
		v.importDek(ctx, ref, func(org string) error {
			err, ok := read[org]
			if !ok {
				err = v.lookAt(ctx, org)
				read[org] = err
			}
			return err
		})
	}
}

func (v *KmsVault) importDek(ctx context.Context, ref DekRef, look func(org string) error) {
	var cached cachedDek
	v.chain.lock.Lock()
	found, err := v.chain.get(v.chain.entries, dekAccount(ref), &cached)
	v.chain.lock.Unlock()
	defer clear(cached.Entry)
	if err != nil || !found {
		return
	}
	rows, owners := v.cachedRows(ref, cached.Rows)
	for _, org := range append(owners, v.org) {
		if err := look(org); err != nil && !errors.Is(err, ErrOrgTombstoned) {
			return
		}
	}
	imported := len(owners) > 0 && v.admit(ctx, func() error {
		came, err := v.vault.CacheImport(cached.Entry)
		if err == nil && came != ref {
			err = ErrRowInconsistent
		}
		return err
	}) == nil
	if !imported {
		v.chain.drop(ref)
		return
	}
	v.bornUntil(ref, time.Unix(int64(cached.Expires), 0))
	v.chain.lock.Lock()
	defer v.chain.lock.Unlock()
	v.chain.rows[ref] = rows
}

// cachedRows gives those of an entry's rows that are this DEK's for this org, and whose
// records they say it is for.
func (v *KmsVault) cachedRows(ref DekRef, cached []WrapRow) (rows []WrapRow, owners []string) {
	for _, row := range cached {
		members, err := row.Members()
		if err == nil && members.DekRef == ref && members.Reader == v.org {
			rows, owners = append(rows, row), append(owners, members.Owner)
		}
	}
	return rows, owners
}

// keepBy keeps a record DEK that was made, with its row.
func (v *KmsVault) keepBy(ctx context.Context, row WrapRow) {
	if members, err := row.Members(); err == nil {
		v.chain.keep(ctx, v, members.DekRef, []WrapRow{row})
	}
}

// rowsOf reads the rows by which a DEK may come in: those that came with its keychain
// entry, or else the store's.
func (v *KmsVault) rowsOf(ctx context.Context, ref DekRef) ([]WrapRow, error) {
	if rows := v.chain.rowsOf(ref); len(rows) > 0 {
		return rows, nil
	}
	return v.store.Rows(ctx, ref, v.org)
}
