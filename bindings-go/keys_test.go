//go:build cgo

package strongroom

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"testing"
)

const (
	cmk       = "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e"
	readerCmk = "arn:aws:kms:us-east-1:210987654321:key/7c9e6679-7425-40de-944b-e07fc1f90ae7"
	endpoint  = "https://kms-fips.us-east-1.amazonaws.com"
	created   = 1_761_955_200
)

// answer is what a KMS would say to a request that carries or makes a DEK.
func answer(request KmsRequest) KmsReply {
	reply := KmsReply{Endpoint: request.Endpoint, KeyID: &request.Params.KeyID, CiphertextBlob: []byte("blob")}
	if request.Op == "GenerateDataKey" {
		reply.Plaintext = bytes.Repeat([]byte{0x5A}, dekLength)
	}
	return reply
}

func TestAMintedDekSealsOnceItsRowIsActive(t *testing.T) {
	vault, err := NewVault(WithCmks(map[string][]string{"acme": {cmk}}))
	if err != nil {
		t.Fatal(err)
	}
	defer vault.Close()
	request, err := vault.MintRequest("acme", cmk, 3, created)
	if err != nil {
		t.Fatal(err)
	}
	params := request.Params
	if request.Op != "GenerateDataKey" || !request.FIPS || request.Endpoint != endpoint ||
		params.KeyID != cmk || params.KeySpec != "AES_256" || params.EncryptionContext["strongroom-org"] != "acme" {
		t.Errorf("%+v", request)
	}
	reply := answer(request)
	row, active, err := vault.AdmitMinted(request.ID, reply)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(reply.Plaintext, make([]byte, dekLength)) {
		t.Error("the reply still holds the DEK")
	}
	if _, err := vault.Seal(password(), nil, SealOptions{}); !errors.Is(err, ErrNoActiveDek) {
		t.Errorf("sealed before the rows are stored: %v", err)
	}
	if err := vault.SetActive(active); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Seal(password(), nil, SealOptions{}); err != nil {
		t.Error(err)
	}
	wrap, err := row.Members()
	if err != nil || wrap.Purpose != "org-dek" || wrap.Version != 3 || wrap.Created != created || string(wrap.Blob) != "blob" {
		t.Errorf("%+v, %v", wrap, err)
	}
	names, err := active.Members()
	if err != nil || names.DekRef != wrap.DekRef || names.Rev != 1 || names.State != "active" {
		t.Errorf("%+v, %v", names, err)
	}
	if _, _, err := vault.AdmitMinted(request.ID, answer(request)); !errors.Is(err, ErrBadInput) {
		t.Errorf("an answer taken twice: %v", err)
	}
	if _, err := vault.MintRequest("acme", cmk, 3, created); !errors.Is(err, ErrActiveRollback) {
		t.Errorf("an old version: %v", err)
	}
	if _, err := vault.MintRequest("acme", readerCmk, 4, created); !errors.Is(err, ErrKeyIDUnexpected) {
		t.Errorf("a CMK that is not listed: %v", err)
	}
}

func TestARecordIsSharedAndItsEnvelopesStay(t *testing.T) {
	owner := sealing(t)
	local, err := owner.GenerateRecordDek("acme", "hosts", "h-17", 1, created)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := owner.Seal(password(), []byte("hunter2"), SealOptions{Scope: ScopeRecord})
	if err != nil {
		t.Fatal(err)
	}
	members, err := local.Members()
	if err != nil || members.Provider != "local" {
		t.Fatalf("%+v, %v", members, err)
	}
	request, err := owner.ShareRequest(members.DekRef, "globex", readerCmk, created)
	if err != nil {
		t.Fatal(err)
	}
	dek, err := owner.TakeRequestPlaintext(request.ID)
	if err != nil || len(dek) != dekLength {
		t.Fatal(err)
	}
	if _, err := owner.TakeRequestPlaintext(request.ID); !errors.Is(err, ErrBadInput) {
		t.Errorf("a DEK taken twice: %v", err)
	}
	share, err := owner.AdmitShared(request.ID, answer(request))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := NewVault()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := reader.UnwrapRequest("initech", share); !errors.Is(err, ErrRowInconsistent) {
		t.Errorf("a share for somebody else: %v", err)
	}
	unwrap, err := reader.UnwrapRequest("globex", share)
	if err != nil {
		t.Fatal(err)
	}
	reply := answer(unwrap)
	reply.Plaintext = dek
	if _, err := reader.Admit("globex", share, &reply); err != nil {
		t.Fatal(err)
	}
	if opened, err := reader.Open(password(), envelope); err != nil || string(opened) != "hunter2" {
		t.Errorf("%q, %v", opened, err)
	}
	if _, err := owner.WrapLocal("acme", members.DekRef, created+1); err != nil {
		t.Error(err)
	}
	if _, err := owner.WrapRequest(members.DekRef, cmk, created); err != nil {
		t.Error(err)
	}
	if _, err := reader.WrapRequest(members.DekRef, cmk, created); !errors.Is(err, ErrBadInput) {
		t.Errorf("a reader wraps for the owner: %v", err)
	}
}

