package main

import (
	"encoding/json"

	strongroom "strongroom.dev/go"
)

var (
	ops = map[string]op{}
	// A number that is none gives a nil vault, for the package to judge.
	vaults = map[int]*strongroom.Vault{}
)

func init() {
	ops["hello"] = hello
	ops["inspect"] = typed(inspect)
	ops["to_text"] = typed(func(m struct{ Env octets }) (any, error) { return strongroom.ToText(m.Env) })
	ops["from_text"] = typed(func(m struct{ Text text }) (any, error) {
		envelope, err := strongroom.FromText(string(m.Text))
		return octets(envelope), err
	})
	ops["kms_context"] = typed(func(m struct{ Row object }) (any, error) {
		return strongroom.KmsContext(strongroom.WrapRowFromJSON([]byte(m.Row)))
	})
	ops["vault.new"] = typed(func(m newVault) (any, error) { return keep(m.make()) })
	ops["vault.mint_request"] = on(func(v *strongroom.Vault, m keyMembers) (any, error) {
		made, err := v.MintRequest(string(m.Org), string(m.Cmk), m.Version, uint64(m.Created))
		return request(made, nil), err
	})
	ops["vault.admit_minted"] = on(func(v *strongroom.Vault, m replyMembers) (any, error) {
		row, active, err := v.AdmitMinted(m.Request, m.Reply.some())
		return m.Reply.carried(map[string]any{"row": row, "active": active}), err
	})
	ops["vault.set_active"] = on(func(v *strongroom.Vault, m struct{ Active object }) (any, error) {
		return true, v.SetActive(strongroom.ActiveRowFromJSON([]byte(m.Active)))
	})
	ops["vault.unwrap_request"] = on(func(v *strongroom.Vault, m keyMembers) (any, error) {
		made, err := v.UnwrapRequest(string(m.Org), strongroom.WrapRowFromJSON([]byte(m.Row)))
		return request(made, nil), err
	})
	ops["vault.admit"] = on(func(v *strongroom.Vault, m replyMembers) (any, error) {
		ref, err := v.Admit(string(m.Org), strongroom.WrapRowFromJSON([]byte(m.Row)), m.Reply.reply())
		return m.Reply.carried(octets(ref[:])), err
	})
	ops["vault.admit_shared"] = on(func(v *strongroom.Vault, m replyMembers) (any, error) {
		return v.AdmitShared(m.Request, m.Reply.some())
	})
	ops["vault.generate_record_dek"] = on(func(v *strongroom.Vault, m keyMembers) (any, error) {
		return v.GenerateRecordDek(string(m.Org), string(m.Table), string(m.Record), m.Version, uint64(m.Created))
	})
	ops["vault.wrap_local"] = on(withDek(func(v *strongroom.Vault, ref strongroom.DekRef, m keyMembers) (any, error) {
		return v.WrapLocal(string(m.Org), ref, uint64(m.Created))
	}))
	ops["vault.wrap_request"] = on(withDek(func(v *strongroom.Vault, ref strongroom.DekRef, m keyMembers) (any, error) {
		made, err := v.WrapRequest(ref, string(m.Cmk), uint64(m.Created))
		return encrypt(v, made, err)
	}))
	ops["vault.share_request"] = on(withDek(func(v *strongroom.Vault, ref strongroom.DekRef, m keyMembers) (any, error) {
		made, err := v.ShareRequest(ref, string(m.Reader), string(m.Cmk), uint64(m.Created))
		return encrypt(v, made, err)
	}))
	ops["vault.shred_request"] = on(func(v *strongroom.Vault, m keyMembers) (any, error) {
		made, err := v.ShredRequest(string(m.Org), string(m.Cmk), m.Days)
		return request(made, nil), err
	})
	ops["vault.cache_export"] = on(withDek(func(v *strongroom.Vault, ref strongroom.DekRef, _ keyMembers) (any, error) {
		entry, err := v.CacheExport(ref)
		return octets(entry), err
	}))
	ops["vault.cache_import"] = on(func(v *strongroom.Vault, m struct{ Entry octets }) (any, error) {
		ref, err := v.CacheImport(m.Entry)
		return octets(ref[:]), err
	})
	ops["vault.tombstone"] = on(func(v *strongroom.Vault, m keyMembers) (any, error) {
		return true, v.Tombstone(string(m.Org))
	})
	ops["vault.sign_out"] = on(func(v *strongroom.Vault, _ struct{}) (any, error) { return v.SignOut() })
	ops["vault.close"] = on(func(v *strongroom.Vault, _ struct{}) (any, error) { return true, v.Close() })
	ops["vault.status"] = on(func(v *strongroom.Vault, _ struct{}) (any, error) { return status(v) })
}

// keyMembers are the members of the ops about DEKs; each has some of them.
type keyMembers struct {
	Org     text   `json:"org"`
	Table   text   `json:"table"`
	Record  text   `json:"record"`
	Reader  text   `json:"reader"`
	Cmk     text   `json:"cmk"`
	Version uint32 `json:"version"`
	Created u64    `json:"created"`
	Days    uint32 `json:"days"`
	DekRef  octets `json:"dek_ref"`
	Row     object `json:"row"`
}

type replyMembers struct {
	Org     text      `json:"org"`
	Row     object    `json:"row"`
	Request uint64    `json:"request"`
	Reply   *kmsReply `json:"reply"`
}

// on makes an op on the vault that the line names.
func on[M any](call func(*strongroom.Vault, M) (any, error)) op {
	return func(line []byte) (any, error) {
		var head struct{ Vault int }
		if json.Unmarshal(line, &head) != nil {
			return nil, strongroom.ErrBadInput
		}
		return typed(func(m M) (any, error) { return call(vaults[head.Vault], m) })(line)
	}
}

func withDek(call func(*strongroom.Vault, strongroom.DekRef, keyMembers) (any, error)) func(*strongroom.Vault, keyMembers) (any, error) {
	return func(v *strongroom.Vault, m keyMembers) (any, error) {
		ref, err := strongroom.DekRefFromBytes(m.DekRef)
		if err != nil {
			return nil, err
		}
		return call(v, ref, m)
	}
}

func keep(vault *strongroom.Vault, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	number := len(vaults) + 1
	vaults[number] = vault
	return number, nil
}

// encrypt puts the DEK where an Encrypt request has it.
func encrypt(v *strongroom.Vault, made strongroom.KmsRequest, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	dek, err := v.TakeRequestPlaintext(made.ID)
	return request(made, dek), err
}

func status(v *strongroom.Vault) (any, error) {
	held, err := v.Status()
	list := make([]any, len(held))
	for i, it := range held {
		list[i] = map[string]any{
			"dek_ref": octets(it.DekRef[:]), "kind": it.Kind, "org": it.Org, "version": it.Version,
			"reader": it.Reader, "ends": u64(it.Ends), "seals": it.Seals,
		}
	}
	return list, err
}

func inspect(m struct{ Env octets }) (any, error) {
	header, err := strongroom.Inspect(m.Env)
	return map[string]any{
		"version": header.Version, "suite": header.Suite, "padded": header.Padded,
		"dek_ref": octets(header.DekRef[:]), "ct_len": header.CtLen,
	}, err
}
