package model

import (
	"maps"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// State is everything in a world, as JSON, with private keys left out. Times
// are real time, not the machines' clocks.
type State struct {
	Machines []MachineState `json:"machines"`
	Office   *OfficeState   `json:"office,omitempty"`
	// OtherOffices are the office farms after the first.
	OtherOffices []OfficeState     `json:"otherOffices,omitempty"`
	SharePoint   []SharePointState `json:"sharePoint"`
	// Applied tells how often each rule decided something.
	Applied map[RuleID]int `json:"applied"`
}

// MachineState is a machine.
type MachineState struct {
	Host          string                       `json:"host"`
	Name          string                       `json:"name"`
	Build         int                          `json:"build"`
	Down          bool                         `json:"down"`
	Boots         int                          `json:"boots"`
	PendingReboot bool                         `json:"pendingReboot"`
	Stores        map[Store][]CertificateState `json:"stores"`
	Services      map[string]ServiceInfo       `json:"services"`
	WorkersSince  time.Time                    `json:"workersSince,omitzero"`
	// PoolDown reports whether the application pool of the sites is stopped.
	PoolDown bool `json:"poolDown,omitempty"`
	// Conditions are what is wrong with it until that is lifted; Events the errors
	// in its event logs, oldest first.
	Conditions []Condition `json:"conditions,omitempty"`
	Events     []Event     `json:"events,omitempty"`
	// Restarts counts restarts by what was restarted; booting is not one.
	Restarts map[string]int `json:"restarts"`
	// Bindings are the certificates that http.sys serves, by address, and
	// Listener that of the WinRM listener.
	Bindings map[string]farm.Thumbprint `json:"bindings,omitempty"`
	Listener farm.Thumbprint            `json:"listener,omitempty"`
	// Files lists the files that were written, and their sizes in bytes; Registry
	// the text values of the registry, by path.
	Files    map[string]int    `json:"files"`
	Registry map[string]string `json:"registry,omitempty"`
	// KeyFiles are the files of private keys, also of those that no
	// certificate in a store has; Tasks are scheduled tasks by name.
	KeyFiles []string `json:"keyFiles"`
	Tasks    []string `json:"tasks"`
}

// ServiceInfo is a service.
type ServiceInfo struct {
	Running bool      `json:"running"`
	Since   time.Time `json:"since,omitzero"`
}

// CertificateState is a certificate in a store.
type CertificateState struct {
	Thumbprint   farm.Thumbprint `json:"thumbprint"`
	FriendlyName string          `json:"friendlyName"`
	Subject      string          `json:"subject"`
	NotBefore    time.Time       `json:"notBefore"`
	NotAfter     time.Time       `json:"notAfter"`
	Provider     string          `json:"provider,omitempty"`
	KeyReaders   []string        `json:"keyReaders,omitempty"`
	KeyFile      string          `json:"keyFile,omitempty"`
	Exportable   bool            `json:"exportable,omitempty"`
	Archived     bool            `json:"archived,omitempty"`
}

// OfficeMembers lists the machines of all office farms.
func (s State) OfficeMembers() []OfficeMemberState {
	var all []OfficeMemberState
	if s.Office != nil {
		all = append(all, s.Office.Members...)
	}
	for _, other := range s.OtherOffices {
		all = append(all, other.Members...)
	}
	return all
}

// OfficeState is an Office Online Server farm.
type OfficeState struct {
	Master  string              `json:"master"`
	Members []OfficeMemberState `json:"members"`
}

// OfficeMemberState is a machine of the office farm.
type OfficeMemberState struct {
	Host            string         `json:"host"`
	Settings        OfficeSettings `json:"settings"`
	SettingsWritten time.Time      `json:"settingsWritten"`
	// Loaded are the thumbprints that WACSM and IIS started with.
	Loaded map[string]farm.Thumbprint `json:"loaded"`
}

// SharePointState is a SharePoint farm.
type SharePointState struct {
	Name        string                   `json:"name"`
	Version     string                   `json:"version"`
	Servers     []string                 `json:"servers"`
	Sites       []string                 `json:"sites"`
	Issuers     []IssuerState            `json:"issuers"`
	Authorities []AuthorityState         `json:"authorities"`
	Permissions map[string]AppPermission `json:"permissions"`
	// SQLAway reports whether the farm's SQL Server does not answer.
	SQLAway bool `json:"sqlAway,omitempty"`
}

// IssuerState is a trusted security token issuer.
type IssuerState struct {
	Name           string          `json:"name"`
	RegisteredName string          `json:"registeredName"`
	Description    string          `json:"description"`
	TrustBroker    bool            `json:"trustBroker,omitempty"`
	Thumbprint     farm.Thumbprint `json:"thumbprint"`
}

// AuthorityState is a trusted root authority.
type AuthorityState struct {
	Name       string          `json:"name"`
	Thumbprint farm.Thumbprint `json:"thumbprint"`
}

// State takes a snapshot.
func (w *World) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.settleAll()
	state := State{Applied: maps.Clone(w.applied), SharePoint: []SharePointState{}}
	for _, m := range w.machines {
		state.Machines = append(state.Machines, m.machineState(now))
	}
	for i, f := range w.offices {
		if i == 0 {
			state.Office = f.farmState()
			continue
		}
		state.OtherOffices = append(state.OtherOffices, *f.farmState())
	}
	for _, f := range w.sharePoint {
		state.SharePoint = append(state.SharePoint, f.farmState(now))
	}
	return state
}

