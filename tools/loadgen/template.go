package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
)

// maxEntryBytes is the longest line that a file of bodies may have.
const maxEntryBytes = 16 << 20

// Entry is one line of the file: a body, the verdict that it must get, and what makes each use of it another request.
//
// Each text in Unique is replaced everywhere in the body, by a text of the same length that changes with every request
// and has the digits of its alphabet: "hex" or "base36".
type Entry struct {
	Body    string   `json:"body"`
	UID     string   `json:"uid"`
	Allowed bool     `json:"allowed"`
	Unique  []Unique `json:"unique"`
}

// Unique is a text in a body that must differ from request to request.
type Unique struct {
	Text     string `json:"text"`
	Alphabet string `json:"alphabet"`
}

var alphabets = map[string]string{"hex": "0123456789abcdef", "base36": "0123456789abcdefghijklmnopqrstuvwxyz"}

func readEntries(path string) ([]Entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxEntryBytes)
	var entries []Entry
	for lines.Scan() {
		var entry Entry
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			return nil, fmt.Errorf("line %d of the bodies: %w", len(entries)+1, err)
		}
		entries = append(entries, entry)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errors.New("the file of bodies is empty")
	}
	return entries, nil
}

// template is a whole HTTP request of one client, changed in place before each use.
type template struct {
	wire    []byte
	uid     []byte // as it stands in wire now
	allowed bool
	places  []place
}

// place is where one text has to change.
type place struct {
	bytes    []byte // a part of template.wire
	alphabet string
	salt     uint64
}

func newTemplate(entry Entry, o options) (*template, error) {
	body := o.prefix + entry.Body + o.suffix
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json\r\n"+
		"Content-Length: %d\r\n\r\n", o.url.RequestURI(), o.url.Host, len(body))
	t := &template{wire: []byte(head + body), allowed: entry.Allowed}
	if len(entry.UID) < 8 {
		return nil, fmt.Errorf("the uid %q is too short to be told from other text", entry.UID)
	}
	for i, unique := range append([]Unique{{entry.UID, "hex"}}, entry.Unique...) {
		alphabet := alphabets[unique.Alphabet]
		if alphabet == "" {
			return nil, fmt.Errorf("there is no alphabet %q", unique.Alphabet)
		}
		salt := rand.Uint64()
		rest, found := t.wire[len(head):], false
		for {
			at := bytes.Index(rest, []byte(unique.Text))
			if at < 0 || unique.Text == "" {
				break
			}
			found = true
			taken := rest[at : at+len(unique.Text)]
			if i == 0 && t.uid == nil {
				t.uid = taken
			}
			t.places = append(t.places, place{taken, alphabet, salt})
			rest = rest[at+len(unique.Text):]
		}
		if !found {
			return nil, fmt.Errorf("the text %q does not occur in its body", unique.Text)
		}
	}
	return t, nil
}

// stamp makes this use of the template another request: the same serial and salt give the same text, dashes stay.
func (t *template) stamp(serial uint64) {
	for _, p := range t.places {
		base := uint64(len(p.alphabet))
		digits := mix(serial ^ p.salt)
		number := serial
		for i := len(p.bytes) - 1; i >= 0; i-- {
			if p.bytes[i] == '-' {
				continue
			}
			if number == 0 {
				number, digits = digits, mix(digits)
			}
			p.bytes[i] = p.alphabet[number%base]
			number /= base
		}
	}
}

// mix scatters a number over 64 bits (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}
