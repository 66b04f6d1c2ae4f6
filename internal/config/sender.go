package config

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// Bounds and defaults of a sender's fields.
const (
	defaultRate = 20
	maxRate     = 10_000
	// maxSecrets is how many secrets count at the same time: the old one and the new one
	// while it is changed, and one that was forgotten.
	maxSecrets        = 3
	defaultHMACHeader = "X-Farmtrust-Signature"
	defaultTolerance  = 5 * time.Minute
	maxTolerance      = time.Hour
)

// Sender is a source that sends its events to the door, as POST /events/NAME.
type Sender struct {
	EventSource

	Proof Proof
	// Rate is how many events a second are taken from it.
	Rate int
	// EventGrid is what [event.Azure] answers to Event Grid before any event comes.
	EventGrid EventGrid
}

// Proof is how a sender proves that it is the source; exactly one field is set. Where
// there are several secrets, each of them counts.
type Proof struct {
	Bearer            []secret.Ref
	Basic             *BasicProof
	HMAC              *HMACProof
	ClientCertificate *CertificateProof
	// QueryKey is the value of the parameter key of the address, which is how Event Grid
	// lets a webhook carry a secret.
	QueryKey []secret.Ref
	Entra    *EntraProof
	SNS      *SNSProof
}

// Secrets are those of the proof, whichever it is; none where it has no secret.
func (p Proof) Secrets() []secret.Ref {
	switch {
	case p.Basic != nil:
		return p.Basic.Password
	case p.HMAC != nil:
		return p.HMAC.Secrets
	case p.QueryKey != nil:
		return p.QueryKey
	}
	return p.Bearer
}

// BasicProof is a name and a password in the header Authorization.
type BasicProof struct {
	User     string
	Password []secret.Ref
}

// HMACProof is a signature of the time and the body in a header.
type HMACProof struct {
	Secrets []secret.Ref
	// Header has the signature: t=TIME,v1=SIGNATURE.
	Header string
	// Tolerance is how far the time may be from now.
	Tolerance time.Duration
}

// CertificateProof is a TLS client certificate.
type CertificateProof struct {
	// CA is a PEM file with the certificates of the CAs that issue it.
	CA string
	// Names are its DNS name or common name: any of them counts.
	Names []string
}

// EntraProof is a token of Microsoft Entra ID.
type EntraProof struct {
	// Tenant is the ID of the tenant, in lower case, Audience the application that the
	// token is for, Client the application that it was issued to.
	Tenant, Audience, Client string
}

// SNSProof is the signature of Amazon SNS.
type SNSProof struct {
	// Topics are the ARNs of the topics whose messages count.
	Topics []string
	// Confirm reports whether their subscription is confirmed.
	Confirm bool
}

// EventGrid is what a source answers when Event Grid validates a subscription.
type EventGrid struct {
	// Subscriptions are the names of those that are validated; empty means any.
	Subscriptions []string
	// CallValidationURL has the address called that Event Grid sends where it does not
	// wait for an answer.
	CallValidationURL bool
}

func (r *reader) readSender(n node, taken map[string]int) Sender {
	s := Sender{Rate: defaultRate}
	ways, eventGrid := 0, node{}
	way := func(read func(node)) field {
		return field{read: func(n node) { ways++; read(n) }}
	}
	known := r.eventSourceFields(&s.EventSource, taken)
	known["rate"] = field{read: func(n node) { s.Rate = r.readNumber(n, maxRate) }}
	known["eventGrid"] = field{read: func(n node) { s.EventGrid, eventGrid = r.readEventGrid(n), n }}
	known["bearer"] = way(func(n node) { s.Proof.Bearer = r.readSecrets(n) })
	known["basic"] = way(func(n node) { s.Proof.Basic = r.readBasicProof(n) })
	known["hmac"] = way(func(n node) { s.Proof.HMAC = r.readHMACProof(n) })
	known["clientCertificate"] = way(func(n node) { s.Proof.ClientCertificate = r.readCertificateProof(n) })
	known["queryKey"] = way(func(n node) { s.Proof.QueryKey = r.readSecrets(n) })
	known["entra"] = way(func(n node) { s.Proof.Entra = r.readEntraProof(n) })
	known["sns"] = way(func(n node) { s.Proof.SNS = r.readSNSProof(n) })
	r.readMapping(n, known)
	if n.isMapping() && ways != 1 {
		r.addProblem(n, "write one of bearer, basic, hmac, clientCertificate, queryKey, entra and sns", "must prove in one way that it is the source, and has %d", ways)
	}
	if eventGrid.Node != nil && s.Format != event.Azure {
		r.addProblem(eventGrid, "leave it out, or write format: azure", "only Event Grid asks whether its events are welcome")
	}
	if s.Proof.SNS != nil && s.Format != event.AWS {
		r.addProblem(n, "write format: aws", "sns proves messages of Amazon SNS alone")
	}
	r.checkEventSource(n, s.EventSource)
	return s
}

