//go:build dynamoit

package dynamostore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	strongroom "strongroom.dev/go"
	"strongroom.dev/go/dynamostore"
	"strongroom.dev/go/storetest"
)

var tables atomic.Int32

func clientOf(endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, RetryMaxAttempts: 2,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
}

func local(t *testing.T) *dynamodb.Client {
	t.Helper()
	endpoint := os.Getenv("STRONGROOM_DYNAMODB")
	if endpoint == "" {
		t.Fatal("STRONGROOM_DYNAMODB names no DynamoDB Local")
	}
	return clientOf(endpoint)
}

// fresh makes an empty table and gives what opens it with another client each time.
func fresh(t *testing.T) (string, func() *dynamostore.Store) {
	t.Helper()
	name := fmt.Sprintf("go-%d-%d", os.Getpid(), tables.Add(1))
	open := func() *dynamostore.Store { return dynamostore.New(local(t), name) }
	for range 2 {
		if err := open().CreateTable(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return name, open
}

func TestTheStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() strongroom.WrapStore {
		_, open := fresh(t)
		return func() strongroom.WrapStore { return open() }
	})
}

func TestTheStoreKeepsTheContractOfFields(t *testing.T) {
	storetest.RunFields(t, func(t *testing.T) func() storetest.PutFieldStore {
		_, open := fresh(t)
		return func() storetest.PutFieldStore { return open() }
	})
}

func TestAnEndpointOutOfReachAndAMissingTableAreUnavailable(t *testing.T) {
	for name, store := range map[string]*dynamostore.Store{
		"out of reach": dynamostore.New(clientOf("http://127.0.0.1:1"), "t"),
		"no table":     dynamostore.New(local(t), "no-such-table"),
	} {
		_, usage := store.Usage(t.Context(), dek)
		_, reserve := store.Reserve(t.Context(), dek, 1, 2)
		_, mark := store.MarkInactive(t.Context(), dek, 1)
		_, rows := store.Rows(t.Context(), dek, "acme")
		_, byOwner := store.RowsByOwner(t.Context(), "acme", nil)
		_, byReader := store.RowsByReader(t.Context(), "acme")
		_, active := store.Active(t.Context(), "acme")
		_, fields := store.Fields(t.Context(), "acme", "t", "r")
		all := store.All(t.Context(), "acme", func(strongroom.StoredField) error { return nil })
		for at, err := range []error{
			usage, reserve, mark, rows, byOwner, byReader, active, fields, all,
			store.PutIfAbsent(t.Context(), orgDek("acme", "k")), store.Delete(t.Context(), orgDek("acme", "k")),
			store.CompareAndSetActive(t.Context(), activeRow), store.DeleteUsage(t.Context(), dek),
			store.Put(t.Context(), strongroom.Binding{Org: "a", Table: "t", Record: "r", Field: "f"}, nil),
		} {
			if !errors.Is(err, strongroom.ErrStoreUnavailable) {
				t.Errorf("%s, call %d: %v", name, at, err)
			}
		}
	}
}

func TestOfTwoClientsThatRaceNeitherReservesTooMuch(t *testing.T) {
	_, open := fresh(t)
	var sum atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		store := open()
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				_, err := store.Reserve(t.Context(), dek, 3, 100)
				if errors.Is(err, strongroom.ErrPreconditionFailed) {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
				sum.Add(3)
			}
		}()
	}
	group.Wait()
	if sum.Load() != 99 {
		t.Fatalf("%d were reserved", sum.Load())
	}
}

