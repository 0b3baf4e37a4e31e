package delivery

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
)

// A segment is a file of records, a line each:
//
//	000000b8 8f3a11c2 event 17 1 custom {"kind":"custom",…}
//
// The first two columns are the length of the third and its CRC-32C (Castagnoli), as eight hexadecimal digits. What
// follows begins with the kind of the record and ends with JSON that has no line breaks:
//
//	spool {"version":1,"schema":"4","first":17}               the first record; the next event is number 17 or later
//	event 17 1 custom {…}                                     event 17, as it is sent; it accounts for 1 recorded event
//	request {"id":"…","from":17,"to":40}                      events 17 to 40 are sent under this payload ID
//	divide {"id":"…","from":17,"to":40,"at":29,"into":[…,…]}  that request is now two: 17 to 28, and 29 to 40
//	settle {"id":"…","from":17,"to":40}                       they were delivered, or dropped; without an ID, their records
//	                                                          are void: writing them failed, and they were kept elsewhere
//	copy 17 1 custom {…}                                      event 17 once more: its first record is to be removed
const (
	recordSpool   = "spool"
	recordEvent   = "event"
	recordCopy    = "copy"
	recordRequest = "request"
	recordDivide  = "divide"
	recordSettle  = "settle"

	// spoolVersion is that of the format. Segments of a later one are left alone.
	spoolVersion = 1
	// recordHeader is the length of a record's first two columns.
	recordHeader = 18
	// scanBuffer is how much of a segment is read at once.
	scanBuffer = 64 << 10
)

// spoolHeader is the content of a segment's first record.
type spoolHeader struct {
	Version int    `json:"version"`
	Schema  string `json:"schema"`
	First   uint64 `json:"first"` // the number of the next event
}

// maxNumber bounds the numbers of events. A record with a greater one counts as damaged, so that adding to them is safe.
const maxNumber = 1 << 60

// boundaries is the content of the records about requests.
type boundaries struct {
	ID   string   `json:"id"`
	From uint64   `json:"from"`
	To   uint64   `json:"to"`
	At   uint64   `json:"at,omitempty"`
	Into []string `json:"into,omitempty"`
}

func boundariesOf(p *part) boundaries {
	return boundaries{ID: p.id, From: p.events[0].seq, To: p.events[len(p.events)-1].seq}
}

// spoolRecord is a record as it was read. Its JSON is valid until the next one is read.
type spoolRecord struct {
	length int64  // of the line
	kind   string // empty for a damaged one
	json   []byte

	// Of an event or a copy.
	number uint64
	weight uint32
	event  kind
}

// appendEvent adds the record of an event, or of a copy of it.
func appendEvent(b []byte, kind string, number uint64, e *event) []byte {
	begin := len(b)
	b = append(b, make([]byte, recordHeader)...)
	b = append(append(b, kind...), ' ')
	b = append(strconv.AppendUint(b, number, 10), ' ')
	b = append(strconv.AppendUint(b, uint64(e.weight), 10), ' ')
	b = append(append(b, e.kind.String()...), ' ')
	text := e.json
	if bytes.IndexByte(text, '\n') >= 0 { // a raw event: the SDK's own have none
		var compact bytes.Buffer
		if json.Compact(&compact, text) == nil {
			text = compact.Bytes()
		}
	}
	return sealRecord(append(b, text...), begin)
}

// appendRecord adds a record of another kind.
func appendRecord(b []byte, kind string, content any) []byte {
	begin := len(b)
	b = append(b, make([]byte, recordHeader)...)
	b = append(append(b, kind...), ' ')
	text, _ := json.Marshal(content) // strings and numbers: it cannot fail
	return sealRecord(append(b, text...), begin)
}

// sealRecord writes the first two columns of the record that begins there.
func sealRecord(b []byte, begin int) []byte {
	var sums [8]byte
	text := b[begin+recordHeader:]
	binary.BigEndian.PutUint32(sums[:4], uint32(len(text)))
	binary.BigEndian.PutUint32(sums[4:], checksum(text))
	header := b[begin : begin+recordHeader]
	hex.Encode(header, sums[:4])
	header[8] = ' '
	hex.Encode(header[9:], sums[4:])
	header[17] = ' '
	return append(b, '\n')
}

func checksum(text []byte) uint32 { return crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)) }

