//go:build hazmat

package main

import strongroom "strongroom.dev/go"

var testExtras = []string{"iv"}

type newVault struct {
	Options vaultOptions `json:"options"`
	Clock   clock        `json:"clock"`
}

type clock struct {
	Wall u64 `json:"wall"`
	Mono u64 `json:"mono"`
}

func (n newVault) make() (*strongroom.Vault, error) {
	return strongroom.HazmatNewVault(uint64(n.Clock.Wall), uint64(n.Clock.Mono), n.Options.options()...)
}

// dek is a bare DEK and its identity.
type dek struct {
	Key      octets `json:"key"`
	Identity object `json:"identity"`
}

func (d dek) dek() strongroom.HazmatDek {
	return strongroom.HazmatDek{Key: d.Key, Identity: string(d.Identity)}
}

type bareMembers struct {
	dek
	KEK         octets `json:"kek"`
	KEKIdentity object `json:"kek_identity"`
	From        dek    `json:"from"`
	To          dek    `json:"to"`
	Header      octets `json:"header"`
	Bind        place  `json:"bind"`
	Pt          octets `json:"pt"`
	Env         octets `json:"env"`
	IV          octets `json:"iv"`
	Padded      bool   `json:"padded"`
	N           uint32 `json:"n"`
	Purpose     text   `json:"purpose"`
	Reader      text   `json:"reader"`
	Created     u64    `json:"created"`
	Row         object `json:"row"`
	Probe       struct {
		Bind place  `json:"bind"`
		Env  octets `json:"env"`
	} `json:"probe"`
}

func (m bareMembers) kek() strongroom.HazmatDek {
	return strongroom.HazmatDek{Key: m.KEK, Identity: string(m.KEKIdentity)}
}

func init() {
	ops["dek_ref"] = typed(func(m bareMembers) (any, error) {
		ref, err := strongroom.HazmatDekRef(m.dek.dek())
		return octets(ref[:]), err
	})
	ops["binding_aad"] = typed(func(m bareMembers) (any, error) {
		aad, err := strongroom.HazmatBindingAad(m.Header, m.Bind.binding())
		return octets(aad), err
	})
	ops["seal"] = typed(func(m bareMembers) (any, error) {
		envelope, err := strongroom.HazmatSeal(m.dek.dek(), m.Bind.binding(), m.Pt, m.Padded, m.IV)
		return octets(envelope), err
	})
	ops["open"] = typed(func(m bareMembers) (any, error) {
		plaintext, err := strongroom.HazmatOpen(m.dek.dek(), m.Bind.binding(), m.Env)
		return octets(plaintext), err
	})
	ops["seal_many"] = typed(func(m bareMembers) (any, error) {
		envelopes, err := strongroom.HazmatSealMany(m.dek.dek(), m.Bind.binding(), m.N)
		return hexes(envelopes), err
	})
	ops["reseal"] = typed(func(m bareMembers) (any, error) {
		envelope, err := strongroom.HazmatReseal(m.From.dek(), m.To.dek(), m.Bind.binding(), m.Env)
		return octets(envelope), err
	})
	ops["wrap_local"] = typed(func(m bareMembers) (any, error) {
		return strongroom.HazmatWrapLocal(m.kek(), m.dek.dek(), string(m.Purpose), string(m.Reader), uint64(m.Created), m.IV)
	})
	ops["unwrap_local"] = typed(func(m bareMembers) (any, error) {
		row := strongroom.WrapRowFromJSON([]byte(m.Row))
		plaintext, err := strongroom.HazmatUnwrapLocal(m.kek(), row, m.Probe.Bind.binding(), m.Probe.Env)
		return octets(plaintext), err
	})
	ops["vault.set_clock"] = on(func(v *strongroom.Vault, m clock) (any, error) {
		return true, v.HazmatSetClock(uint64(m.Wall), uint64(m.Mono))
	})
	ops["vault.rng"] = on(func(_ *strongroom.Vault, m struct{ OK bool }) (any, error) {
		return true, strongroom.HazmatSetRngOK(m.OK)
	})
}
