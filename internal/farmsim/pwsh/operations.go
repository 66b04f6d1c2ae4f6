package pwsh

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// operation is what stands behind a stub.
type operation func(s *model.Session, parameters json.RawMessage) (any, error)

// operations are those of Windows, by the names of their stubs. Those of the
// products need no list: see [forwardCmdlet].
func operations() map[string]operation {
	all := map[string]operation{}
	for _, some := range []map[string]operation{storeOperations(), keyOperations(), machineOperations(), mutexOperations(), serviceOperations(), taskOperations()} {
		maps.Copy(all, some)
	}
	return all
}

// operationNames lists what has an operation, sorted.
func operationNames() []string { return slices.Sorted(maps.Keys(operations())) }

// operationOn makes an operation of a function of typed parameters. A parameter that it
// does not know is an error: nothing that a cmdlet is told may be lost.
func operationOn[P any](run func(*model.Session, P) (any, error)) operation {
	return func(s *model.Session, raw json.RawMessage) (any, error) {
		var parameters P
		if err := decodeStrict(raw, &parameters); err != nil {
			return nil, fmt.Errorf("not simulated: %w", err)
		}
		return run(s, parameters)
	}
}

// operationWithout makes an operation of a function without parameters.
func operationWithout[R any](ask func(*model.Session) (R, error)) operation {
	return operationOn(func(s *model.Session, _ struct{}) (any, error) { return ask(s) })
}
