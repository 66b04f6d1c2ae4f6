package pwsh

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// forwardCmdlet runs the operation of the model that is named after a cmdlet of
// a product: Remove-SPTrustedRootAuthority is RemoveTrustedRootAuthority of
// [model.SharePoint], Set-OfficeWebAppsFarm is SetOfficeWebAppsFarm of
// [model.Office]. An operation takes nothing, or one struct whose fields are
// called as the parameters; it returns an error, after what the cmdlet returns.
func forwardCmdlet(s *model.Session, cmdlet string, parameters json.RawMessage) (any, error) {
	name, run, err := operationOf(s, cmdlet)
	if err != nil {
		return nil, err
	}
	given, err := bindArguments(name, parameters)
	if err != nil {
		return nil, err
	}
	var in []reflect.Value
	identity, selects := given["Identity"]
	if run.Type().NumIn() == 0 {
		delete(given, "Identity")
		for parameter := range given {
			return nil, fmt.Errorf("not simulated: unknown field %q", parameter)
		}
	} else {
		with, err := parametersFor(run.Type().In(0), given)
		if err != nil {
			return nil, err
		}
		in, selects = []reflect.Value{with}, false
	}
	out := run.Call(in)
	if err, failed := reflect.TypeAssert[error](out[len(out)-1]); failed || len(out) == 1 {
		return nil, err
	}
	shown := showObject(out[0].Interface())
	if selects {
		return selectByName(s, name, shown, identity)
	}
	return shown, nil
}

// isProductCmdlet reports whether a stub is one of a product's.
func isProductCmdlet(name string) bool {
	return slices.ContainsFunc(productCmdlets(), func(c cmdletInterface) bool { return c.Name == name })
}

// operationOf finds the operation behind a cmdlet, and its name, in which the
// cmdlet's class ends.
func operationOf(s *model.Session, cmdlet string) (name string, run reflect.Value, err error) {
	var shell any = s.Office()
	name = strings.Replace(cmdlet, "-", "", 1)
	if before, after, found := strings.Cut(cmdlet, "-SP"); found {
		name, shell = before+after, s.SharePoint()
	}
	if run = reflect.ValueOf(shell).MethodByName(name); !run.IsValid() {
		err = fmt.Errorf("the model has no operation %s", name)
	}
	return name, run, err
}

// bindArguments does what the parameters of a product's own types do: they take
// objects that have a name, or the name.
func bindArguments(name string, raw json.RawMessage) (map[string]any, error) {
	var given map[string]argument
	if err := decodeStrict(raw, &given); err != nil {
		return nil, fmt.Errorf("read the parameters: %w", err)
	}
	bound := map[string]any{}
	for parameter, a := range given {
		bind, bindsObjects := pipeBindOf(name, parameter)
		switch {
		case parameter == "Certificate":
			c, err := certificateIn(name, a)
			if err != nil {
				return nil, err
			}
			if strings.HasSuffix(name, "TrustedRootAuthority") && c.HasPrivateKey {
				c.Der = nil // What it takes is one certificate without a key.
			}
			bound[parameter] = c.Der
		case bindsObjects:
			text, err := bind.bindName(name, parameter, a)
			if err != nil {
				return nil, err
			}
			bound[parameter] = text
		default:
			bound[parameter] = a.raw
		}
	}
	return bound, nil
}

// parametersFor makes the parameters of an operation. One that it does not have
// is an error: nothing that a cmdlet is told may be lost.
func parametersFor(t reflect.Type, given map[string]any) (reflect.Value, error) {
	if _, asks := t.FieldByName("Confirmed"); asks {
		given["Confirmed"] = true // Else the stub says so: see [request].
	}
	raw, err := json.Marshal(given)
	if err != nil {
		return reflect.Value{}, err
	}
	with := reflect.New(t)
	if err := decodeStrict(raw, with.Interface()); err != nil {
		return reflect.Value{}, fmt.Errorf("not simulated: %w", err)
	}
	return with.Elem(), nil
}

// selectByName returns the object that an identity names. A name that nothing
// has is the error of the pipe bind.
func selectByName(s *model.Session, operation string, shown, identity any) (any, error) {
	objects, ok := shown.([]object)
	if !ok {
		return nil, errors.New("not simulated: -Identity of a cmdlet that returns one object")
	}
	for _, one := range objects {
		if strings.EqualFold(fmt.Sprint(one["Name"]), fmt.Sprint(identity)) {
			return []object{one}, nil
		}
	}
	return nil, s.SharePoint().NoObject(operation)
}
