package farm

import "strings"

// MaxName bounds a farm's name, which becomes a name in SharePoint and a part of
// workflow IDs, in bytes.
const MaxName = 50

const nameRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// IsName reports whether a text can be the name of a farm: letters, digits, dots,
// dashes and underscores, of which the first is a letter or a digit.
func IsName(name string) bool {
	if name == "" || len(name) > MaxName || strings.ContainsRune("._-", rune(name[0])) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(nameRunes, r) })
}