func TestTransactionsInEachOthersWayAreMadeAgain(t *testing.T) {
	_, open := fresh(t)
	var group sync.WaitGroup
	for range 8 {
		store := open()
		group.Add(1)
		go func() {
			defer group.Done()
			for range 5 {
				if err := errors.Join(store.PutIfAbsent(t.Context(), orgDek("acme", "k"))); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	group.Wait()
	if rows, err := open().Rows(t.Context(), dek, "acme"); err != nil || len(rows) != 1 {
		t.Fatalf("%v, %v", rows, err)
	}
}

func TestListsLongerThanAPageAreReadWhole(t *testing.T) {
	_, open := fresh(t)
	store := open()
	envelope := bytes.Repeat([]byte{7}, 200_000)
	for i := range 12 {
		at := strongroom.Binding{Org: "acme", Table: "t", Record: "r", Field: fmt.Sprint(i)}
		if err := store.Put(t.Context(), at, envelope); err != nil {
			t.Fatal(err)
		}
	}
	fields, err := store.Fields(t.Context(), "acme", "t", "r")
	count := 0
	all := store.All(t.Context(), "acme", func(strongroom.StoredField) error { count++; return nil })
	if err != nil || all != nil || len(fields) != 12 || count != 12 {
		t.Fatalf("%d, %d, %v, %v", len(fields), count, err, all)
	}
	for i := range 200 {
		row := strings.Replace(orgDek("acme", fmt.Sprintf("k%03d", i)).JSON(), "AQ==", strings.Repeat("AQEB", 2_000), 1)
		if err := store.PutIfAbsent(t.Context(), strongroom.WrapRowFromJSON([]byte(row))); err != nil {
			t.Fatal(err)
		}
	}
	if rows, err := store.RowsByReader(t.Context(), "acme"); err != nil || len(rows) != 200 || !strings.Contains(rows[199].JSON(), "k199") {
		t.Fatalf("%d, %v", len(rows), err)
	}
}

func TestAnEnvelopeThatNoItemHoldsIsRefused(t *testing.T) {
	_, open := fresh(t)
	store := open()
	long := strings.Repeat("x", 1_024)
	at := strongroom.Binding{Org: long, Table: long, Record: long, Field: long}
	if err := store.Put(t.Context(), at, make([]byte, 390_000)); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), at, make([]byte, 390_001)); err != strongroom.ErrLimit {
		t.Fatal(err)
	}
	if err := store.Replace(t.Context(), at, make([]byte, 390_000), make([]byte, 390_001)); err != strongroom.ErrLimit {
		t.Fatal(err)
	}
}

func TestNamesOfAnyCharactersAreKeptApart(t *testing.T) {
	_, open := fresh(t)
	store := open()
	names := []string{"#", "/", "a#b", "🔑", " ", "-", "a\\u0000b", strings.Repeat("x", 1_024)}
	for _, name := range names {
		if err := store.PutIfAbsent(t.Context(), orgDek(name, "k#"+name)); err != nil {
			t.Fatalf("%.20q: %v", name, err)
		}
	}
	for _, name := range names {
		name = strings.ReplaceAll(name, "\\u0000", "\x00")
		one, err := store.Rows(t.Context(), dek, name)
		two, bad := store.RowsByOwner(t.Context(), name, nil)
		three, worse := store.RowsByReader(t.Context(), name)
		if err := errors.Join(err, bad, worse); err != nil || len(one)*len(two)*len(three) != 1 {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

func TestADamagedOrMovedItemIsAnErrorAndNoAnswer(t *testing.T) {
	row := func(text string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"row": str(text), "stored": num("1")}
	}
	bin := &types.AttributeValueMemberB{Value: []byte{1}}
	field := func(name string, envelope types.AttributeValue) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{
			"org": str("acme"), "tbl": str("t"), "record": str("r"), "field": str(name), "envelope": envelope,
		}
	}
	evil := orgDek("evil", "k").JSON()
	for name, change := range map[string][3]any{
		"no row":               {"wrap#" + dek.String(), "YWNtZQ#aw", row("{}")},
		"another's row":        {"wrap#" + dek.String(), "YWNtZQ#aw", row(evil)},
		"no time":              {"wrap#" + dek.String(), "YWNtZQ#aw", map[string]types.AttributeValue{"row": str(orgDek("acme", "k").JSON())}},
		"another owner's row":  {"owner#YWNtZQ", "##" + dek.String() + "#YWNtZQ#aw", row(evil)},
		"another reader's row": {"reader#YWNtZQ", dek.String() + "#aw", row(evil)},
		"another org's active": {"active#YWNtZQ", "-", map[string]types.AttributeValue{
			"row": str(strings.Replace(activeRow.JSON(), "acme", "evil", 1)), "rev": num("1")}},
		"another rev":     {"active#YWNtZQ", "-", map[string]types.AttributeValue{"row": str(activeRow.JSON()), "rev": num("2")}},
		"fewer than none": {"usage#" + dek.String(), "-", map[string]types.AttributeValue{"reserved": num("-1")}},
		"no number":       {"usage#" + dek.String(), "-", map[string]types.AttributeValue{"reserved": str("1")}},
		"no second":       {"usage#" + dek.String(), "-", map[string]types.AttributeValue{"inactiveSince": num("0")}},
		"no envelope":     {"fields#YWNtZQ#dA#cg", "Zg#", field("f", str("x"))},
		"no revision":     {"fields#YWNtZQ#dA#cg", "Zg#01", field("f", bin)},
		"another field":   {"fields#YWNtZQ#dA#cg", "Zg#", field("g", bin)},
		"no names":        {"fields#YWNtZQ#dA#cg", "Zg#", map[string]types.AttributeValue{"envelope": bin}},
		"too few parts":   {"fields#YWNtZQ#dA#cg", "Zg", field("f", bin)},
	} {
		table, open := fresh(t)
		store := open()
		if err := readAll(t, store); err != nil {
			t.Fatal(err)
		}
		item := change[2].(map[string]types.AttributeValue)
		item["pk"], item["sk"] = str(change[0].(string)), str(change[1].(string))
		if _, err := local(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
			t.Fatal(err)
		}
		if err := readAll(t, store); !errors.Is(err, strongroom.ErrStoreUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func readAll(t *testing.T, store *dynamostore.Store) error {
	_, rows := store.Rows(t.Context(), dek, "acme")
	_, owned := store.RowsByOwner(t.Context(), "acme", nil)
	_, readable := store.RowsByReader(t.Context(), "acme")
	_, active := store.Active(t.Context(), "acme")
	_, usage := store.Usage(t.Context(), dek)
	_, fields := store.Fields(t.Context(), "acme", "t", "r")
	return errors.Join(rows, owned, readable, active, usage, fields)
}

func str(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }

func num(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }

func orgDek(owner, keyID string) strongroom.WrapRow {
	return strongroom.WrapRowFromJSON([]byte(`{"v":1,"purpose":"org-dek","owner":"` + owner + `","reader":"` + owner +
		`","version":1,"created":1,"dekRef":"` + dek.String() + `","provider":"aws-kms","keyId":"` + keyID + `","blob":"AQ=="}`))
}

var (
	dek       strongroom.DekRef
	activeRow = strongroom.ActiveRowFromJSON([]byte(`{"org":"acme","dekRef":"` + dek.String() + `","version":1,"state":"active","rev":1}`))
)
