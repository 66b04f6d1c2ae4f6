package pwsh

import (
	"encoding/json"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// Overrides are failures that no simulated farm shows by itself, by the name of
// the cmdlet, or of the function of the prelude's Windows part, that shows them.
type Overrides map[string]Override

// Override takes the place of the operation behind a stub. do is the
// operation; parameters are those that were bound, as a JSON object. It is
// called from several goroutines if several processes share it.
type Override func(parameters json.RawMessage, do func() (any, error)) (any, error)

// Throw makes a cmdlet throw an error instead of doing anything.
func Throw(e model.Error) Override {
	return func(json.RawMessage, func() (any, error)) (any, error) { return nil, &e }
}

// Return makes a cmdlet return a value instead of doing anything: nil for
// nothing, text, numbers, truth, lists of these, or objects made by [Object].
func Return(value any) Override {
	return func(json.RawMessage, func() (any, error)) (any, error) { return value, nil }
}

// Ignore makes a cmdlet do nothing, and say nothing about it.
func Ignore() Override { return Return(nil) }

// Edit makes a cmdlet return its objects with a property changed.
func Edit(property string, value any) Override {
	return func(_ json.RawMessage, do func() (any, error)) (any, error) {
		result, err := do()
		switch found := result.(type) {
		case object:
			found[property] = value
		case []object:
			for _, one := range found {
				one[property] = value
			}
		}
		return result, err
	}
}

// Object is an object of a .NET type, with properties that can be read.
func Object(typeName string, properties map[string]any) any { return newObject(typeName, properties) }
