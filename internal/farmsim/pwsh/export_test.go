package pwsh

// OperationNames are exported for tests.
var OperationNames = operationNames
