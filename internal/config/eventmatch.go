package config

import "github.com/farmtrust/farmtrust/internal/farm"

// readEventMatch reads which events concern a farm, whatever certificate it was seen to use.
func (r *reader) readEventMatch(n node) (match farm.EventMatch) {
	r.readMapping(n, fields{
		"vault":       {read: func(n node) { match.Vault, _ = r.readText(n) }},
		"certificate": {read: func(n node) { match.Certificate, _ = r.readText(n) }},
		"arn":         {read: func(n node) { match.ARN, _ = r.readText(n) }},
		"thumbprint":  {read: func(n node) { match.Thumbprint = r.readFingerprint(n) }},
		"serial":      {read: func(n node) { match.Serials = r.readSerial(n) }},
		"subject":     {read: func(n node) { match.Subject = r.readSubject(n) }},
		"name":        {read: func(n node) { match.Name, _ = r.readText(n) }},
		"source":      {read: func(n node) { match.Source, _ = r.readText(n) }},
		"labels":      {read: func(n node) { match.Labels = r.readLabels(n) }},
	})
	if n.isMapping() && len(n.Content) == 0 {
		r.addProblem(n, "write vault, certificate, thumbprint, source or another of its keys", "would match every event")
	}
	return match
}

func (r *reader) readFingerprint(n node) string {
	text, ok := r.readText(n)
	if !ok {
		return ""
	}
	fingerprint, err := farm.ParseFingerprint(text)
	if err != nil {
		r.addProblem(n, "write the certificate's SHA-1 or SHA-256 thumbprint", "is not 40 or 64 hexadecimal digits")
	}
	return fingerprint
}

func (r *reader) readSerial(n node) []string {
	text, ok := r.readText(n)
	if !ok {
		return nil
	}
	readings, err := farm.ParseSerial(text)
	if err != nil {
		r.addProblem(n, "write it as it is shown, in quotes: '0x1D2C' or '7468'", "is not a serial number")
	}
	return readings
}

// readSubject reads a distinguished name, by whichever program it was written.
func (r *reader) readSubject(n node) string {
	name, ok := r.readText(n)
	if ok && !farm.SameSubject(name, name) {
		r.addProblem(n, "write the whole name, such as CN=OOS S2S, O=Contoso; for a common name alone, write name", "is not a distinguished name")
	}
	return name
}

func (r *reader) readLabels(n node) map[string]string {
	labels := readWords(r, n, func(n node) string { value, _ := r.readText(n); return value })
	if n.isMapping() && len(labels) == 0 {
		r.addProblem(n, "write the labels that an event must have, or leave labels out", "names no label")
	}
	return labels
}
