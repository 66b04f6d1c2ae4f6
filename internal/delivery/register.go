package delivery

import (
	"strings"

	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// register has the farms that are known, and finds those whose certificates an event may be
// about without a look at every certificate: a thousand farms have ten thousand.
type register struct {
	farms []listener
	// numbers are the hashes and serial numbers of certificates, names their subjects and
	// names.
	numbers, names marks
}

func newRegister(farms []listener) *register {
	r := &register{farms: farms, numbers: marks{}, names: marks{}}
	for i, l := range farms {
		for _, c := range l.Certificates {
			r.numbers.add(i, string(c.Thumbprint), c.SHA256, c.Serial)
			r.names.add(i, namesOf(c.Subject, c.Names)...)
		}
	}
	return r
}

// numbersOf are the numbers of which a certificate that [isNumbered] has one.
func numbersOf(e event.Expiry) []string {
	return append([]string{string(e.Thumbprint), e.SHA256}, e.Serials...)
}

// namesOf are texts of which two certificates have one in common if [isNamed] takes them
// for one. There is one text for all that strings.EqualFold takes for the same.
func namesOf(subject string, names []string) []string {
	all := []string{farm.SubjectKey(subject)}
	for _, name := range names {
		all = append(all, strings.ToLower(strings.ToUpper(name)))
	}
	return all
}

// marks are places in a list by the texts that are found there.
type marks map[string][]int

func (m marks) add(place int, texts ...string) {
	for _, text := range texts {
		if text != "" {
			m[text] = append(m[text], place)
		}
	}
}

func (m marks) find(texts ...string) map[int]bool {
	found := map[int]bool{}
	for _, text := range texts {
		for _, place := range m[text] {
			found[place] = true
		}
	}
	return found
}
