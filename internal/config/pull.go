package config

import (
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// Pull is a source whose events are taken from where they wait; exactly one of the places
// is set.
type Pull struct {
	EventSource

	EventGrid    *EventGridQueue
	StorageQueue *StorageQueue
	SQS          *SQS
	Directory    *EventDirectory
}

// EventGridQueue is a subscription of a topic of an Event Grid namespace, whose delivery
// mode is queue.
type EventGridQueue struct {
	// Namespace is the URL of the namespace's host name for HTTP.
	Namespace string
	// Topic and Subscription are names.
	Topic, Subscription string
	// Key is an access key of the namespace; exactly one of Key and Identity is set.
	Key      secret.Ref
	Identity *AzureIdentity
}

// StorageQueue is a queue of an Azure storage account.
type StorageQueue struct {
	// URL is that of the queue, without a query.
	URL string
	// SAS is a shared access signature, Key an access key of the account; exactly one of
	// them and Identity is set.
	SAS, Key secret.Ref
	Identity *AzureIdentity
	// Refused is the URL of a queue for messages that cannot be understood; empty for none.
	Refused string
}

// AzureIdentity is as whom a program signs in to Azure.
type AzureIdentity struct {
	As IdentityKind
	// Tenant, Client and Secret are an application's; of a managed identity there may be a
	// Client, which is then one that a user has assigned.
	Tenant, Client string
	Secret         secret.Ref
}

// Secrets are the secrets that sign in where the events wait; there may be none.
func (p Pull) Secrets() []secret.Ref {
	var all []secret.Ref
	identity := (*AzureIdentity)(nil)
	switch {
	case p.EventGrid != nil:
		all, identity = []secret.Ref{p.EventGrid.Key}, p.EventGrid.Identity
	case p.StorageQueue != nil:
		all, identity = []secret.Ref{p.StorageQueue.SAS, p.StorageQueue.Key}, p.StorageQueue.Identity
	case p.SQS != nil:
		all = []secret.Ref{p.SQS.SecretAccessKey}
	}
	if identity != nil {
		all = append(all, identity.Secret)
	}
	return slices.DeleteFunc(all, func(ref secret.Ref) bool { return ref == "" })
}

// IdentityKind is what kind of identity signs in to Azure.
type IdentityKind string

const (
	// Application is an application of Microsoft Entra ID with a client secret.
	Application IdentityKind = "application"
	// ManagedIdentity is that of the virtual machine.
	ManagedIdentity IdentityKind = "managed"
	// WorkloadIdentity is that of a service account of Kubernetes.
	WorkloadIdentity IdentityKind = "workload"
)

// SQS is a queue of Amazon SQS.
type SQS struct {
	// URL is that of the queue; Region is the one that its host name shows.
	URL, Region string
	// AccessKeyID and SecretAccessKey are an access key; without one, the environment, the
	// profile and the role of the machine are used, as by Amazon's own tools.
	AccessKeyID     string
	SecretAccessKey secret.Ref
}

// EventDirectory is a folder into which events are dropped as files.
type EventDirectory struct {
	// Path is the folder, absolute or relative to the working directory.
	Path string
}

// sqsRegion finds the region in a host name of SQS: that of the public service, or of an
// endpoint in a private network.
var sqsRegion = regexp.MustCompile(`(?:^|\.)sqs(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$`)

// readPulls reads the sources whose events are taken.
func (r *reader) readPulls(n node) (all []Pull) {
	taken := map[string]int{}
	r.readList(n, func(n node) { all = append(all, r.readPull(n, taken)) })
	return all
}

func (r *reader) readPull(n node, taken map[string]int) (p Pull) {
	places := 0
	place := func(read func(node)) field {
		return field{read: func(n node) { places++; read(n) }}
	}
	known := r.eventSourceFields(&p.EventSource, taken)
	known["eventGrid"] = place(func(n node) { p.EventGrid = r.readEventGridQueue(n) })
	known["storageQueue"] = place(func(n node) { p.StorageQueue = r.readStorageQueue(n) })
	known["sqs"] = place(func(n node) { p.SQS = r.readSQS(n) })
	known["directory"] = place(func(n node) { p.Directory = r.readEventDirectory(n) })
	r.readMapping(n, known)
	if n.isMapping() && places != 1 {
		r.addProblem(n, "write one of eventGrid, storageQueue, sqs and directory", "must have one place where its events wait, and has %d", places)
	}
	r.checkEventSource(n, p.EventSource)
	return p
}

func (r *reader) readEventGridQueue(n node) *EventGridQueue {
	q := &EventGridQueue{}
	r.readMapping(n, fields{
		"namespace":    {required: "write https:// and the namespace's HTTP host name, as the portal shows it", read: func(n node) { q.Namespace = r.readServiceURL(n, false) }},
		"topic":        {required: "name the topic of the namespace", read: func(n node) { q.Topic, _ = r.readText(n) }},
		"subscription": {required: "name the subscription of the topic, whose delivery mode is queue", read: func(n node) { q.Subscription, _ = r.readText(n) }},
		"key":          {read: func(n node) { q.Key = r.readSecret(n) }},
		"identity":     {read: func(n node) { q.Identity = r.readAzureIdentity(n) }},
	})
	r.checkOneOf(n, map[string]bool{"key": q.Key != "", "identity": q.Identity != nil})
	return q
}

func (r *reader) readStorageQueue(n node) *StorageQueue {
	q := &StorageQueue{}
	r.readMapping(n, fields{
		"url":      {required: "write the URL of the queue, as the portal shows it", read: func(n node) { q.URL = r.readServiceURL(n, true) }},
		"sas":      {read: func(n node) { q.SAS = r.readSecret(n) }},
		"key":      {read: func(n node) { q.Key = r.readSecret(n) }},
		"identity": {read: func(n node) { q.Identity = r.readAzureIdentity(n) }},
		"refused": {read: func(n node) {
			if q.Refused = r.readServiceURL(n, true); q.Refused == q.URL && q.URL != "" {
				r.addProblem(n, "name another queue", "is the queue that messages are taken from")
			}
		}},
	})
	r.checkOneOf(n, map[string]bool{"sas": q.SAS != "", "key": q.Key != "", "identity": q.Identity != nil})
	return q
}

func (r *reader) readAzureIdentity(n node) *AzureIdentity {
	i := &AzureIdentity{As: Application}
	r.readMapping(n, fields{
		"as": {read: func(n node) {
			i.As = readChoice(r, n, []IdentityKind{Application, ManagedIdentity, WorkloadIdentity}, nil)
		}},
		"tenant": {read: func(n node) { i.Tenant, _ = r.readText(n) }},
		"client": {read: func(n node) { i.Client, _ = r.readText(n) }},
		"secret": {read: func(n node) { i.Secret = r.readSecret(n) }},
	})
	hasClient, hasRest := i.Client != "", i.Tenant != "" || i.Secret != ""
	switch {
	case !n.isMapping():
	case i.As == Application && (!hasClient || i.Tenant == "" || i.Secret == ""):
		r.addProblem(n, "write tenant, client and secret of the application, or as: managed, or as: workload", "lacks a part of who signs in")
	case i.As == ManagedIdentity && hasRest:
		r.addProblem(n, "leave tenant and secret out", "a managed identity has neither tenant nor secret")
	case i.As == WorkloadIdentity && (hasClient || hasRest):
		r.addProblem(n, "leave tenant, client and secret out", "Kubernetes tells a workload who it is")
	}
	return i
}

func (r *reader) readSQS(n node) *SQS {
	q := &SQS{}
	r.readMapping(n, fields{
		"url":             {required: "write the URL of the queue, as the console shows it", read: func(n node) { q.URL = r.readServiceURL(n, true) }},
		"region":          {read: func(n node) { q.Region, _ = r.readText(n) }},
		"accessKeyId":     {read: func(n node) { q.AccessKeyID, _ = r.readText(n) }},
		"secretAccessKey": {read: func(n node) { q.SecretAccessKey = r.readSecret(n) }},
	})
	if (q.AccessKeyID == "") != (q.SecretAccessKey == "") {
		r.addProblem(n, "write both, or neither", "has one of accessKeyId and secretAccessKey without the other")
	}
	if u, err := url.Parse(q.URL); err == nil && q.Region == "" && q.URL != "" {
		found := sqsRegion.FindStringSubmatch(u.Hostname())
		if found == nil {
			r.addProblem(n.child("region"), "write the region of the queue, such as eu-central-1", "missing: the host name %s does not show it", u.Hostname())
			return q
		}
		q.Region = found[1]
	}
	return q
}

func (r *reader) readEventDirectory(n node) *EventDirectory {
	d := &EventDirectory{}
	r.readMapping(n, fields{
		"path": {required: "name the folder", read: func(n node) { d.Path = r.readPath(n) }},
	})
	return d
}

// readServiceURL reads the URL of a service or of something there. What is sent to it has
// a credential, so that it is HTTPS, but on this machine.
func (r *reader) readServiceURL(n node, hasPath bool) string {
	text, ok := r.readText(n)
	if !ok {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (strings.Trim(u.Path, "/") != "") != hasPath:
		r.addProblem(n, "write it as the portal or the console shows it, without ? and what follows", "is not the URL of such a service")
		return ""
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		r.addProblem(n, "write https://", "anybody on the network path would see the credential")
		return ""
	}
	return strings.TrimSuffix(text, "/")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkOneOf checks that exactly one way to prove who asks is there.
func (r *reader) checkOneOf(n node, has map[string]bool) {
	count := 0
	for _, is := range has {
		if is {
			count++
		}
	}
	if n.isMapping() && count != 1 {
		r.addProblem(n, "write one of "+listWords(slices.Sorted(maps.Keys(has))), "must sign in in one way, and has %d", count)
	}
}
