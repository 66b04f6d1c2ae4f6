package activities

// SealMandate seals the mandate of an input as a worker does that gives one.
func SealMandate(a *Activities, in any, m Mandate) (Mandate, error) {
	farmName, target, _ := in.(mandated).mandate() //nolint:forcetypeassert // the input of a step
	return a.sealMandate(farmName, target, m)
}

// IsMandated reports whether a value is the input of what demands a mandate.
func IsMandated(in any) bool { _, ok := in.(mandated); return ok }
