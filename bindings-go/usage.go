package strongroom

import (
	"strconv"
	"strings"
)

// UsageRow counts, over all processes, the seals that were reserved under a DEK. It
// is the product's own word and no secret.
type UsageRow struct {
	DekRef DekRef
	// Reserved is how many seals processes have taken, used or not; at most 2^53-1.
	Reserved uint64
	// InactiveSince is the unix second in which another DEK became the active one, 0
	// where that isn't known.
	InactiveSince uint64
}

// reserve adds seals to a row. It is ErrBadInput for no seals or a limit that JSON
// can't hold, and ErrPreconditionFailed where the sum would pass the limit.
func (r *UsageRow) reserve(count, limit uint64) error {
	switch {
	case count == 0 || limit > maxWhole:
		return ErrBadInput
	case count > limit || r.Reserved > limit-count:
		return ErrPreconditionFailed
	}
	r.Reserved += count
	return nil
}

// markInactive sets the second, if none is set.
func (r *UsageRow) markInactive(at uint64) error {
	if at == 0 || at > maxWhole {
		return ErrBadInput
	}
	if r.InactiveSince == 0 {
		r.InactiveSince = at
	}
	return nil
}

// text is the row as a JSON-lines store keeps it.
func (r *UsageRow) text() string {
	var text strings.Builder
	text.WriteString(`{"dekRef":"` + r.DekRef.String() + `","reserved":` + strconv.FormatUint(r.Reserved, 10))
	if r.InactiveSince > 0 {
		text.WriteString(`,"inactiveSince":` + strconv.FormatUint(r.InactiveSince, 10))
	}
	text.WriteString("}")
	return text.String()
}

// readUsage reads a stored usage row: exactly its members, each in its one spelling.
func readUsage(text string) (row UsageRow, err error) {
	object, err := readJSONObject([]byte(text))
	if err != nil {
		return row, err
	}
	if err := object.ref("dekRef", &row.DekRef); err != nil {
		return row, err
	}
	if row.Reserved, err = object.whole("reserved"); err != nil {
		return row, err
	}
	if _, set := object["inactiveSince"]; set {
		if row.InactiveSince, err = object.whole("inactiveSince"); err != nil || row.InactiveSince == 0 {
			return row, ErrRowInconsistent
		}
	}
	return row, object.only("dekRef", "reserved", "inactiveSince")
}

// maxWhole is the largest whole number that every JSON reader holds exactly.
const maxWhole = 1<<53 - 1
