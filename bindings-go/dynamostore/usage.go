package dynamostore

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	strongroom "strongroom.dev/go"
)

// Usage implements [strongroom.WrapStore].
func (s *Store) Usage(ctx context.Context, ref strongroom.DekRef) (*strongroom.UsageRow, error) {
	found, err := s.get(ctx, "usage#"+ref.String(), "-")
	if err != nil || found == nil {
		return nil, err
	}
	row, err := usageOf(ref, found)
	return &row, err
}

// Reserve implements [strongroom.WrapStore]. An answer that was lost counts as reserved:
// the SDK's own second attempt reserves again.
func (s *Store) Reserve(ctx context.Context, ref strongroom.DekRef, count, limit uint64) (uint64, error) {
	if count == 0 || limit > maxWhole {
		return 0, strongroom.ErrBadInput
	}
	if count > limit {
		return 0, strongroom.ErrPreconditionFailed
	}
	row, err := s.update(ctx, ref, &dynamodb.UpdateItemInput{
		UpdateExpression:    aws.String("ADD reserved :count"),
		ConditionExpression: aws.String("attribute_not_exists(reserved) OR reserved <= :most"),
		ExpressionAttributeValues: item{
			":count": num(strconv.FormatUint(count, 10)), ":most": num(strconv.FormatUint(limit-count, 10)),
		},
	})
	return row.Reserved, err
}

// MarkInactive implements [strongroom.WrapStore].
func (s *Store) MarkInactive(ctx context.Context, ref strongroom.DekRef, at uint64) (strongroom.UsageRow, error) {
	if at == 0 || at > maxWhole {
		return strongroom.UsageRow{}, strongroom.ErrBadInput
	}
	return s.update(ctx, ref, &dynamodb.UpdateItemInput{
		UpdateExpression:          aws.String("SET inactiveSince = if_not_exists(inactiveSince, :at)"),
		ExpressionAttributeValues: item{":at": num(strconv.FormatUint(at, 10))},
	})
}

// DeleteUsage implements [strongroom.WrapStore].
func (s *Store) DeleteUsage(ctx context.Context, ref strongroom.DekRef) error {
	return retry(ctx, func() error {
		_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.table, Key: key("usage#"+ref.String(), "-")})
		return err
	})
}

func (s *Store) update(ctx context.Context, ref strongroom.DekRef, input *dynamodb.UpdateItemInput) (strongroom.UsageRow, error) {
	input.TableName, input.Key = &s.table, key("usage#"+ref.String(), "-")
	input.ReturnValues = types.ReturnValueAllNew
	var after item
	err := retry(ctx, func() error {
		out, err := s.client.UpdateItem(ctx, input)
		if err == nil {
			after = out.Attributes
		}
		return err
	})
	if err != nil {
		return strongroom.UsageRow{}, err
	}
	return usageOf(ref, after)
}

func usageOf(ref strongroom.DekRef, stored item) (strongroom.UsageRow, error) {
	row := strongroom.UsageRow{DekRef: ref}
	var err, bad error
	// Without seals where the DEK was only ever marked.
	if stored["reserved"] != nil {
		row.Reserved, err = strconv.ParseUint(numberOf(stored["reserved"]), 10, 64)
	}
	if stored["inactiveSince"] != nil {
		row.InactiveSince, bad = strconv.ParseUint(numberOf(stored["inactiveSince"]), 10, 64)
		if row.InactiveSince == 0 {
			bad = errors.New("no second")
		}
	}
	if err != nil || bad != nil || max(row.Reserved, row.InactiveSince) > maxWhole {
		return strongroom.UsageRow{}, damaged("a usage row")
	}
	return row, nil
}

// maxWhole is the largest whole number that every host's JSON reader holds exactly.
const maxWhole = 1<<53 - 1
