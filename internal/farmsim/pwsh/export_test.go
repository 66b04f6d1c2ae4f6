package pwsh

import "github.com/farmtrust/farmtrust/internal/farmsim/model"

// OperationNames is exported for tests.
var OperationNames = operationNames

// ProductCmdlets are the names of all stubs for cmdlets of the products.
func ProductCmdlets() (names []string) {
	for _, c := range productCmdlets() {
		names = append(names, c.Name)
	}
	return names
}

// HasOperation reports whether the model has an operation behind a cmdlet.
func HasOperation(s *model.Session, cmdlet string) bool {
	_, _, err := operationOf(s, cmdlet)
	return err == nil
}
