package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// role is what the file names a server for.
type role int

const (
	officeMachine role = iota
	// frontEndServer runs SharePoint cmdlets as the connected account.
	frontEndServer
	// sharePointServer is any other SharePoint server, or a front end whose
	// cmdlets run in a scheduled task.
	sharePointServer
)

// placement is a server, where the file names it, and for what.
type placement struct {
	farm.Server
	at   node
	role role
	// farm is the position of the server's farm in the file, from 0.
	farm int
}

// addPlacement records a server for the checks across the file, and returns it.
func (r *reader) addPlacement(n node, s farm.Server, role role) farm.Server {
	r.placements = append(r.placements, placement{s, n, role, r.farmsRead})
	return s
}

// checkWholeFile checks what concerns more than one part of the file.
func (r *reader) checkWholeFile(connections map[string]Connection) {
	r.checkServersAreNamedOnce()
	used := map[string]bool{}
	for _, p := range r.placements {
		r.checkConnection(p, connections, used[p.Connection])
		used[p.Connection] = true
	}
	for _, name := range slices.Sorted(maps.Keys(r.connectedBy)) {
		if !used[name] {
			r.addWarning(r.connectedBy[name], "remove it, or name it under a farm", "no server uses this connection")
		}
	}
}

// checkServersAreNamedOnce checks that no server or address is named twice. A
// machine belongs to one Office Online Server farm or to one SharePoint farm, and
// a SharePoint farm is under one farm of the file: SharePoint knows all office farms
// that it uses by the same two registered names, each with one certificate.
func (r *reader) checkServersAreNamedOnce() {
	hosts, addresses := map[string]placement{}, map[string]placement{}
	for _, p := range r.placements {
		host, address := strings.ToLower(p.Host), strings.ToLower(p.Address)
		if first, taken := hosts[host]; taken && host != "" {
			r.reportNamedTwice(first, p)
		} else if first, taken := addresses[address]; taken && address != "" {
			r.addProblem(p.at, "give each server its own address", "%s has the address of %s on line %d", p.Host, first.Host, first.at.Line)
		}
		hosts[host], addresses[address] = p, p
	}
}

func (r *reader) reportNamedTwice(first, second placement) {
	switch {
	case first.farm != second.farm && first.role != officeMachine && second.role != officeMachine:
		r.addProblem(second.at, "keep it under one farm, and list a second Office Online Server farm for it under office.others of that farm: the two must share one S2S certificate",
			"the SharePoint farm of %s is already under another farm, on line %d", second.Host, first.at.Line)
	case (first.role == officeMachine) != (second.role == officeMachine):
		r.addProblem(second.at, "name the server in one place", "%s cannot be both an office server and a SharePoint server; it is also on line %d", second.Host, first.at.Line)
	default:
		r.addProblem(second.at, "name the server in one place", "the server %s is already on line %d", second.Host, first.at.Line)
	}
}

// checkConnection checks the connection of a server. One that is not defined is
// reported once, and not again for each server that has it.
func (r *reader) checkConnection(p placement, connections map[string]Connection, reported bool) {
	connection, defined := connections[p.Connection]
	switch {
	case p.Connection == "":
		r.addProblem(p.at, "write connection: NAME for the server or for all servers beside it", "no connection for %s", p.Host)
	case !defined && !reported && len(connections) > 0: // that there are none at all is a problem of its own
		r.addProblem(p.at, suggestWord(p.Connection, slices.Sorted(maps.Keys(connections)), "the connections"),
			"the connection %s of %s is not defined", p.Connection, r.describeUsers(p))
	case p.role == frontEndServer && connection.Auth == Basic:
		r.addProblem(p.at, "use a connection with auth: ntlm, or runAs: task",
			"basic works for local accounts only, which cannot run SharePoint cmdlets against SQL Server")
	}
}

// describeUsers names a server and says how many others have its connection.
func (r *reader) describeUsers(p placement) string {
	others := -1
	for _, other := range r.placements {
		if other.Connection == p.Connection {
			others++
		}
	}
	switch others {
	case 0:
		return p.Host
	case 1:
		return p.Host + " and of another server"
	}
	return fmt.Sprintf("%s and of %d other servers", p.Host, others)
}
