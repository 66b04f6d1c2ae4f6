package farm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestFarm_LeaveOut(t *testing.T) {
	servers := func(hosts ...string) []farm.Server {
		var all []farm.Server
		for _, h := range hosts {
			all = append(all, farm.Server{Host: h})
		}
		return all
	}
	contoso := farm.Farm{
		Name:       "contoso",
		Office:     farm.Office{Servers: servers("oos-01.contoso.com", "oos-02.contoso.com"), Others: []farm.Office{{Name: "dr", Servers: servers("dr-01.contoso.com")}}},
		SharePoint: []farm.SharePoint{{FrontEnd: farm.Server{Host: "sp-01.contoso.com"}, Servers: servers("sp-01.contoso.com")}},
	}
	for _, c := range []struct {
		name   string
		except []string
		left   []string
		says   string
	}{
		{"nobody", nil, []string{"oos-01.contoso.com", "oos-02.contoso.com", "dr-01.contoso.com"}, ""},
		{"one, twice, in other letters", []string{"OOS-02.contoso.com", "oos-02.contoso.com"}, []string{"oos-01.contoso.com", "dr-01.contoso.com"}, ""},
		{"without its domain", []string{"oos-02"}, nil, `"oos-02" is no office server of contoso: did you mean oos-02.contoso.com?`},
		{"a misspelt one", []string{"oos-2.contoso.com"}, nil, "did you mean oos-02.contoso.com?"},
		{"an unknown one", []string{"web"}, nil, "its office servers are oos-01.contoso.com, oos-02.contoso.com, dr-01.contoso.com"},
		{"a SharePoint server", []string{"sp-01.contoso.com"}, nil, "sp-01.contoso.com is a SharePoint server"},
		{"all", []string{"oos-01.contoso.com", "oos-02.contoso.com"}, nil, "the office farm would have no server left"},
		{"all of another office farm", []string{"dr-01.contoso.com"}, nil, "office farm dr would have no server left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := contoso.LeaveOut(c.except)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("the error is %v, want %q", err, c.says)
				}
				return
			}
			if err != nil || !slices.Equal(got.OfficeHosts(), c.left) {
				t.Errorf("left are %v, %v; want %v", got.OfficeHosts(), err, c.left)
			}
			if len(contoso.OfficeHosts()) != 3 {
				t.Error("the farm itself has changed")
			}
		})
	}
}