// readSecrets reads the secrets that count at the same time.
func (r *reader) readSecrets(n node) (all []secret.Ref) {
	r.readList(n, func(n node) { all = append(all, r.readSecret(n)) })
	if len(all) > maxSecrets {
		r.addProblem(n, "keep the old one and the new one", "has %d secrets; at most %d count at the same time", len(all), maxSecrets)
	}
	return all
}

func (r *reader) readBasicProof(n node) *BasicProof {
	p := &BasicProof{}
	r.readMapping(n, fields{
		"user": {required: "name the account that the sender uses", read: func(n node) {
			p.User, _ = r.readText(n)
			if strings.Contains(p.User, ":") {
				r.addProblem(n, "choose a name without a colon", "a colon ends the name (RFC 7617)")
			}
		}},
		"password": {required: "list the secrets that are its password, such as [file:/path]", read: func(n node) { p.Password = r.readSecrets(n) }},
	})
	return p
}

func (r *reader) readHMACProof(n node) *HMACProof {
	p := &HMACProof{Header: defaultHMACHeader, Tolerance: defaultTolerance}
	r.readMapping(n, fields{
		"secrets": {required: "list the secrets that it signs with, such as [file:/path]", read: func(n node) { p.Secrets = r.readSecrets(n) }},
		"header":  {read: func(n node) { p.Header = r.readHeaderName(n) }},
		"tolerance": {read: func(n node) {
			if p.Tolerance = r.readDuration(n); p.Tolerance > maxTolerance {
				r.addProblem(n, "write at most "+formatDuration(maxTolerance), "%s is longer than a clock can be wrong: what was overheard could be sent again", formatDuration(p.Tolerance))
			}
		}},
	})
	return p
}

// readHeaderName reads the name of an HTTP header (RFC 9110, section 5.1).
func (r *reader) readHeaderName(n node) string {
	name, ok := r.readText(n)
	isToken := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	}
	if ok && strings.ContainsFunc(name, func(c rune) bool { return !isToken(c) }) {
		r.addProblem(n, "write a name such as "+defaultHMACHeader, "%q is not the name of a header", name)
	}
	return http.CanonicalHeaderKey(name)
}

func (r *reader) readCertificateProof(n node) *CertificateProof {
	p := &CertificateProof{}
	r.readMapping(n, fields{
		"ca": {required: "name the PEM file of the CA that issues it", read: func(n node) { p.CA = r.readPath(n) }},
		"names": {required: "list its names: without them, everybody who has a certificate of the CA could send", read: func(n node) {
			r.readList(n, func(n node) {
				name, _ := r.readText(n)
				p.Names = append(p.Names, name)
			})
		}},
	})
	return p
}

// eventGridClient is the ID of Event Grid as an application of Microsoft Entra ID, the
// same in every tenant.
//
// Source: Microsoft, "Deliver events to Microsoft Entra protected endpoints", its scripts.
const eventGridClient = "4962773b-9cdb-44cf-a8bf-237846a00ab7"

func (r *reader) readEntraProof(n node) *EntraProof {
	p := &EntraProof{Client: eventGridClient}
	r.readMapping(n, fields{
		"tenant":   {required: "write the ID of the tenant that issues the tokens", read: func(n node) { p.Tenant = r.readTenant(n) }},
		"audience": {required: "write the ID of the application that the tokens are for", read: func(n node) { p.Audience, _ = r.readText(n) }},
		"client":   {read: func(n node) { p.Client, _ = r.readText(n) }},
	})
	return p
}

var tenantID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// readTenant reads the ID of a tenant. Tokens have no other name of it.
func (r *reader) readTenant(n node) string {
	text, ok := r.readText(n)
	id := strings.ToLower(text)
	if ok && !tenantID.MatchString(id) {
		r.addProblem(n, "write its ID, as az account show --query tenantId has it", "%q is not the ID of a tenant", text)
	}
	return id
}

func (r *reader) readSNSProof(n node) *SNSProof {
	p := &SNSProof{}
	r.readMapping(n, fields{
		"topics": {required: "list the ARNs of the topics: SNS signs the messages of everybody's", read: func(n node) {
			r.readList(n, func(n node) {
				arn, ok := r.readText(n)
				if parts := strings.Split(arn, ":"); ok && (len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" || slices.Contains(parts, "")) {
					r.addProblem(n, "write it as AWS shows it, such as arn:aws:sns:eu-central-1:123456789012:expiry", "%q is not the ARN of a topic", arn)
				}
				p.Topics = append(p.Topics, arn)
			})
		}},
		"confirm": {read: func(n node) { p.Confirm = r.readFlag(n) }},
	})
	return p
}

func (r *reader) readEventGrid(n node) (e EventGrid) {
	r.readMapping(n, fields{
		"subscriptions": {read: func(n node) {
			r.readList(n, func(n node) {
				name, _ := r.readText(n)
				e.Subscriptions = append(e.Subscriptions, name)
			})
		}},
		"callValidationUrl": {read: func(n node) { e.CallValidationURL = r.readFlag(n) }},
	})
	return e
}
