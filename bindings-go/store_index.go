package strongroom

import "slices"

// rowIndex holds rows in memory and finds them in the ways of [WrapStore]. It has
// no lock of its own.
type rowIndex struct {
	rows     map[rowKey]*indexedRow
	byDek    map[dekReader][]*indexedRow
	byOwner  map[string][]*indexedRow
	byPlace  map[ownerPlace][]*indexedRow
	byReader map[string][]*indexedRow
	active   map[string]storedActive
	usage    map[DekRef]UsageRow
}

type indexedRow struct {
	row     WrapRow
	members WrapMembers
}

type storedActive struct {
	row ActiveRow
	rev uint64
}

type dekReader struct {
	ref    DekRef
	reader string
}

type ownerPlace struct {
	owner string
	at    RecordPlace
}

func newRowIndex() *rowIndex {
	return &rowIndex{
		rows:     map[rowKey]*indexedRow{},
		byDek:    map[dekReader][]*indexedRow{},
		byOwner:  map[string][]*indexedRow{},
		byPlace:  map[ownerPlace][]*indexedRow{},
		byReader: map[string][]*indexedRow{},
		active:   map[string]storedActive{},
		usage:    map[DekRef]UsageRow{},
	}
}

// vacant says whether the row's place is free. It is ErrPreconditionFailed if
// another row has it.
func (x *rowIndex) vacant(members *WrapMembers) (bool, error) {
	found := x.rows[keyOf(members)]
	if found == nil {
		return true, nil
	}
	if sameRow(&found.members, members) {
		return false, nil
	}
	return false, ErrPreconditionFailed
}

func (x *rowIndex) add(row WrapRow, members WrapMembers) {
	entry := &indexedRow{row, members}
	x.rows[keyOf(&members)] = entry
	for _, list := range x.lists(entry) {
		list.add(entry)
	}
}

func (x *rowIndex) remove(key rowKey) {
	entry := x.rows[key]
	if entry == nil {
		return
	}
	delete(x.rows, key)
	for _, list := range x.lists(entry) {
		list.remove(entry)
	}
}

// mayActivate says whether the row may follow the stored one.
func (x *rowIndex) mayActivate(members *ActiveMembers) error {
	if members.Rev != x.active[members.Org].rev+1 {
		return ErrPreconditionFailed
	}
	return nil
}

func (x *rowIndex) activate(row ActiveRow, members ActiveMembers) {
	x.active[members.Org] = storedActive{row, members.Rev}
}

func (x *rowIndex) activeOf(org string) *ActiveRow {
	stored, ok := x.active[org]
	if !ok {
		return nil
	}
	return &stored.row
}

func (x *rowIndex) usageOf(ref DekRef) *UsageRow {
	row, ok := x.usage[ref]
	if !ok {
		return nil
	}
	return &row
}

// usageAfter gives what a DEK's usage row, a new one where none is, becomes by a change.
func (x *rowIndex) usageAfter(ref DekRef, change func(*UsageRow) error) (UsageRow, error) {
	row, ok := x.usage[ref]
	if !ok {
		row.DekRef = ref
	}
	return row, change(&row)
}

func (x *rowIndex) ofDek(ref DekRef, reader string) []WrapRow {
	return rowsOf(x.byDek[dekReader{ref, reader}])
}

func (x *rowIndex) ofOwner(owner string, at *RecordPlace) []WrapRow {
	if at == nil {
		return rowsOf(x.byOwner[owner])
	}
	return rowsOf(x.byPlace[ownerPlace{owner, *at}])
}

func (x *rowIndex) ofReader(reader string) []WrapRow { return rowsOf(x.byReader[reader]) }

// lists are those in which a row stands.
func (x *rowIndex) lists(entry *indexedRow) []rowList {
	m := &entry.members
	lists := []rowList{
		listIn(x.byDek, dekReader{m.DekRef, m.Reader}),
		listIn(x.byOwner, m.Owner),
		listIn(x.byReader, m.Reader),
	}
	if m.Purpose != purposeOrgDek {
		lists = append(lists, listIn(x.byPlace, ownerPlace{m.Owner, RecordPlace{m.Table, m.Record}}))
	}
	return lists
}

// rowList is one list of an index, whatever its key.
type rowList struct {
	add    func(*indexedRow)
	remove func(*indexedRow)
}

func listIn[K comparable](index map[K][]*indexedRow, key K) rowList {
	return rowList{
		add: func(entry *indexedRow) { index[key] = append(index[key], entry) },
		remove: func(entry *indexedRow) {
			at := slices.Index(index[key], entry)
			if index[key] = slices.Delete(index[key], at, at+1); len(index[key]) == 0 {
				delete(index, key)
			}
		},
	}
}

func rowsOf(entries []*indexedRow) []WrapRow {
	rows := make([]WrapRow, len(entries))
	for i, entry := range entries {
		rows[i] = entry.row
	}
	return rows
}

const (
	purposeOrgDek    = "org-dek"
	purposeRecordDek = "record-dek"
	purposeShare     = "share"
	providerLocal    = "local"
	providerAwsKms   = "aws-kms"
	stateTombstoned  = "tombstoned"
	stateActive      = "active"
)
