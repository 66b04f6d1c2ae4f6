package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/sshsig"
)

// Approvers are the persons who may decide about farms, each with what proves that it is
// them.
type Approvers struct {
	People []Person
	// Provider is the identity provider whose tokens prove it; nil for none.
	Provider *IdentityProvider `json:",omitempty"`
}

// Person is somebody who may decide.
type Person struct {
	// Name is how reports name the person.
	Name string
	// Keys are the person's public keys of SSH, and Subject is what the identity provider
	// calls the person. At least one of them is set.
	Keys    []sshsig.Key `json:",omitempty"`
	Subject string       `json:",omitempty"`
	// May lists what the person may decide, and Farms about which farms.
	May   []farm.Right
	Farms []string
}

// IdentityProvider is an identity provider that speaks OpenID Connect.
type IdentityProvider struct {
	// Issuer is its URL as its tokens have it, and Audience whom they must be for.
	Issuer, Audience string
	// Claim is the claim of a token that has [Person.Subject].
	Claim string
}

// defaultClaim is what a provider never gives to anybody else (OpenID Connect Core 1.0,
// section 2).
const defaultClaim = "sub"

// minDeciders is how many persons it takes where who decides must not be who asked.
const minDeciders = 2

// MayDecide reports whether the person has a right for a farm.
func (p Person) MayDecide(right farm.Right, farmName string) bool {
	return slices.Contains(p.May, right) && (len(p.Farms) == 0 || slices.Contains(p.Farms, farmName))
}

// readApprovers reads who may decide.
func (r *reader) readApprovers(n node) *Approvers {
	a := &Approvers{}
	r.approvers = n
	r.readMapping(n, fields{
		"identityProvider": {read: func(n node) { a.Provider = r.readIdentityProvider(n) }},
		"people": {required: "name the persons who may decide", read: func(n node) {
			r.readList(n, func(n node) { a.People = append(a.People, r.readPerson(n)) })
		}},
	})
	for i, p := range a.People {
		at := r.people[i]
		switch {
		case p.Subject != "" && a.Provider == nil:
			r.addProblem(at.child("subject"), "write identityProvider under approvers, or give the person keys", "there is no identity provider that calls anybody so")
		case p.Subject == "" && len(p.Keys) == 0 && p.Name != "":
			r.addProblem(at, "give keys, the lines of the person's .pub files, or subject, as the identity provider has it", "nothing can prove that somebody is %s", p.Name)
		}
		r.checkPersonIsOne(a.People[:i], p, at)
	}
	return a
}

func (r *reader) readIdentityProvider(n node) *IdentityProvider {
	p := &IdentityProvider{Claim: defaultClaim}
	r.readMapping(n, fields{
		"issuer": {required: "write its URL as its tokens have it", read: func(n node) {
			p.Issuer, _ = r.readText(n)
			if at, err := url.Parse(p.Issuer); p.Issuer != "" && (err != nil || at.Scheme != "https" || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "") {
				r.addProblem(n, "write a URL such as https://login.contoso.com/realms/it", "is not the https URL of an identity provider")
			}
		}},
		"audience": {required: "write the ID under which it knows farmtrust", read: func(n node) { p.Audience, _ = r.readText(n) }},
		"claim":    {read: func(n node) { p.Claim, _ = r.readText(n) }},
	})
	return p
}

func (r *reader) readPerson(n node) (p Person) {
	r.people = append(r.people, n)
	p.May = farm.Rights()
	r.readMapping(n, fields{
		"name": {required: "name the person, as reports are to", read: func(n node) { p.Name, _ = r.readName(n, maxName) }},
		"keys": {read: func(n node) {
			r.readList(n, func(n node) { p.Keys = append(p.Keys, r.readKey(n)) })
		}},
		"subject": {read: func(n node) { p.Subject, _ = r.readText(n) }},
		"may": {read: func(n node) {
			p.May = nil
			r.readList(n, func(n node) { p.May = append(p.May, readChoice(r, n, farm.Rights(), nil)) })
		}},
		"farms": {read: func(n node) {
			r.readList(n, func(n node) {
				name, _ := r.readText(n)
				p.Farms = append(p.Farms, name)
				r.personFarms = append(r.personFarms, n)
			})
		}},
	})
	return p
}

func (r *reader) readKey(n node) sshsig.Key {
	text, ok := r.readText(n)
	if !ok {
		return sshsig.Key{}
	}
	key, err := sshsig.ParseKey(text)
	if err != nil {
		r.addProblem(n, "write the line of the person's .pub file", "%v", err)
	}
	return key
}

// checkPersonIsOne checks that what proves who somebody is proves it of one person, so
// that two cannot be one where two are needed.
func (r *reader) checkPersonIsOne(others []Person, p Person, at node) {
	for _, other := range others {
		sameKey := slices.ContainsFunc(p.Keys, func(k sshsig.Key) bool { return k.String() != "" && slices.ContainsFunc(other.Keys, k.Equal) })
		switch {
		case strings.EqualFold(p.Name, other.Name) && p.Name != "":
			r.addProblem(at, "give each person one entry", "%s is there twice", p.Name)
		case sameKey:
			r.addProblem(at, "give each person a key of their own", "%s has a key of %s", p.Name, other.Name)
		case p.Subject != "" && p.Subject == other.Subject:
			r.addProblem(at, "give each person a subject of their own", "%s has the subject of %s", p.Name, other.Name)
		}
	}
}

// checkApprovers checks the persons against the farms: what waits for a decision that
// nobody may make waits for ever.
func (r *reader) checkApprovers(c *Config) {
	for _, n := range r.personFarms {
		if _, known := r.farmNames[strings.ToLower(n.Value)]; !known {
			r.addProblem(n, "name a farm of this file", "there is no farm %s", n.Value)
		}
	}
	for _, f := range c.Farms {
		r.checkDeciders(c, f)
	}
	if a := c.Approvers; a != nil && a.Provider != nil && !slices.ContainsFunc(a.People, func(p Person) bool { return p.Subject != "" }) {
		r.addWarning(r.approvers, "give persons a subject, or leave identityProvider out", "nobody is known to the identity provider")
	}
}

// checkDeciders checks that as many persons may approve for a farm as it takes.
func (r *reader) checkDeciders(c *Config, f Farm) {
	switch can := c.Approvers.count(farm.RightApprove, f.Name); {
	case f.Rotation.FourEyes && c.Approvers == nil:
		r.addProblem(r.fourEyes[f.Name], "write approvers", "nothing proves who asks and who approves")
	case f.Rotation.FourEyes && !f.Rotation.Approval:
		r.addProblem(r.fourEyes[f.Name], "write approval: required", "nobody is asked to approve")
	case f.Rotation.FourEyes && can < minDeciders:
		r.addProblem(r.fourEyes[f.Name], "let another person approve", "it takes two persons who may approve, and %d may", can)
	case c.Approvers != nil && f.Rotation.Approval && can == 0:
		r.addProblem(r.approvers, "let a person approve, or write approval: none for the farm", "nobody may approve a cutover of %s", f.Name)
	}
}

// count is how many persons have a right for a farm.
func (a *Approvers) count(right farm.Right, farmName string) (n int) {
	if a == nil {
		return 0
	}
	for _, p := range a.People {
		if p.MayDecide(right, farmName) {
			n++
		}
	}
	return n
}
