package pwsh_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recording is the interface of a cmdlet in the words of the recording.
type recording struct {
	ConfirmImpact       string `json:"confirmImpact"`
	DefaultParameterSet string `json:"defaultParameterSet"`
	Parameters          map[string]struct {
		Type       string         `json:"type"`
		Sets       map[string]set `json:"sets"`
		Validation []string       `json:"validation"`
		Aliases    []string       `json:"aliases"`
	} `json:"parameters"`
}

type set struct {
	Mandatory      bool `json:"mandatory"`
	Position       *int `json:"position"`
	Pipeline       bool `json:"pipeline"`
	PipelineByName bool `json:"pipelineByName"`
}

func (s set) text(name string) string {
	words := []string{strings.Replace(name, "__AllParameterSets", "*", 1)}
	for word, holds := range map[string]bool{"mandatory": s.Mandatory, "pipeline": s.Pipeline, "pipelineByName": s.PipelineByName} {
		if holds {
			words = append(words, word)
		}
	}
	slices.Sort(words[1:])
	if s.Position != nil {
		at := 1
		if s.Mandatory {
			at = 2
		}
		words = slices.Insert(words, at, fmt.Sprint(*s.Position))
	}
	return strings.Join(words, " ")
}

// table is the recording in the table's words.
func (r recording) table(name string) cmdlet {
	c := cmdlet{Name: name, ConfirmImpact: r.ConfirmImpact, DefaultParameterSet: r.DefaultParameterSet, Parameters: map[string]string{}}
	for parameter, p := range r.Parameters {
		var parts []string
		for setName, s := range p.Sets {
			parts = append(parts, s.text(setName))
		}
		slices.Sort(parts)
		parts = slices.Insert(parts, 0, p.Type)
		parts = append(parts, slices.Sorted(slices.Values(p.Validation))...)
		for _, alias := range slices.Sorted(slices.Values(p.Aliases)) {
			parts = append(parts, "alias "+alias)
		}
		c.Parameters[parameter] = strings.Join(parts, ", ")
	}
	return c
}

// TestTable_AsRecorded compares the table that the stubs are made of
// with the complete recording, which internal/powershell keeps.
func TestTable_AsRecorded(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../../powershell/testdata/recordings/cmdlets.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Products map[string]map[string]recording `json:"products"`
	}
	if err := json.NewDecoder(unpacked).Decode(&all); err != nil {
		t.Fatal(err)
	}
	short := map[string]string{}
	for product := range all.Products {
		for words, name := range map[string]string{"2016": "2016", "2019": "2019", "Subscription": "SE", "Office": "OOS"} {
			if strings.Contains(product, words) {
				short[name] = product
			}
		}
	}
	for _, held := range recorded(t) {
		for _, product := range held.In {
			was, ok := all.Products[short[product]][held.Name]
			if !ok {
				t.Errorf("%s was not recorded on %s", held.Name, product)
				continue
			}
			want, got := was.table(held.Name), held
			got.In = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s on %s: recorded -, table +:\n%s", held.Name, product, diff)
			}
		}
	}
}