func (m *machine) machineState(now time.Time) MachineState {
	s := MachineState{
		Host: m.Host, Name: m.name, Build: m.Build, Down: m.isDown(now), Boots: m.boots, PendingReboot: m.pendingReboot,
		Stores: map[Store][]CertificateState{}, Services: map[string]ServiceInfo{}, WorkersSince: m.workersSince,
		Restarts: maps.Clone(m.restarts), Files: map[string]int{},
		Bindings: maps.Clone(m.bindings), Listener: m.listener, PoolDown: m.isPoolDown(now),
		Conditions: slices.Clone(m.conditions), Events: slices.Clone(m.events), Registry: maps.Clone(m.registry),
	}
	for store, entries := range m.stores {
		for _, e := range entries {
			s.Stores[store] = append(s.Stores[store], e.entryState())
		}
	}
	for name, service := range m.services {
		s.Services[name] = ServiceInfo{Running: service.running, Since: service.since}
	}
	for path, content := range m.files {
		s.Files[path] = len(content.content)
	}
	for path, key := range m.keys {
		if !key.lost {
			s.KeyFiles = append(s.KeyFiles, path)
		}
	}
	slices.Sort(s.KeyFiles)
	s.Tasks = slices.Sorted(maps.Keys(m.tasks))
	return s
}

func (e *entry) entryState() CertificateState {
	shown := e.showEntry()
	s := CertificateState{
		Thumbprint: shown.Thumbprint, FriendlyName: shown.FriendlyName, Subject: shown.Subject,
		NotBefore: shown.NotBefore, NotAfter: shown.NotAfter, Archived: shown.Archived,
	}
	if shown.Key != nil {
		s.Provider, s.KeyReaders, s.Exportable = shown.Key.Provider, shown.Key.Readers, shown.Key.Exportable
		s.KeyFile = shown.Key.File
	}
	return s
}

func (f *officeFarm) farmState() *OfficeState {
	s := &OfficeState{Master: f.master.m.Host}
	for _, member := range f.members {
		loaded := map[string]farm.Thumbprint{}
		for process, l := range member.loaded {
			loaded[process] = l.thumbprint
		}
		s.Members = append(s.Members, OfficeMemberState{
			Host: member.m.Host, Settings: member.settings, SettingsWritten: member.written, Loaded: loaded,
		})
	}
	return s
}

func (f *sharePointFarm) farmState(now time.Time) SharePointState {
	s := SharePointState{
		Name: f.Name, Version: f.Version, Servers: slices.Clone(f.Servers), Sites: slices.Clone(f.Sites),
		Issuers: []IssuerState{}, Authorities: []AuthorityState{}, Permissions: maps.Clone(f.permissions), SQLAway: f.isSQLAway(now),
	}
	for _, i := range f.configured().issuers {
		s.Issuers = append(s.Issuers, IssuerState{
			Name: i.Name, RegisteredName: i.RegisteredIssuerName, Description: i.Description,
			TrustBroker: i.TrustBroker, Thumbprint: i.Thumbprint(),
		})
	}
	for _, a := range f.configured().authorities {
		s.Authorities = append(s.Authorities, AuthorityState{Name: a.Name, Thumbprint: a.Thumbprint()})
	}
	return s
}
