package delivery

import (
	"bufio"
	"bytes"
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
// The first two columns are the length of the third and its CRC-32C (Castagnoli), as eight
// hexadecimal digits. What follows begins with the kind of the record and ends with JSON that has
// no line breaks:
//
//	spool {"version":1,"schema":"4"}                          the first record
//	event 17 1 custom {…}                                     event 17, as it is sent; it accounts for 1 recorded event
//	request {"id":"…","from":17,"to":40}                      events 17 to 40 are sent under this payload ID
//	divide {"id":"…","from":17,"to":40,"at":29,"into":[…,…]}  that request is now two: 17 to 28, and 29 to 40
//	settle {"id":"…","from":17,"to":40}                       they were delivered, or dropped; without an ID, their records
//	                                                          are void: writing them failed, and they were kept elsewhere
//	copy 17 1 custom {…}                                      event 17, which was elsewhere, of a request that follows
//
// Events are numbered in their segment, from 1 on.
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
}

// boundaries is the content of the records about requests.
type boundaries struct {
	ID   string   `json:"id"`
	From uint64   `json:"from"`
	To   uint64   `json:"to"`
	At   uint64   `json:"at,omitempty"`
	Into []string `json:"into,omitempty"`
}

func boundariesOf(p *part) boundaries {
	return boundaries{ID: p.id, From: p.number(0), To: p.number(len(p.events) - 1)}
}

// number returns the number of an event in the part's segment.
func (p *part) number(i int) uint64 {
	if p.first > 0 {
		return p.first + uint64(i)
	}
	return p.events[i].seq
}

// spoolRecord is a record as it was read. Its JSON is valid until the next one is read.
type spoolRecord struct {
	kind string // empty for a damaged one
	json []byte
	// Of an event or a copy.
	number uint64
	weight uint64
	event  kind
}

// appendEvent adds the record of an event, or of a copy.
func appendEvent(b []byte, kind string, number uint64, e *event) []byte {
	begin := len(b)
	b = append(b, make([]byte, recordHeader)...)
	b = append(append(b, kind...), ' ')
	b = append(strconv.AppendUint(b, number, 10), ' ')
	b = append(strconv.AppendUint(b, e.weight, 10), ' ')
	b = append(append(b, kindNames()[e.kind]...), ' ')
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
	name, rest, _ := bytes.Cut(text, []byte(" "))
	r := spoolRecord{kind: string(name), json: rest}
	if r.kind == recordEvent || r.kind == recordCopy {
		first, rest, _ := bytes.Cut(rest, []byte(" "))
		second, rest, _ := bytes.Cut(rest, []byte(" "))
		third, text, found := bytes.Cut(rest, []byte(" "))
		number, errNumber := strconv.ParseUint(string(first), 10, 64)
		weight, errWeight := strconv.ParseUint(string(second), 10, 64)
		names := kindNames()
		index := slices.Index(names[:], string(third))
		if errNumber != nil || errWeight != nil || !found || index < 0 {
			return spoolRecord{}
		}
		r.number, r.weight, r.event, r.json = number, weight, kind(index), text
	}
	return r
}

// toEvent returns the event of an event or a copy.
func (r spoolRecord) toEvent(epoch uint32) event {
	return event{json: clone(r.json), seq: r.number, weight: r.weight, epoch: epoch, kind: r.event}
}

// kindNames returns the names of the kinds in a spool.
func kindNames() [kinds]string {
	return [...]string{
		kindCustom: "custom", kindControl: "control", kindEvaluation: "evaluation",
		kindDerived: "derived", kindSummary: "summary",
	}
}

// scan calls visit for each record between two offsets, with its own, until visit returns false:
// that record counts as not read. It returns where it ended. What follows the last line break is no
// record: a write that did not end.
func scan(file io.ReaderAt, from, to int64, visit func(from, to int64, r spoolRecord) bool) (end int64, err error) {
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
		if !visit(from, from+int64(len(line)), parseRecord(line)) {
			return from, nil
		}
		from += int64(len(line))
		long = long[:0]
	}
}
