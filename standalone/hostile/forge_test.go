package hostile

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// forger fills in the inputs of workflows, messages and activities with what an attacker
// wants to be believed.
type forger struct {
	name string
	farm farm.Farm
	host string
	// certificate is to be trusted, granted, deleted or restored, and snapshot is to be
	// restored.
	certificate farm.Certificate
	snapshot    farm.Snapshot
	observed    farm.Observed
	// sealedParts are those of the snapshot, instead of made up ones.
	sealedParts bool
	run         controller.Admission
	// mandate is what the workers have sealed for some run, where one was got hold of.
	mandate reflect.Value
	// proof is what somebody has proven before; nil to make one up.
	proof *farm.Proof
	// chosen are the values of enumerations.
	chosen map[reflect.Type]any
}

// soon is long after anything that the farm has done: services that started before are
// to be restarted.
func soon() time.Time { return time.Now().Add(365 * 24 * time.Hour) }

// enumerations are what the types of named strings can be, and the first what stands for
// all others. A named string that is not listed fails the test: say what it can be.
var enumerations = map[reflect.Type][]any{
	reflect.TypeFor[farm.Intent]():            {farm.Renew, farm.Rollback, farm.Undo, farm.ReplaceCompromised, farm.ReplaceExpired},
	reflect.TypeFor[farm.Choice]():            choices(),
	reflect.TypeFor[controller.RequestKind](): requests(),
	reflect.TypeFor[controller.NoticeKind]():  {controller.OperatorNeeded},
	reflect.TypeFor[farm.Action]():            {farm.ActionRotate},
	reflect.TypeFor[farm.Severity]():          {farm.Warn},
	reflect.TypeFor[farm.Phase]():             {farm.PhaseDone},
	reflect.TypeFor[farm.WaitFor]():           {farm.ForApproval},
	reflect.TypeFor[farm.Outcome]():           {farm.Verified, farm.RolledBack},
	reflect.TypeFor[farm.Step]():              {farm.StepDelete},
	reflect.TypeFor[farm.Mode]():              {farm.Mode("")},
	reflect.TypeFor[farm.RunAs]():             {farm.Direct},
	reflect.TypeFor[farm.State]():             {farm.StateChanged},
	reflect.TypeFor[farm.Role]():              {farm.Role("")},
	reflect.TypeFor[farm.ReasonCode]():        {farm.CodeTrusted},
	reflect.TypeFor[farm.TrustKind]():         {farm.TrustedIssuer},
	reflect.TypeFor[farm.Right]():             {farm.RightApprove},
	reflect.TypeFor[activities.Stage]():       {activities.MayStage, activities.MayCutOver, activities.MayRestore, activities.MayArchive, activities.MayDelete},
}

func choices() (all []any) {
	for _, c := range farm.Choices() {
		all = append(all, c)
	}
	return all
}

func requests() []any {
	return []any{
		controller.RequestRotate, controller.RequestRollback, controller.RequestUndo, controller.RequestResume, controller.RequestObserve,
		controller.RequestRelease, controller.RequestWithdraw, controller.RequestForget, controller.RequestPostpone, controller.RequestAccept,
	}
}

// inputs returns what is sent as an input of a type: so many that each value of each
// enumeration in it is in one of them.
func (f forger) inputs(t reflect.Type) ([]any, error) {
	most := 1
	for enumeration, values := range enumerations {
		// A mandate that was got hold of is taken whole.
		if contains(t, enumeration, map[reflect.Type]bool{reflect.TypeFor[activities.Mandate](): f.mandate.IsValid()}) {
			most = max(most, len(values))
		}
	}
	var all []any
	for i := range most {
		f.chosen = map[reflect.Type]any{}
		for enumeration, values := range enumerations {
			f.chosen[enumeration] = values[i%len(values)]
		}
		next, err := f.fill(t, "")
		if err != nil {
			return nil, err
		}
		all = append(all, next.Interface())
	}
	return all, nil
}

