// Package dynamostore keeps wrap rows, active rows, usage rows and sealed fields in one
// DynamoDB table, through the official SDK.
package dynamostore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	strongroom "strongroom.dev/go"
)

// Store is a [strongroom.WrapStore] and a [strongroom.FieldStore] in a DynamoDB table
// with the keys pk and sk, both strings. It is safe for many goroutines. All reads are
// consistent and all writes conditional.
//
// Where the table can't be read or written, or holds something that no store wrote
// there, methods return an error that wraps ErrStoreUnavailable.
type Store struct {
	client *dynamodb.Client
	table  string
	clock  clock
}

var (
	_ strongroom.WrapStore  = (*Store)(nil)
	_ strongroom.FieldStore = (*Store)(nil)
)

// New makes a store of a table. It asks nothing: a missing table is found by the first
// call.
func New(client *dynamodb.Client, table string) *Store { return &Store{client: client, table: table} }

// CreateTable makes the table, paid for by request, and waits until it is there. One that
// is there already is success.
func (s *Store) CreateTable(ctx context.Context) error {
	text := types.ScalarAttributeTypeS
	_, err := s.client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:   &s.table,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: text}, {AttributeName: aws.String("sk"), AttributeType: text},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	var there *types.ResourceInUseException
	if err != nil && !errors.As(err, &there) {
		return failure(ctx, err)
	}
	waiter := dynamodb.NewTableExistsWaiter(s.client)
	return failure(ctx, waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &s.table}, 5*time.Minute))
}

type item = map[string]types.AttributeValue

// get reads one item, nil if there is none.
func (s *Store) get(ctx context.Context, pk, sk string) (item, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: key(pk, sk), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, failure(ctx, err)
	}
	return out.Item, nil
}

// query reads all items of a pk whose sk begins so, in the order of sk.
func (s *Store) query(ctx context.Context, pk, prefix string) ([]item, error) {
	input := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": str(pk)},
	}
	if prefix != "" {
		input.KeyConditionExpression = aws.String("pk = :pk AND begins_with(sk, :sk)")
		input.ExpressionAttributeValues[":sk"] = str(prefix)
	}
	var found []item
	for pages := dynamodb.NewQueryPaginator(s.client, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failure(ctx, err)
		}
		found = append(found, page.Items...)
	}
	return found, nil
}

// retry makes a write again for as long as another's transaction is in its way.
func retry(ctx context.Context, write func() error) error {
	for attempt := 0; ; attempt++ {
		err := write()
		if !conflicts(err) || attempt == attempts {
			return failure(ctx, err)
		}
		pause := time.Duration(rand.Int64N(int64(10*time.Millisecond) << min(attempt, 5)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func conflicts(err error) bool {
	var conflict *types.TransactionConflictException
	var canceled *types.TransactionCanceledException
	if errors.As(err, &conflict) {
		return true
	}
	return errors.As(err, &canceled) && !because(canceled, "ConditionalCheckFailed") && because(canceled, "TransactionConflict")
}

// failure is what a method returns for an error of its own or of the SDK.
func failure(ctx context.Context, err error) error {
	var own *strongroom.Error
	var condition *types.ConditionalCheckFailedException
	var canceled *types.TransactionCanceledException
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case errors.As(err, &condition), errors.As(err, &canceled) && because(canceled, "ConditionalCheckFailed"):
		return strongroom.ErrPreconditionFailed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", strongroom.ErrStoreUnavailable, err)
}

func because(canceled *types.TransactionCanceledException, code string) bool {
	for _, reason := range canceled.CancellationReasons {
		if aws.ToString(reason.Code) == code {
			return true
		}
	}
	return false
}

func damaged(what string) error {
	return fmt.Errorf("%w: a damaged item of %s", strongroom.ErrStoreUnavailable, what)
}

func key(pk, sk string) item { return item{"pk": str(pk), "sk": str(sk)} }

func str(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }

func num(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }

// textOf and numberOf are "" where the attribute is missing or of another type.
func textOf(value types.AttributeValue) string {
	text, _ := value.(*types.AttributeValueMemberS)
	if text == nil {
		return ""
	}
	return text.Value
}

func numberOf(value types.AttributeValue) string {
	number, _ := value.(*types.AttributeValueMemberN)
	if number == nil {
		return ""
	}
	return number.Value
}

// b spells a name in characters that no key's parts are set apart by. A long one is
// hashed, since a sort key holds 1,024 bytes.
func b(name string) string {
	if len(name) > maxPlain {
		sum := sha256.Sum256([]byte(name))
		return "~" + base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return base64.RawURLEncoding.EncodeToString([]byte(name))
}

// maxPlain is how many bytes a name may have that four of fit into a sort key.
const maxPlain = 180

// How often a write is made again that is in the way of another's transaction.
const attempts = 20
