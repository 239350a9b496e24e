package dynamostore

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	strongroom "strongroom.dev/go"
)

// Rows implements [strongroom.WrapStore].
func (s *Store) Rows(ctx context.Context, ref strongroom.DekRef, reader string) ([]strongroom.WrapRow, error) {
	return s.find(ctx, 0, "wrap#"+ref.String(), b(reader)+"#")
}

// RowsByOwner implements [strongroom.WrapStore].
func (s *Store) RowsByOwner(ctx context.Context, owner string, at *strongroom.RecordPlace) ([]strongroom.WrapRow, error) {
	prefix := ""
	if at != nil {
		if at.Table == "" || at.Record == "" {
			// An org DEK's items have neither.
			return nil, ctx.Err()
		}
		prefix = b(at.Table) + "#" + b(at.Record) + "#"
	}
	return s.find(ctx, 1, "owner#"+b(owner), prefix)
}

// RowsByReader implements [strongroom.WrapStore].
func (s *Store) RowsByReader(ctx context.Context, reader string) ([]strongroom.WrapRow, error) {
	return s.find(ctx, 2, "reader#"+b(reader), "")
}

// find reads rows in the order in which they were put. A row says itself what it is:
// an item whose key names it as another is damage.
func (s *Store) find(ctx context.Context, place int, pk, prefix string) ([]strongroom.WrapRow, error) {
	items, err := s.query(ctx, pk, prefix)
	if err != nil {
		return nil, err
	}
	type stored struct {
		at  uint64
		sk  string
		row strongroom.WrapRow
	}
	var found []stored
	for _, item := range items {
		row := strongroom.WrapRowFromJSON([]byte(textOf(item["row"])))
		at, bad := strconv.ParseUint(numberOf(item["stored"]), 10, 64)
		members, err := row.Members()
		sk := textOf(item["sk"])
		if err != nil || bad != nil || placesOf(&members)[place] != [2]string{pk, sk} {
			return nil, damaged("a wrap row")
		}
		found = append(found, stored{at, sk, row})
	}
	slices.SortFunc(found, func(a, b stored) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.sk, b.sk)) })
	var rows []strongroom.WrapRow
	for _, each := range found {
		rows = append(rows, each.row)
	}
	return rows, nil
}

// placesOf are the keys of the three items of a row.
func placesOf(m *strongroom.WrapMembers) [3][2]string {
	ref, reader, id := m.DekRef.String(), b(m.Reader), b(m.KeyID)
	return [3][2]string{
		{"wrap#" + ref, reader + "#" + id},
		{"owner#" + b(m.Owner), b(m.Table) + "#" + b(m.Record) + "#" + ref + "#" + reader + "#" + id},
		{"reader#" + reader, ref + "#" + id},
	}
}

// PutIfAbsent implements [strongroom.WrapStore].
func (s *Store) PutIfAbsent(ctx context.Context, row strongroom.WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	places := placesOf(&members)
	stored := num(strconv.FormatUint(s.clock.next(), 10))
	var writes []types.TransactWriteItem
	for _, at := range places {
		put := &types.Put{TableName: &s.table, Item: key(at[0], at[1])}
		put.Item["row"], put.Item["stored"] = str(row.JSON()), stored
		writes = append(writes, types.TransactWriteItem{Put: put})
	}
	writes[0].Put.ConditionExpression = aws.String("attribute_not_exists(pk)")
	err = s.transact(ctx, writes)
	if err != strongroom.ErrPreconditionFailed {
		return err
	}
	return s.compare(ctx, places[0], &members)
}

// compare is success if the identical row stands at a place.
func (s *Store) compare(ctx context.Context, at [2]string, want *strongroom.WrapMembers) error {
	item, err := s.get(ctx, at[0], at[1])
	if err != nil {
		return err
	}
	if item == nil {
		// Deleted since: whoever wanted it away was later.
		return strongroom.ErrPreconditionFailed
	}
	found, err := strongroom.WrapRowFromJSON([]byte(textOf(item["row"]))).Members()
	if err != nil {
		return damaged("a wrap row")
	}
	if !reflect.DeepEqual(&found, want) {
		return strongroom.ErrPreconditionFailed
	}
	return nil
}

// Delete implements [strongroom.WrapStore].
func (s *Store) Delete(ctx context.Context, row strongroom.WrapRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	place := placesOf(&members)[0]
	item, err := s.get(ctx, place[0], place[1])
	if err != nil || item == nil {
		return err
	}
	// The key alone says what is to go; where its other two items lie is the stored row's word.
	text := textOf(item["row"])
	found, err := strongroom.WrapRowFromJSON([]byte(text)).Members()
	if err != nil || placesOf(&found)[0] != place {
		return damaged("a wrap row")
	}
	var writes []types.TransactWriteItem
	for _, at := range placesOf(&found) {
		writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{TableName: &s.table, Key: key(at[0], at[1])}})
	}
	return s.transact(ctx, writes)
}

func (s *Store) transact(ctx context.Context, writes []types.TransactWriteItem) error {
	return retry(ctx, func() error {
		_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		return err
	})
}

// Active implements [strongroom.WrapStore].
func (s *Store) Active(ctx context.Context, org string) (*strongroom.ActiveRow, error) {
	item, err := s.get(ctx, "active#"+b(org), "-")
	if err != nil || item == nil {
		return nil, err
	}
	row := strongroom.ActiveRowFromJSON([]byte(textOf(item["row"])))
	members, err := row.Members()
	if err != nil || members.Org != org || numberOf(item["rev"]) != strconv.FormatUint(members.Rev, 10) {
		return nil, damaged("an active row")
	}
	return &row, nil
}

// CompareAndSetActive implements [strongroom.WrapStore].
func (s *Store) CompareAndSetActive(ctx context.Context, row strongroom.ActiveRow) error {
	members, err := row.Members()
	if err != nil {
		return err
	}
	put := &dynamodb.PutItemInput{TableName: &s.table, Item: key("active#"+b(members.Org), "-")}
	put.Item["row"], put.Item["rev"] = str(row.JSON()), num(strconv.FormatUint(members.Rev, 10))
	put.ConditionExpression = aws.String("attribute_not_exists(pk)")
	if members.Rev > 1 {
		put.ConditionExpression = aws.String("rev = :before")
		put.ExpressionAttributeValues = item{":before": num(strconv.FormatUint(members.Rev-1, 10))}
	}
	return retry(ctx, func() error {
		_, err := s.client.PutItem(ctx, put)
		return err
	})
}

// clock gives microseconds since 1970, each later than the last.
type clock struct {
	lock sync.Mutex
	last uint64
}

func (c *clock) next() uint64 {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.last = max(c.last+1, uint64(time.Now().UnixMicro()))
	return c.last
}
