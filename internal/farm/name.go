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

// NearestName returns the name that was probably meant by one that is not known: the
// one with the fewest letters to change, two at most, whatever their case; empty where
// none is near.
func NearestName(name string, known []string) string {
	nearest, distance := "", 3
	for _, candidate := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(candidate), distance); d < distance {
			nearest, distance = candidate, d
		}
	}
	return nearest
}

// editDistance returns the Levenshtein distance of two words, or limit if it is not
// less than that.
func editDistance(a, b string, limit int) int {
	if max(len(a), len(b))-min(len(a), len(b)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return min(row[len(b)], limit)
}
