package connect_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/connect"
)

var testAttributes = []temporal.SearchAttributeKey{
	temporal.NewSearchAttributeKeyKeyword("Farm"),
	temporal.NewSearchAttributeKeyBool("NeedsOperator"),
	temporal.NewSearchAttributeKeyTime("LastInspection"),
}

// completeAttributes returns the types of testAttributes, changed as edits say; an
// unspecified type leaves the attribute out.
func completeAttributes(edits map[string]enumspb.IndexedValueType) map[string]enumspb.IndexedValueType {
	all := map[string]enumspb.IndexedValueType{}
	for _, k := range testAttributes {
		all[k.GetName()] = k.GetValueType()
	}
	maps.Copy(all, edits)
	return all
}

func TestCheckSearchAttributes(t *testing.T) {
	const prefix = `check search attributes of Temporal namespace "default": `
	for name, c := range map[string]struct {
		edits map[string]enumspb.IndexedValueType
		cloud bool
		want  string
	}{
		"all are there": {},
		"one is missing": {
			edits: map[string]enumspb.IndexedValueType{"NeedsOperator": 0},
			want:  prefix + "NeedsOperator missing; run: temporal operator search-attribute create --namespace default --name NeedsOperator --type Bool",
		},
		"all are missing": {
			edits: map[string]enumspb.IndexedValueType{"Farm": 0, "NeedsOperator": 0, "LastInspection": 0},
			want: prefix + "Farm, NeedsOperator, LastInspection missing; run: temporal operator search-attribute create --namespace default " +
				"--name Farm --type Keyword --name NeedsOperator --type Bool --name LastInspection --type Datetime",
		},
		"in Temporal Cloud two are missing": {
			edits: map[string]enumspb.IndexedValueType{"Farm": 0, "LastInspection": 0},
			cloud: true,
			want: prefix + "Farm, LastInspection missing; run: tcld namespace search-attributes add --namespace default " +
				"--search-attribute Farm=Keyword --search-attribute LastInspection=Datetime",
		},
		"one is a text": {
			edits: map[string]enumspb.IndexedValueType{"Farm": enumspb.INDEXED_VALUE_TYPE_TEXT, "NeedsOperator": 0},
			want: prefix + "Farm registered with another type than farmtrust's (Keyword), so the namespace uses the name for something else; " +
				"give farmtrust a namespace of its own",
		},
		"a time is a keyword": {
			edits: map[string]enumspb.IndexedValueType{"LastInspection": enumspb.INDEXED_VALUE_TYPE_KEYWORD},
			want: prefix + "LastInspection registered with another type than farmtrust's (Datetime), so the namespace uses the name for something else; " +
				"give farmtrust a namespace of its own",
		},
	} {
		t.Run(name, func(t *testing.T) {
			startServer(t, &testServer{attributes: completeAttributes(c.edits)})
			client, options := dialServer(t)
			if c.cloud {
				options.HostPort = "eu-central-1.aws.api.temporal.io:7233"
			}
			err := connect.CheckSearchAttributes(t.Context(), client, options, testAttributes)
			if got := textOf(err); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if strings.Contains(textOf(err), "remove") {
				t.Error("it advises to remove something")
			}
		})
	}
}

func TestCheckSearchAttributes_OtherErrorsAreNotAboutAttributes(t *testing.T) {
	t.Run("the namespace does not exist", func(t *testing.T) {
		startServer(t, &testServer{})
		c, options := dialServer(t)
		options.Namespace = "office"
		err := connect.CheckSearchAttributes(t.Context(), c, options, testAttributes)
		var missing *connect.NamespaceError
		if !errors.As(err, &missing) || !strings.Contains(err.Error(), "TEMPORAL_NAMESPACE=office farmtrust-worker namespace") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("counting is not permitted", func(t *testing.T) {
		startServer(t, &testServer{refuse: serviceerror.NewPermissionDenied("Request unauthorized.", "")})
		c, options := dialServer(t)
		err := connect.CheckSearchAttributes(t.Context(), c, options, testAttributes)
		if _, denied := errors.AsType[*serviceerror.PermissionDenied](err); !denied {
			t.Errorf("got %v", err)
		}
	})
}

func TestIsCloud(t *testing.T) {
	for address, want := range map[string]bool{
		"prod.a2dd6.tmprl.cloud:7233":           true,
		"eu-central-1.aws.api.temporal.io:7233": true,
		"PROD.a2dd6.TMPRL.CLOUD.:7233":          true,
		"localhost:7233":                        false,
		"temporal.contoso.com:7233":             false,
		"tmprl.cloud.contoso.com:7233":          false,
		"nottmprl.cloud:7233":                   false,
	} {
		t.Run(address, func(t *testing.T) {
			if got := connect.IsCloud(address); got != want {
				t.Errorf("got %t, want %t", got, want)
			}
		})
	}
}

// textOf returns an error's text, empty for none.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
