package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	strongroom "strongroom.dev/go"
	"strongroom.dev/go/awskms"
)

// worker is one process around one vault.
type worker struct {
	endpoint string
	rows     *strongroom.JSONLinesStore
	fields   *folderFields
	points   points
	org      string
	cmks     map[string][]string
	vault    *strongroom.KmsVault
	kms      *countedKms
	store    *watchedStore
}

func (w *worker) work(ctx context.Context, l *line) (any, error) {
	switch l.Op {
	case "create_key":
		return w.createKey(ctx, l.Org)
	case "session":
		return true, w.session(l)
	case "kill":
		var point string
		err := json.Unmarshal(l.At, &point)
		w.points.arm(point, l.N)
		return true, err
	case "seal", "seal_many", "open", "fill", "fields", "open_fields":
		return w.onFields(ctx, l)
	case "rows", "rows_by_owner", "active", "usage", "mark_inactive", "tombstone_row":
		return w.onRows(ctx, l)
	case "store_down":
		w.store.down = l.Is
		return true, nil
	case "kms_calls":
		return w.kms.calls, nil
	}
	return w.onVault(ctx, l)
}

func (w *worker) onVault(ctx context.Context, l *line) (any, error) {
	fields := &watchedFields{w.fields, &w.points}
	switch l.Op {
	case "rotate":
		return w.vault.Rotate(ctx)
	case "share":
		return w.vault.Share(ctx, l.Table, l.Record, l.Reader, w.cmks[l.Reader][0])
	case "promote":
		return w.vault.Promote(ctx, l.Table, l.Record, fields)
	case "revoke":
		return w.vault.Revoke(ctx, l.Table, l.Record, l.Reader, fields)
	case "rewrap_local":
		return w.vault.RewrapLocal(ctx)
	case "retire":
		return w.vault.Retire(ctx, l.Version, fields)
	case "shred":
		return w.vault.Shred(ctx, l.Days)
	case "sign_out":
		_, err := w.vault.SignOut()
		return true, err
	}
	return nil, fmt.Errorf("no operation %q", l.Op)
}

func (w *worker) onFields(ctx context.Context, l *line) (any, error) {
	scope := strongroom.ScopeOrg
	if l.Scope == "record" {
		scope = strongroom.ScopeRecord
	}
	switch l.Op {
	case "seal":
		envelope, err := w.vault.Seal(ctx, l.Bind.binding(), l.Pt, strongroom.SealOptions{Scope: scope})
		return hexa(envelope), err
	case "open":
		value, err := w.vault.Open(ctx, l.Bind.binding(), l.Env)
		return hexa(value), err
	case "seal_many":
		return w.sealMany(ctx, l)
	case "fill":
		for number := 1; number <= l.N; number++ {
			at := strongroom.Binding{Org: w.org, Table: l.Table, Record: l.Record, Field: fmt.Sprintf("f-%d", number)}
			value := fmt.Appendf(nil, "value %d of %s", number, l.Record)
			envelope, err := w.vault.Seal(ctx, at, value, strongroom.SealOptions{Scope: scope})
			if err == nil {
				err = w.fields.put(at, envelope)
			}
			if err != nil {
				return nil, err
			}
		}
		return true, nil
	}
	found, err := w.fields.Fields(ctx, l.Owner, l.Table, l.Record)
	if err != nil || l.Op == "open_fields" {
		return w.opened(ctx, found), err
	}
	list := []map[string]any{}
	for _, field := range found {
		list = append(list, map[string]any{"field": field.Binding.Field, "env": hexa(field.Envelope)})
	}
	return list, nil
}

func (w *worker) sealMany(ctx context.Context, l *line) (any, error) {
	items := make([]strongroom.SealItem, l.N)
	for i := range items {
		items[i] = strongroom.SealItem{Binding: l.Bind.binding(), Plaintext: []byte{0}}
	}
	results, err := w.vault.SealMany(ctx, items)
	answer, sealed := map[string]any{}, 0
	for _, result := range results {
		if result.Err == nil {
			sealed++
		} else {
			answer["err"] = nameOf(result.Err)
		}
	}
	answer["sealed"] = sealed
	return answer, err
}

func (w *worker) opened(ctx context.Context, found []strongroom.StoredField) any {
	list := []map[string]any{}
	for _, field := range found {
		answer := map[string]any{"field": field.Binding.Field}
		if value, err := w.vault.Open(ctx, field.Binding, field.Envelope); err == nil {
			answer["pt"] = hexa(value)
		} else {
			answer["err"] = nameOf(err)
		}
		list = append(list, answer)
	}
	return list
}

func (w *worker) onRows(ctx context.Context, l *line) (any, error) {
	var ref strongroom.DekRef
	if l.DekRef != "" {
		if err := ref.UnmarshalText([]byte(l.DekRef)); err != nil {
			return nil, err
		}
	}
	switch l.Op {
	case "rows":
		return w.rows.Rows(ctx, ref, l.Reader)
	case "rows_by_owner":
		return w.rows.RowsByOwner(ctx, l.Owner, nil)
	case "active":
		return w.rows.Active(ctx, w.org)
	case "mark_inactive":
		var at uint64
		if err := json.Unmarshal(l.At, &at); err != nil {
			return nil, err
		}
		_, err := w.rows.MarkInactive(ctx, ref, at)
		return true, err
	case "tombstone_row":
		return true, w.tombstone(ctx)
	}
	row, err := w.rows.Usage(ctx, ref)
	if err != nil || row == nil {
		return nil, err
	}
	return map[string]any{"dekRef": row.DekRef, "reserved": row.Reserved}, nil
}

func (w *worker) tombstone(ctx context.Context) error {
	row, err := w.rows.Active(ctx, w.org)
	if err != nil {
		return err
	}
	members, err := row.Members()
	if err != nil {
		return err
	}
	members.State, members.Rev = "tombstoned", members.Rev+1
	text, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return w.rows.CompareAndSetActive(ctx, strongroom.ActiveRowFromJSON(text))
}

func (w *worker) session(l *line) error {
	if w.vault != nil {
		if err := w.vault.Close(); err != nil {
			return err
		}
	}
	adapter, err := awskms.New(w.client(l.Org), awskms.Options{DangerEndpoint: w.endpoint})
	if err != nil {
		return err
	}
	w.org, w.cmks = l.Org, l.Cmks
	w.kms = &countedKms{Kms: adapter, points: &w.points}
	w.store = &watchedStore{WrapStore: w.rows, points: &w.points}
	w.vault, err = strongroom.NewKmsVault(strongroom.KmsVaultConfig{
		Org: l.Org, Cmks: l.Cmks, Kms: w.kms, Store: w.store,
		Options:        []strongroom.Option{strongroom.WithDangerEndpoint(w.endpoint)},
		ActiveMaxAge:   time.Duration(l.Options.ActiveMaxAge) * time.Second,
		FleetSealLimit: l.Options.FleetSealLimit,
	})
	return err
}

func (w *worker) client(org string) *kms.Client {
	id := "sr-" + base64.RawURLEncoding.EncodeToString([]byte(org))
	return kms.New(kms.Options{
		Region: "us-east-1", BaseEndpoint: &w.endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: "local"}, nil
		}),
	})
}

func (w *worker) createKey(ctx context.Context, org string) (any, error) {
	made, err := w.client(org).CreateKey(ctx, &kms.CreateKeyInput{
		Tags: []types.Tag{{TagKey: aws.String("strongroom-org"), TagValue: &org}},
	})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(*made.KeyMetadata.Arn, "arn:") {
		return nil, errors.New("no ARN")
	}
	return *made.KeyMetadata.Arn, nil
}
