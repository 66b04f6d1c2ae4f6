package keyring

import "golang.org/x/sys/windows"

// keepAccess gives a file the access list of another: an administrator changes what a
// service reads.
func keepAccess(of, path string) error {
	descriptor, err := windows.GetNamedSecurityInfo(of, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	list, _, err := descriptor.DACL()
	if err != nil {
		return err
	}
	// Protected: without the entries of the folder, which secret.Create has kept out too.
	return windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
}