func TestADekGoesThroughTheKeychain(t *testing.T) {
	first, it := holding(t, WithSession("s1")), recorded(t)
	header, err := Inspect(it.Probe.Env)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := first.CacheExport(header.DekRef)
	if err != nil {
		t.Fatal(err)
	}
	for session, want := range map[string]error{"s1": nil, "s2": ErrRowInconsistent} {
		vault, err := NewVault(WithSession(session))
		if err != nil {
			t.Fatal(err)
		}
		defer vault.Close()
		copied := bytes.Clone(entry)
		ref, err := vault.CacheImport(copied)
		if !errors.Is(err, want) || (err == nil && ref != header.DekRef) {
			t.Errorf("session %s: %v, %v", session, ref, err)
		}
		if !bytes.Equal(copied, make([]byte, len(copied))) {
			t.Error("the entry still holds the DEK")
		}
	}
	gone, err := first.SignOut()
	if err != nil || len(gone) != 1 || gone[0] != header.DekRef {
		t.Errorf("%v, %v", gone, err)
	}
	if _, err := first.CacheExport(header.DekRef); !errors.Is(err, ErrUnknownDek) {
		t.Errorf("after sign-out: %v", err)
	}
	if _, err := holding(t).CacheExport(header.DekRef); !errors.Is(err, ErrBadInput) {
		t.Errorf("without a session: %v", err)
	}
}

func TestASignOutListsEveryEntryHoweverManyThereAre(t *testing.T) {
	const entries = 4_096 + 4
	vault := sealing(t, WithSession("s1"))
	want := map[DekRef]bool{}
	for i := range entries {
		row, err := vault.GenerateRecordDek("acme", "hosts", strconv.Itoa(i), 1, created)
		if err != nil {
			t.Fatal(err)
		}
		members, err := row.Members()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vault.CacheExport(members.DekRef); err != nil {
			t.Fatal(err)
		}
		want[members.DekRef] = true
	}
	gone, err := vault.SignOut()
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range gone {
		delete(want, ref)
	}
	if len(gone) != entries || len(want) != 0 {
		t.Errorf("%d listed, %d of those that should be are not", len(gone), len(want))
	}
	if gone, err := vault.SignOut(); err != nil || len(gone) != 0 {
		t.Errorf("listed again: %d, %v", len(gone), err)
	}
}

func TestAnAnswerFromNowhereIsNotAllowed(t *testing.T) {
	vault, err := NewVault()
	if err != nil {
		t.Fatal(err)
	}
	defer vault.Close()
	request, err := vault.MintRequest("acme", cmk, 1, created)
	if err != nil {
		t.Fatal(err)
	}
	reply := answer(request)
	reply.Endpoint = ""
	if _, _, err := vault.AdmitMinted(request.ID, reply); !errors.Is(err, ErrEndpointPolicy) {
		t.Error(err)
	}
}

func TestAShreddedOrgIsRefused(t *testing.T) {
	vault := sealing(t)
	if _, err := vault.ShredRequest("acme", cmk, 6); !errors.Is(err, ErrBadInput) {
		t.Errorf("six days: %v", err)
	}
	request, err := vault.ShredRequest("acme", cmk, 30)
	if err != nil || request.Op != "ScheduleKeyDeletion" || request.Params.PendingWindowInDays != 30 {
		t.Errorf("%+v, %v", request, err)
	}
	if err := vault.Tombstone("acme"); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Seal(password(), nil, SealOptions{}); !errors.Is(err, ErrOrgTombstoned) {
		t.Errorf("seal: %v", err)
	}
	if list, err := vault.Status(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestStatusDescribesWhatIsHeld(t *testing.T) {
	vault := sealing(t)
	if _, err := vault.Seal(password(), nil, SealOptions{}); err != nil {
		t.Fatal(err)
	}
	list, err := vault.Status()
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	it := list[0]
	if it.Kind != "org" || it.Org != "acme" || it.Reader != "acme" || it.Version != 1 || it.Seals != 1 || it.Ends == 0 {
		t.Errorf("%+v", it)
	}
}

func TestRowsKeepTheirExactText(t *testing.T) {
	text := recorded(t).Row.JSON()
	spaced := "{ " + text[1:]
	var row WrapRow
	if err := json.Unmarshal([]byte(spaced), &row); err != nil || row.JSON() != spaced {
		t.Errorf("%s, %v", row.JSON(), err)
	}
	if row == WrapRowFromJSON([]byte(text)) {
		t.Error("two texts are one row")
	}
	for bad, want := range map[string]error{
		"": ErrRowInconsistent, "{}": ErrRowInconsistent, `{"v":2}`: ErrUnsupportedVersion,
		text + text: ErrRowInconsistent, `{"v":1,` + text[1:]: ErrRowInconsistent,
	} {
		if _, err := WrapRowFromJSON([]byte(bad)).Members(); !errors.Is(err, want) {
			t.Errorf("%.40q: %v", bad, err)
		}
		if _, err := ActiveRowFromJSON([]byte(bad)).Members(); !errors.Is(err, ErrRowInconsistent) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	if _, err := json.Marshal(WrapRow{}); !errors.Is(err, ErrBadInput) {
		t.Errorf("an empty row: %v", err)
	}
}
