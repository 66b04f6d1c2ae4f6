package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// DiffFarm lists the settings, such as "office.servers", in which two configurations of
// a farm differ, in alphabetical order. Where its certificates come from and how its
// servers are connected to is no part of a [farm.Farm]; see [Config.HashFarm].
func DiffFarm(a, b farm.Farm) []string {
	return diffFields(fieldsOf(a), fieldsOf(b), "")
}

func fieldsOf(f farm.Farm) map[string]any {
	var out map[string]any
	text, err := json.Marshal(f)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil { // a value of our own type, which has neither cycles nor functions
		panic(err)
	}
	return out
}

func diffFields(a, b map[string]any, path string) []string {
	names := maps.Clone(a)
	maps.Copy(names, b)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		x, isGroup := a[name].(map[string]any)
		y, isGroupToo := b[name].(map[string]any)
		switch {
		case isGroup && isGroupToo:
			out = append(out, diffFields(x, y, path+name+".")...)
		case !reflect.DeepEqual(a[name], b[name]):
			out = append(out, path+name)
		}
	}
	return out
}
