package model

import "time"

// Error is an error of a cmdlet or of a .NET call, with the parts that
// PowerShell shows of it. Message and HResult are as the products word them
// where a rule says so; nothing may depend on the text of Message.
type Error struct {
	// ID is the fully qualified error ID.
	ID        string
	Message   string
	Category  string
	Exception string
	HResult   int32
}

func (e *Error) Error() string { return e.Message }

// BadKeyset is the HRESULT of a private key that is not where its certificate
// says, 0x80090016, NTE_BAD_KEYSET.
const BadKeyset = -0x7FF6FFEA

// InvalidOperation is the HRESULT of .NET's InvalidOperationException,
// 0x80131509, COR_E_INVALIDOPERATION.
const InvalidOperation = -0x7FECEAF7

// The HRESULTs of winerror.h that these products return.
const (
	accessDeniedResult    = -0x7FF8FFFB // 0x80070005, E_ACCESSDENIED
	badPasswordResult     = -0x7FF8FFAA // 0x80070056, ERROR_INVALID_PASSWORD
	notFoundResult        = -0x7FF8FFFE // 0x80070002, ERROR_FILE_NOT_FOUND
	abandonedMutexResult  = -0x7FECEAD3 // 0x8013152D, COR_E_ABANDONEDMUTEX
	notOwnerResult        = -0x7FECEA00 // 0x80131600, COR_E_APPLICATION
	badAlgorithmResult    = -0x7FF6FFF8 // 0x80090008, NTE_BAD_ALGID
	badProviderTypeResult = -0x7FF6FFEC // 0x80090014, NTE_BAD_PROV_TYPE
)

// The exceptions that scripts tell apart.
const (
	CryptographicException = "System.Security.Cryptography.CryptographicException"
	FileNotFoundException  = "System.IO.FileNotFoundException"
	ItemNotFoundException  = "System.Management.Automation.ItemNotFoundException"
)

func accessDenied() *Error {
	return &Error{
		ID: "UnauthorizedAccessException", Message: "Access is denied.", Category: "PermissionDenied",
		Exception: "System.UnauthorizedAccessException", HResult: accessDeniedResult,
	}
}

// cryptographicError is how .NET reports what CryptoAPI refused.
func cryptographicError(message string, result int32) *Error {
	return &Error{
		ID: "CryptographicException", Message: message, Category: "NotSpecified",
		Exception: CryptographicException, HResult: result,
	}
}

// invalidOperationError is the kind of error that SharePoint cmdlets and services
// end with. cmdlet is the class that a SharePoint error ID names; the ID never
// tells the cause.
func invalidOperationError(id, message string) *Error {
	return &Error{
		ID: id, Message: message, Category: "InvalidData",
		Exception: "System.InvalidOperationException", HResult: InvalidOperation,
	}
}

// bindingError is how PowerShell reports parameters that fit no parameter set.
func bindingError(cmdlet, message string) *Error {
	return &Error{
		ID: "AmbiguousParameterSet," + cmdlet, Message: message, Category: "InvalidArgument",
		Exception: "System.Management.Automation.ParameterBindingException", HResult: InvalidOperation,
	}
}

// CannotBind is how PowerShell reports an argument that a parameter of a
// SharePoint cmdlet does not take; cmdlet is the end of the cmdlet's class.
func CannotBind(cmdlet, parameter string) *Error {
	e := bindingError(cmdletClass+cmdlet, "Cannot bind parameter '"+parameter+"': the argument cannot be converted to its type.")
	e.ID = "CannotConvertArgumentNoMessage," + cmdletClass + cmdlet
	return e
}

// Prompt is the error of a cmdlet that prompts in a non-interactive session.
func (s *Session) Prompt() error {
	return s.perform(func(time.Time) error {
		s.world.countRule(RuleHighImpactPrompts)
		return promptError()
	})
}

// promptError is what a confirmation prompt becomes under -NonInteractive.
func promptError() *Error {
	return &Error{
		ID:       "InvalidOperation",
		Message:  "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.",
		Category: "InvalidOperation", Exception: "System.Management.Automation.PSInvalidOperationException",
		HResult: InvalidOperation,
	}
}
