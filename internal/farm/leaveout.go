package farm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// LeaveOut returns a farm without some of its office servers, given by host in any case:
// [Farm.LeftOut] names them instead. It fails where one is no office server of the farm,
// and where an office farm would have no server left. Who is the master it does not know:
// [Check] finds that the master was left out.
func (f Farm) LeaveOut(hosts []string) (Farm, error) {
	if len(hosts) == 0 {
		return f, nil
	}
	known := f.OfficeHosts()
	f.LeftOut = slices.Clone(f.LeftOut)
	for _, host := range hosts {
		found, ok := findFirst(known, func(k string) bool { return strings.EqualFold(k, host) })
		if !ok {
			return f, f.explainNoOffice(host, known)
		}
		if !slices.Contains(f.LeftOut, found) {
			f.LeftOut = append(f.LeftOut, found)
		}
	}
	f.Office.Others = slices.Clone(f.Office.Others)
	for _, office := range f.officePointers() {
		office.Servers = slices.DeleteFunc(slices.Clone(office.Servers), func(s Server) bool { return slices.Contains(f.LeftOut, s.Host) })
		if len(office.Servers) == 0 {
			return f, fmt.Errorf("%s would have no server left: leave out fewer, or remove the office farm from the configuration", describeOffice(office.Name))
		}
	}
	return f, nil
}

func (f *Farm) officePointers() []*Office {
	all := []*Office{&f.Office}
	for i := range f.Office.Others {
		all = append(all, &f.Office.Others[i])
	}
	return all
}

func describeOffice(name string) string {
	if name == "" {
		return "the office farm"
	}
	return "office farm " + name
}

// explainNoOffice says why a server cannot be left out that is none of the farm's office
// servers.
func (f Farm) explainNoOffice(host string, known []string) error {
	if f.FrontEndOf(host) != "" {
		return fmt.Errorf("%s is a SharePoint server: only office servers can be left out from the start", host)
	}
	// Who leaves the domain out means the server that begins so.
	short, _ := findFirst(known, func(k string) bool { return SameMachine(k, host) })
	hint := "its office servers are " + strings.Join(known, ", ")
	if nearest := cmp.Or(NearestName(host, known), short); nearest != "" {
		hint = "did you mean " + nearest + "?"
	}
	return fmt.Errorf("%.100q is no office server of %s: %s", host, f.Name, hint)
}
