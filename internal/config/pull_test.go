package config_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// fullPull has every place where events wait.
const fullPull = `pull:
  - {name: grid, format: azure, farms: [contoso], eventGrid: {namespace: "https://contoso.westeurope-1.eventgrid.azure.net/", topic: vault, subscription: farmtrust, key: env:A}}
  - {name: storage, format: azure, storageQueue: {url: "https://contoso.queue.core.windows.net/expiry", identity: {tenant: t, client: c, secret: file:app}, refused: "https://contoso.queue.core.windows.net/refused"}}
  - {name: acm, format: aws, sqs: {url: "https://sqs.eu-central-1.amazonaws.com/123456789012/expiry", accessKeyId: AKID, secretAccessKey: env:A}}
  - {name: drop, format: cloudevents, directory: {path: events}}
`

func TestLoad_Pull(t *testing.T) {
	path := writeConfig(t, fullPull+minimalConfig)
	in := func(name string) string { return filepath.Join(filepath.Dir(path), name) }
	named := func(name string, f event.Format) config.EventSource { return config.EventSource{Name: name, Format: f} }
	grid := named("grid", event.Azure)
	grid.Farms = []string{"contoso"}
	want := []config.Pull{
		{EventSource: grid, EventGrid: &config.EventGridQueue{
			Namespace: "https://contoso.westeurope-1.eventgrid.azure.net", Topic: "vault", Subscription: "farmtrust", Key: "env:A",
		}},
		{EventSource: named("storage", event.Azure), StorageQueue: &config.StorageQueue{
			URL: "https://contoso.queue.core.windows.net/expiry", Refused: "https://contoso.queue.core.windows.net/refused",
			Identity: &config.AzureIdentity{As: config.Application, Tenant: "t", Client: "c", Secret: secret.Ref("file:" + in("app"))},
		}},
		{EventSource: named("acm", event.AWS), SQS: &config.SQS{
			URL: "https://sqs.eu-central-1.amazonaws.com/123456789012/expiry", Region: "eu-central-1", AccessKeyID: "AKID", SecretAccessKey: "env:A",
		}},
		{EventSource: named("drop", event.CloudEvents), Directory: &config.EventDirectory{Path: in("events")}},
	}
	if diff := cmp.Diff(want, requireLoad(t, path).Pull); diff != "" {
		t.Errorf("pull (-want +got):\n%s", diff)
	}
}

func TestLoad_PullOfASQSQueueFindsItsRegion(t *testing.T) {
	for host, want := range map[string]string{
		"sqs.us-gov-west-1.amazonaws.com":                           "us-gov-west-1",
		"sqs-fips.us-east-1.amazonaws.com":                          "us-east-1",
		"sqs.cn-north-1.amazonaws.com.cn":                           "cn-north-1",
		"vpce-0123456789-abcdefgh.sqs.eu-west-1.vpce.amazonaws.com": "eu-west-1",
	} {
		c := requireLoad(t, writeConfig(t, "pull: [{name: a, format: aws, sqs: {url: \"https://"+host+"/123456789012/expiry\"}}]\n"+minimalConfig))
		if got := c.Pull[0].SQS.Region; got != want {
			t.Errorf("%s is in %q, want %q", host, got, want)
		}
	}
}

func TestLoad_PullThatCannotBe(t *testing.T) {
	for content, want := range map[string]string{
		"{format: azure, directory: {path: a}}": "name the source",
		"{name: a, format: azure}":              "must have one place where its events wait, and has 0",
		"{name: a, format: azure, directory: {path: a}, sqs: {url: \"https://sqs.eu-west-1.amazonaws.com/1/q\"}}": "and has 2",
		"{name: a, format: azure, directory: {}}": "name the folder",
		"{name: a, format: azure, storageQueue: {url: \"http://contoso.queue.core.windows.net/q\", key: env:A}}":          "anybody on the network path would see the credential",
		"{name: a, format: azure, storageQueue: {url: \"https://contoso.queue.core.windows.net/q?sig=x\", sas: env:A}}":   "without ? and what follows",
		"{name: a, format: azure, storageQueue: {url: \"https://contoso.queue.core.windows.net\", key: env:A}}":           "is not the URL of such a service",
		"{name: a, format: azure, storageQueue: {url: \"https://c.queue.core.windows.net/q\"}}":                           "write one of identity, key or sas",
		"{name: a, format: azure, storageQueue: {url: \"https://c.queue.core.windows.net/q\", key: env:A, sas: env:B}}":   "must sign in in one way, and has 2",
		"{name: a, format: azure, storageQueue: {url: \"https://c.x/q\", key: env:A, refused: \"https://c.x/q\"}}":        "is the queue that messages are taken from",
		"{name: a, format: azure, storageQueue: {url: \"https://c.x/q\", identity: {tenant: t}}}":                         "lacks a part of who signs in",
		"{name: a, format: azure, storageQueue: {url: \"https://c.x/q\", identity: {as: managed, secret: env:A}}}":        "a managed identity has neither tenant nor secret",
		"{name: a, format: azure, storageQueue: {url: \"https://c.x/q\", identity: {as: workload, client: c}}}":           "Kubernetes tells a workload who it is",
		"{name: a, format: azure, eventGrid: {namespace: \"https://c.x/topics\", topic: t, subscription: s, key: env:A}}": "is not the URL of such a service",
		"{name: a, format: aws, sqs: {url: \"https://sqs.contoso.com/1/q\"}}":                                             "the host name sqs.contoso.com does not show it",
		"{name: a, format: aws, sqs: {url: \"https://sqs.eu-west-1.amazonaws.com/1/q\", accessKeyId: a}}":                 "one of accessKeyId and secretAccessKey without the other",
		"{name: a, format: azure, directory: {path: a}}, {name: A, format: azure, directory: {path: b}}":                  "source A is already on line 1",
	} {
		_, err := config.LoadIntake(writeConfig(t, "pull: ["+content+"]\n"))
		var problems config.Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant one problem: %s", content, err, want)
		}
	}
}

func TestLoad_TheFileOfAPullNeedsNoFarms(t *testing.T) {
	c, err := config.LoadIntake(writeConfig(t, fullPull))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Pull) != 4 {
		t.Errorf("got %d sources, want 4", len(c.Pull))
	}
}
