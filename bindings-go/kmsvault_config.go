package strongroom

import (
	"cmp"
	"strconv"
	"time"
)

// KmsVaultConfig says what a [KmsVault] works with.
type KmsVaultConfig struct {
	// Org is the one for which the process acts: take it from your own session.
	Org string
	// Cmks lists by org the CMKs (key ARNs) that may wrap for it: Org's own, the
	// first of which wraps new DEKs, and those of the readers with whom it shares.
	// It is mandatory, because a row's word for its CMK is storage's word.
	Cmks map[string][]string
	// Kms makes the calls.
	Kms Kms
	// Store keeps the rows.
	Store WrapStore
	// Options are more options of the vault.
	Options []Option
	// Tries is how often a throttled or unreachable KMS is asked; 0 means 5.
	Tries int
	// ActiveMaxAge is how old the active row may be that a seal or an open goes by,
	// 1 second to 1 hour; 0 means 5 minutes. Within that time another host's rotation
	// and tombstone are followed.
	ActiveMaxAge time.Duration
	// RotateAfter is the age at which a DEK is due for rotation; 0 means 90 days.
	RotateAfter time.Duration
	// RotateAfterSeals is the number of reserved seals at which it is; 0 means 2^28.
	RotateAfterSeals uint64
	// FleetSealLimit is how many seals all processes together may make under one DEK,
	// at most 2^32, which 0 means too.
	FleetSealLimit uint64
	// DenialTTL is for how long a DEK that the KMS denied isn't asked for again: up to
	// 5 minutes; 0 means 30 seconds, and a negative one not at all.
	DenialTTL time.Duration
	// Keychain and Service are for [ResumeKmsVault] only: the operating system's
	// keychain, and the product's one name there. Versions are kept under Service +
	// ".versions".
	Keychain Keychains
	Service  string
	// Warn is told, once each, what of the keychain doesn't work. It must not call the
	// vault.
	Warn func(message string)
}

// settings are a config's numbers with their defaults filled in.
type settings struct {
	tries            int
	activeMaxAge     time.Duration
	rotateAfter      time.Duration
	rotateAfterSeals uint64
	fleetSealLimit   uint64
	denialTTL        time.Duration
	ttl              time.Duration
}

// settings judges the numbers: ErrBadInput for what is missing or too small,
// ErrLimit for what is too large.
func (c *KmsVaultConfig) settings() (settings, error) {
	if c.Org == "" || len(c.Cmks[c.Org]) == 0 || c.Kms == nil || c.Store == nil || c.Tries < 0 || c.RotateAfter < 0 {
		return settings{}, ErrBadInput
	}
	s := settings{
		tries:            cmp.Or(c.Tries, defaultTries),
		activeMaxAge:     cmp.Or(c.ActiveMaxAge, defaultActiveMaxAge),
		rotateAfter:      cmp.Or(c.RotateAfter, defaultRotateAfter),
		rotateAfterSeals: cmp.Or(c.RotateAfterSeals, defaultRotateAfterSeals),
		fleetSealLimit:   cmp.Or(c.FleetSealLimit, sealsMost),
		denialTTL:        cmp.Or(c.DenialTTL, defaultDenialTTL),
		ttl:              ttlOf(c.Options),
	}
	switch {
	case s.activeMaxAge < time.Second:
		return settings{}, ErrBadInput
	case s.activeMaxAge > activeMaxAgeMost, s.fleetSealLimit > sealsMost, s.denialTTL > denialTTLMost:
		return settings{}, ErrLimit
	}
	return s, nil
}

// ttlOf is the TTL that the vault was told. One that it refuses makes no vault.
func ttlOf(list []Option) time.Duration {
	told := options{}
	for _, option := range list {
		option(&told)
	}
	seconds, err := strconv.ParseUint(told["ttl"], 10, 32)
	if err != nil {
		seconds = ttlMost
	}
	return time.Duration(seconds) * time.Second
}

const (
	defaultTries            = 5
	defaultActiveMaxAge     = 5 * time.Minute
	activeMaxAgeMost        = time.Hour
	defaultRotateAfter      = 90 * 24 * time.Hour
	defaultRotateAfterSeals = 1 << 28
	// NIST SP 800-38D: seals with random IVs under one key.
	sealsMost        = 1 << 32
	defaultDenialTTL = 30 * time.Second
	denialTTLMost    = 5 * time.Minute
	// Seconds.
	ttlMost = 43_200
)
