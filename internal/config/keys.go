package config

import "strings"

// Keys are the key rings of a worker, as absolute paths or relative to the working
// directory; empty for none.
type Keys struct {
	// Seal seals what must be remembered between runs: only workers have it.
	Seal string
	// Payloads encrypts what Temporal stores: workers have it, and everybody who is to
	// read that.
	Payloads string
}

func (r *reader) readKeys(n node) (k Keys) {
	r.readMapping(n, fields{
		"seal":     {read: func(n node) { k.Seal = r.readKeyRing(n) }},
		"payloads": {read: func(n node) { k.Payloads = r.readKeyRing(n) }},
	})
	return k
}

// readKeyRing reads the path of a key ring. It is written like other secrets, but only a
// file can be followed and changed while workers run.
func (r *reader) readKeyRing(n node) string {
	ref := string(r.readSecret(n))
	path, isFile := strings.CutPrefix(ref, "file:")
	if ref != "" && !isFile {
		r.addProblem(n, "write file:PATH of a key ring that farmtrust keys new has made", "is not a file")
	}
	return path
}