// fill returns a value of a type, which is in a field of a name.
func (f forger) fill(t reflect.Type, field string) (reflect.Value, error) {
	if known, ok := f.known(t, field); ok {
		return reflect.ValueOf(known).Convert(t), nil
	}
	if f.mandate.IsValid() && f.mandate.Type() == t {
		return f.mandate, nil
	}
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.String:
		if strings.Contains(t.PkgPath(), "farmtrust") {
			return v, fmt.Errorf("%s: list in enumerations what a %s can be", field, t)
		}
		v.SetString(f.text(field))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8:
		v.SetInt(1)
	case reflect.Pointer:
		to, err := f.fill(t.Elem(), field)
		if err != nil {
			return v, err
		}
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(to)
	case reflect.Slice:
		element, err := f.fill(t.Elem(), field)
		if err != nil {
			return v, err
		}
		v.Set(reflect.Append(v, element))
	case reflect.Map:
		element, err := f.fill(t.Elem(), field)
		if err != nil {
			return v, err
		}
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(reflect.ValueOf(f.host).Convert(t.Key()), element)
	case reflect.Struct:
		for i := range t.NumField() {
			part := t.Field(i)
			if !part.IsExported() {
				return v, fmt.Errorf("%s.%s: say in known what a %s is", t, part.Name, t)
			}
			value, err := f.fill(part.Type, strings.ToLower(part.Name))
			if err != nil {
				return v, err
			}
			v.Field(i).Set(value)
		}
	default:
		return v, fmt.Errorf("%s: say in known what a %s is", field, t)
	}
	return v, nil
}

// known returns values that an attacker takes whole.
func (f forger) known(t reflect.Type, field string) (any, bool) {
	if value, ok := f.chosen[t]; ok {
		return value, true
	}
	if values := enumerations[t]; values != nil {
		return values[0], true
	}
	switch t {
	case reflect.TypeFor[farm.Thumbprint]():
		return f.certificate.Thumbprint, true
	case reflect.TypeFor[farm.Certificate]():
		return f.certificate, true
	case reflect.TypeFor[farm.StoreCertificate]():
		return farm.StoreCertificate{
			Thumbprint: f.certificate.Thumbprint, FriendlyName: f.certificate.FriendlyName, Subject: f.certificate.Subject,
			NotBefore: f.certificate.NotBefore, NotAfter: f.certificate.NotAfter, HasKey: true,
		}, true
	case reflect.TypeFor[farm.ChainCertificate]():
		return farm.ChainCertificate{Thumbprint: f.certificate.Thumbprint, Subject: f.certificate.Subject, NotAfter: f.certificate.NotAfter, DER: f.certificate.DER}, true
	case reflect.TypeFor[farm.Snapshot]():
		return f.snapshot, true
	case reflect.TypeFor[farm.Observed]():
		return f.observed, true
	case reflect.TypeFor[farm.Farm]():
		return f.farm, true
	case reflect.TypeFor[[]byte]():
		return f.certificate.DER, true
	case reflect.TypeFor[time.Time]():
		return soon(), true
	case reflect.TypeFor[time.Duration]():
		return time.Hour, true
	case reflect.TypeFor[farm.TokenIssuer]():
		return farm.TokenIssuer{
			Name: "OOS", RegisteredName: farm.Issuers()[0].RegisteredName, Thumbprint: f.certificate.Thumbprint, TrustBroker: true, Certificate: f.certificate.DER,
		}, true
	case reflect.TypeFor[controller.ActiveRun]():
		return controller.ActiveRun{WorkflowID: f.run.WorkflowID, RunID: f.run.RunID, OriginalRunID: f.run.RunID, Reason: "attack"}, true
	case reflect.TypeFor[farm.OfficeBefore]():
		return f.snapshot.OfficeBefore(f.host), f.sealedParts
	case reflect.TypeFor[farm.SharePointBefore]():
		return f.snapshot.SharePointBefore(f.host), f.sealedParts
	case reflect.TypeFor[farm.Proof]():
		if f.proof != nil {
			return *f.proof, true
		}
	case reflect.TypeFor[farm.Window]():
		return f.farm.Rotation.Window, true
	}
	return nil, false
}

// text is what a text in a field is.
func (f forger) text(field string) string {
	switch field {
	case "farm", "name":
		return f.farm.Name
	case "host", "server", "frontend":
		return f.host
	case "issuer", "registeredname":
		return farm.Issuers()[0].RegisteredName
	case "workflowid", "rotateid", "retireid":
		return f.run.WorkflowID
	case "runid", "originalrunid":
		return f.run.RunID
	}
	return "attack"
}

// contains reports whether a type has another in it.
func contains(t, other reflect.Type, seen map[reflect.Type]bool) bool {
	if t == other {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return contains(t.Elem(), other, seen)
	case reflect.Struct:
		for field := range t.Fields() {
			if contains(field.Type, other, seen) {
				return true
			}
		}
	}
	return false
}

// activityTypes are the inputs of the activities, by name.
func activityTypes() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for method := range reflect.TypeFor[*activities.Activities]().Methods() {
		types[method.Name] = nil
		if method.Type.NumIn() > 2 {
			types[method.Name] = method.Type.In(2)
		}
	}
	return types
}
