package dynamostore

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	strongroom "strongroom.dev/go"
)

// Fields implements [strongroom.FieldStore].
func (s *Store) Fields(ctx context.Context, owner, table, record string) ([]strongroom.StoredField, error) {
	items, err := s.query(ctx, recordKey(owner, table, record), "")
	if err != nil {
		return nil, err
	}
	var found []strongroom.StoredField
	for _, item := range items {
		field, err := fieldOf(item)
		if err != nil {
			return nil, err
		}
		found = append(found, field)
	}
	return found, nil
}

// Put stores an envelope, in the place of whatever was there. It returns ErrLimit for
// one that no item has room for (390,000 bytes).
func (s *Store) Put(ctx context.Context, at strongroom.Binding, envelope []byte) error {
	return s.put(ctx, at, envelope, &dynamodb.PutItemInput{})
}

// Replace implements [strongroom.FieldStore]. It returns ErrLimit as Put does.
func (s *Store) Replace(ctx context.Context, at strongroom.Binding, old, new []byte) error {
	return s.put(ctx, at, new, &dynamodb.PutItemInput{
		ConditionExpression:       aws.String("envelope = :old"),
		ExpressionAttributeValues: item{":old": bin(old)},
	})
}

func (s *Store) put(ctx context.Context, at strongroom.Binding, envelope []byte, input *dynamodb.PutItemInput) error {
	if len(envelope) > maxEnvelope {
		return strongroom.ErrLimit
	}
	input.TableName, input.Item = &s.table, key(recordKey(at.Org, at.Table, at.Record), fieldKey(at))
	for name, text := range map[string]string{"org": at.Org, "tbl": at.Table, "record": at.Record, "field": at.Field} {
		input.Item[name] = str(text)
	}
	input.Item["envelope"] = bin(envelope)
	return retry(ctx, func() error {
		_, err := s.client.PutItem(ctx, input)
		return err
	})
}

// All implements [strongroom.FieldStore]. It reads the whole table, a page at a time:
// fields are stored by record, and no index is consistent.
func (s *Store) All(ctx context.Context, owner string, visit func(strongroom.StoredField) error) error {
	pages := dynamodb.NewScanPaginator(s.client, &dynamodb.ScanInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		FilterExpression:          aws.String("begins_with(pk, :owner)"),
		ExpressionAttributeValues: item{":owner": str("fields#" + b(owner) + "#")},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return failure(ctx, err)
		}
		for _, item := range page.Items {
			field, err := fieldOf(item)
			if err != nil {
				return err
			}
			if err := visit(field); err != nil {
				return err
			}
		}
	}
	return nil
}

func recordKey(owner, table, record string) string {
	return "fields#" + b(owner) + "#" + b(table) + "#" + b(record)
}

func fieldKey(at strongroom.Binding) string {
	if at.Revision == nil {
		return b(at.Field) + "#"
	}
	return b(at.Field) + "#" + strconv.FormatUint(*at.Revision, 10)
}

// fieldOf reads a field. An item whose key names it as another is damage.
func fieldOf(stored item) (field strongroom.StoredField, err error) {
	at := &field.Binding
	at.Org, at.Table = textOf(stored["org"]), textOf(stored["tbl"])
	at.Record, at.Field = textOf(stored["record"]), textOf(stored["field"])
	sk := textOf(stored["sk"])
	if _, revision, _ := strings.Cut(sk, "#"); revision != "" {
		number, err := strconv.ParseUint(revision, 10, 64)
		if err != nil {
			return field, damaged("a field")
		}
		at.Revision = &number
	}
	envelope, isBytes := stored["envelope"].(*types.AttributeValueMemberB)
	if !isBytes || recordKey(at.Org, at.Table, at.Record) != textOf(stored["pk"]) || fieldKey(*at) != sk {
		return field, damaged("a field")
	}
	field.Envelope = envelope.Value
	return field, nil
}

// bin is never nil, which the SDK would send as no value.
func bin(bytes []byte) types.AttributeValue {
	return &types.AttributeValueMemberB{Value: append([]byte{}, bytes...)}
}

// maxEnvelope leaves room for the longest keys in an item of 400 KB.
const maxEnvelope = 390_000
