package config

import "strings"

// nearest returns the candidate that word was probably meant to be, "" when none
// is near: more than a third of its letters would have to change.
func nearest(word string, candidates []string) string {
	const longest = 64 // no key or name is longer; keeps the comparison cheap
	if len(word) > longest {
		return ""
	}
	best, least := "", 1000
	for _, c := range candidates {
		a, b := plainLetters(word), plainLetters(c)
		if d := edits(a, b); d < least && d <= max(1, len(b)/3) && len(a) > 0 {
			best, least = c, d
		}
	}
	return best
}

// plainLetters leaves case and separators out, which people mix up.
func plainLetters(s string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(s))
}

// edits counts the letters to insert, delete, replace or swap with their
// neighbour to make b of a (optimal string alignment).
func edits(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
