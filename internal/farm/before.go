package farm

import "slices"

// OfficeBefore is what a way back restores on one office server: how it was before the
// first change of a rotation. It is small, and sealed by itself, so that a step needs no
// more of a snapshot.
type OfficeBefore struct {
	// Host is empty for what holds for every server that is not in Except: one that was
	// not part of the rotation's farm then.
	Host   string   `json:"host,omitempty"`
	Except []string `json:"except,omitempty"`
	// S2SCertificateName is the setting of its office farm, and Previous the certificate
	// that this named, see [Snapshot.PreviousOn].
	S2SCertificateName string           `json:"s2sCertificateName,omitempty"`
	Previous           StoreCertificate `json:"previous,omitzero"`
	// These are the HTTP settings of its office farm; nil where the rotation was not asked
	// to set them.
	AllowOutboundHTTP               *bool `json:"allowOutboundHttp,omitempty"`
	AllowHTTPSecureStoreConnections *bool `json:"allowHttpSecureStoreConnections,omitempty"`
	// Unarchive and Archive are those of [Snapshot.VisibleBefore].
	Unarchive []Thumbprint `json:"unarchive,omitempty"`
	Archive   []Thumbprint `json:"archive,omitempty"`
	// HadTarget reports whether the target was in the Personal store, and Unreadable
	// whether NETWORK SERVICE could not read the key that it had there.
	HadTarget  bool `json:"hadTarget,omitempty"`
	Unreadable bool `json:"unreadable,omitempty"`
	// HadRoot reports whether the target was in Trusted Root. Intermediates are those of
	// its chain that were in the CA store.
	HadRoot       bool         `json:"hadRoot,omitempty"`
	Intermediates []Thumbprint `json:"intermediates,omitempty"`
	// Seal is the worker's, over all of this and the snapshot's ID.
	Seal string `json:"seal,omitempty"`
}

// IsOf reports whether this is about an office server.
func (b OfficeBefore) IsOf(host string) bool {
	return b.Host == host || b.Host == "" && !slices.Contains(b.Except, host)
}

// SharePointBefore is what a way back restores on one SharePoint farm; see
// [OfficeBefore].
type SharePointBefore struct {
	FrontEnd string `json:"frontEnd"`
	// Issuers are those of the procedure that there were, and Permissions those of their
	// app principals.
	Issuers     []TokenIssuer   `json:"issuers,omitempty"`
	Permissions []AppPermission `json:"permissions,omitempty"`
	// Added are the root authorities that the rotation adds.
	Added []Thumbprint `json:"added,omitempty"`
	Seal  string       `json:"seal,omitempty"`
}

// Issuer returns the issuer with a registered name; false where there was none.
func (b SharePointBefore) Issuer(registeredName string) (TokenIssuer, bool) {
	return SharePointFarm{Issuers: b.Issuers}.Issuer(registeredName)
}

// PartsBefore returns what a way back restores, by server: what the rest of a snapshot
// amounts to.
func (s Snapshot) PartsBefore() (office []OfficeBefore, sharePoint []SharePointBefore) {
	others := OfficeBefore{}
	for _, server := range s.Before.Office {
		others.Except = append(others.Except, server.Machine.Host)
		office = append(office, s.partOfOffice(server))
	}
	for _, f := range s.Before.SharePoint {
		sharePoint = append(sharePoint, s.partOfSharePoint(f))
	}
	return append(office, others), sharePoint
}

func (s Snapshot) partOfOffice(server OfficeServer) OfficeBefore {
	host := server.Machine.Host
	settings, _ := s.Before.SettingsOf(server.OfficeFarm)
	target, hadTarget := server.Certificate(s.Target.Thumbprint)
	b := OfficeBefore{
		Host: host, S2SCertificateName: settings.S2SCertificateName, Previous: s.PreviousOn(host),
		HadTarget: hadTarget, Unreadable: target.HasKey && !target.ReadableBy(NetworkService), HadRoot: server.HasRoot(s.Target.Thumbprint),
	}
	asked, known := s.askedOf(server.OfficeFarm)
	if !known || asked.AllowOutboundHTTP != nil {
		b.AllowOutboundHTTP = &settings.AllowOutboundHTTP
	}
	if !known || asked.AllowHTTPSecureStoreConnections != nil {
		b.AllowHTTPSecureStoreConnections = &settings.AllowHTTPSecureStoreConnections
	}
	b.Unarchive, b.Archive = s.VisibleBefore(host)
	for _, c := range s.Target.Intermediates() {
		if server.HasIntermediate(c.Thumbprint) {
			b.Intermediates = append(b.Intermediates, c.Thumbprint)
		}
	}
	return b
}

func (s Snapshot) partOfSharePoint(f SharePointFarm) SharePointBefore {
	b := SharePointBefore{FrontEnd: f.FrontEnd}
	for _, i := range Issuers() {
		if held, ok := f.Issuer(i.RegisteredName); ok {
			b.Issuers = append(b.Issuers, held)
		}
	}
	b.Permissions = f.Permissions
	for _, c := range s.AddedAuthorities(f.FrontEnd) {
		b.Added = append(b.Added, c.Thumbprint)
	}
	return b
}

// OfficeBefore returns what is sealed of an office server; the zero value, which has no
// seal, in a snapshot of a version that sealed nothing.
func (s Snapshot) OfficeBefore(host string) OfficeBefore {
	b, _ := findFirst(s.Office, func(b OfficeBefore) bool { return b.IsOf(host) })
	return b
}

// SettingsPart returns what is sealed of the settings of a server's office farm: with
// that server, or with another one of the farm where it was not part of it then.
func (s Snapshot) SettingsPart(office Office, host string) OfficeBefore {
	own := s.OfficeBefore(host)
	if own.Host != "" {
		return own
	}
	mate, ok := findFirst(s.Office, func(b OfficeBefore) bool { return b.Host != "" && slices.Contains(office.Hosts(), b.Host) })
	if !ok {
		return own
	}
	return mate
}

// SharePointBefore returns what is sealed of the SharePoint farm of a front end.
func (s Snapshot) SharePointBefore(frontEnd string) SharePointBefore {
	b, _ := findFirst(s.SharePoint, func(b SharePointBefore) bool { return b.FrontEnd == frontEnd })
	return b
}

// IsSealed reports whether a worker has sealed the snapshot, as versions before seals did
// not.
func (s *Snapshot) IsSealed() bool { return s != nil && s.Seal != "" }