// parseRecord parses a line. A line that is not what was written makes a record without a kind.
func parseRecord(line []byte) spoolRecord {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if len(line) < recordHeader {
		return spoolRecord{}
	}
	var sums [8]byte
	text := line[recordHeader:]
	_, errLength := hex.Decode(sums[:4], line[:8])
	_, errSum := hex.Decode(sums[4:], line[9:17])
	if errLength != nil || errSum != nil || binary.BigEndian.Uint32(sums[:4]) != uint32(len(text)) ||
		binary.BigEndian.Uint32(sums[4:]) != checksum(text) {
		return spoolRecord{}
	}
	kind, rest, _ := bytes.Cut(text, []byte(" "))
	r := spoolRecord{kind: string(kind), json: rest}
	if r.kind == recordEvent || r.kind == recordCopy {
		first, rest, _ := bytes.Cut(rest, []byte(" "))
		second, rest, _ := bytes.Cut(rest, []byte(" "))
		third, text, _ := bytes.Cut(rest, []byte(" "))
		number, errNumber := strconv.ParseUint(string(first), 10, 64)
		weight, errWeight := strconv.ParseUint(string(second), 10, 32)
		event, known := kindNamed(string(third))
		if errNumber != nil || errWeight != nil || !known || number > maxNumber {
			return spoolRecord{}
		}
		r.number, r.weight, r.event, r.json = number, uint32(weight), event, text
	}
	return r
}

// toEvent returns the event of an event or a copy.
func (r spoolRecord) toEvent(epoch uint32) event {
	return event{json: clone(r.json), seq: r.number, weight: r.weight, epoch: epoch, kind: r.event}
}

// String returns the name of the kind in a spool.
func (k kind) String() string {
	return [...]string{
		kindCustom: "custom", kindControl: "control", kindEvaluation: "evaluation",
		kindDerived: "derived", kindSummary: "summary",
	}[k]
}

func kindNamed(name string) (kind, bool) {
	for k := kindCustom; k <= kindSummary; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// scan calls visit for each record between two offsets, with where it begins, until visit returns false: that record counts
// as not read. It returns where it ended. What follows the last line break is no record: a write that did not end.
func scan(file io.ReaderAt, from, to int64, visit func(at int64, r spoolRecord) bool) (end int64, err error) {
	lines := bufio.NewReaderSize(io.NewSectionReader(file, from, to-from), int(min(max(to-from, 16), scanBuffer)))
	var long []byte
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, line...)
			continue
		case errors.Is(err, io.EOF):
			return from, nil
		case err != nil:
			return from, err
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		r := parseRecord(line)
		r.length = int64(len(line))
		if !visit(from, r) {
			return from, nil
		}
		from += int64(len(line))
		long = long[:0]
	}
}

// spans are ranges of event numbers, both ends included, in order and without overlap.
type spans []boundaries

// newSpans sorts and joins ranges.
func newSpans(ranges []boundaries) (joined spans) {
	slices.SortFunc(ranges, func(a, b boundaries) int { return cmp.Compare(a.From, b.From) })
	for _, r := range ranges {
		if last := len(joined) - 1; last >= 0 && r.From <= joined[last].To+1 {
			joined[last].To = max(joined[last].To, r.To)
			continue
		}
		joined = append(joined, boundaries{From: r.From, To: r.To})
	}
	return joined
}

// add adds a number, and returns false where it is in a range already.
func (s *spans) add(number uint64) bool {
	i, found := slices.BinarySearchFunc(*s, number, boundaries.compare)
	if found {
		return false
	}
	before := i > 0 && (*s)[i-1].To+1 == number
	after := i < len(*s) && number+1 == (*s)[i].From
	switch {
	case before && after:
		(*s)[i-1].To = (*s)[i].To
		*s = slices.Delete(*s, i, i+1)
	case before:
		(*s)[i-1].To = number
	case after:
		(*s)[i].From = number
	default:
		*s = slices.Insert(*s, i, boundaries{From: number, To: number})
	}
	return true
}

// has reports whether the number is in one of the ranges.
func (s spans) has(number uint64) bool {
	_, found := slices.BinarySearchFunc(s, number, boundaries.compare)
	return found
}

// compare returns -1 or 1 for a range before or after the number, and 0 for the one that has it.
func (b boundaries) compare(number uint64) int {
	switch {
	case b.To < number:
		return -1
	case b.From > number:
		return 1
	default:
		return 0
	}
}

// outside returns how many numbers from from up to, but not including, to are in no range.
func (s spans) outside(from, to uint64) (n uint64) {
	for _, r := range s {
		if r.To < from || from >= to {
			continue
		}
		if r.From > from {
			n += min(r.From, to) - from
		}
		from = max(from, r.To+1)
	}
	if from < to {
		n += to - from
	}
	return n
}
