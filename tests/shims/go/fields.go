package main

import strongroom "strongroom.dev/go"

func init() {
	ops["vault.missing"] = on(func(v *strongroom.Vault, m struct{ Envs []octets }) (any, error) {
		envelopes := make([][]byte, len(m.Envs))
		for i, envelope := range m.Envs {
			envelopes[i] = envelope
		}
		refs, err := v.Missing(envelopes)
		list := make([]octets, len(refs))
		for i := range refs {
			list[i] = refs[i][:]
		}
		return list, err
	})
	ops["vault.seal"] = on(func(v *strongroom.Vault, m item) (any, error) {
		envelope, err := v.Seal(m.Bind.binding(), m.Pt, m.Options.seal())
		return octets(envelope), err
	})
	ops["vault.open"] = on(func(v *strongroom.Vault, m item) (any, error) {
		plaintext, err := v.Open(m.Bind.binding(), m.Env)
		return octets(plaintext), err
	})
	ops["vault.seal_many"] = on(func(v *strongroom.Vault, m struct{ Items []item }) (any, error) {
		items := make([]strongroom.SealItem, len(m.Items))
		for i, it := range m.Items {
			items[i] = strongroom.SealItem{Binding: it.Bind.binding(), Plaintext: it.Pt, Options: it.Options.seal()}
		}
		results, err := v.SealMany(items)
		return answers(results), err
	})
	ops["vault.open_many"] = on(func(v *strongroom.Vault, m struct{ Items []item }) (any, error) {
		items := make([]strongroom.OpenItem, len(m.Items))
		for i, it := range m.Items {
			items[i] = strongroom.OpenItem{Binding: it.Bind.binding(), Envelope: it.Env}
		}
		results, err := v.OpenMany(items)
		return answers(results), err
	})
	ops["vault.reseal"] = on(func(v *strongroom.Vault, m item) (any, error) {
		envelope, err := v.Reseal(m.Bind.binding(), m.Env, strongroom.ResealOptions(m.Options))
		return octets(envelope), err
	})
	ops["vault.rebind"] = on(func(v *strongroom.Vault, m struct {
		From, To place
		Env      octets
	}) (any, error) {
		envelope, err := v.Rebind(m.From.binding(), m.To.binding(), m.Env)
		return octets(envelope), err
	})
}

// item is one field: what a single call and an item of a batch have.
type item struct {
	Bind    place       `json:"bind"`
	Pt      octets      `json:"pt"`
	Env     octets      `json:"env"`
	Options sealOptions `json:"options"`
}

func answers(results []strongroom.Result) []answer {
	list := make([]answer, len(results))
	for i, result := range results {
		if result.Err != nil {
			list[i] = refusal(result.Err)
		} else {
			list[i] = answer{OK: true, Out: octets(result.Value)}
		}
	}
	return list
}
