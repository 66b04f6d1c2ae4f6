package controller

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// requestRights are the rights that requests need.
var requestRights = map[RequestKind]farm.Right{
	RequestRotate: farm.RightOperate, RequestRollback: farm.RightRollback, RequestUndo: farm.RightRollback,
	RequestResume: farm.RightOperate, RequestRelease: farm.RightRelease, RequestObserve: farm.RightOperate,
	RequestPostpone: farm.RightOperate, RequestWithdraw: farm.RightOperate, RequestAccept: farm.RightAccept, RequestForget: farm.RightOperate,
}

// Needs lists the rights that who makes a request needs; none for a kind that nobody may
// ask for.
func (r Request) Needs() []farm.Right {
	var needs []farm.Right
	if right, known := requestRights[r.Kind]; known {
		needs = append(needs, right)
	}
	if r.Compromised {
		needs = append(needs, farm.RightCompromised)
	}
	if len(r.Except) > 0 {
		needs = append(needs, farm.RightSkip)
	}
	if len(r.Accept) > 0 {
		needs = append(needs, farm.RightAccept)
	}
	return needs
}

// State returns what a request states to the controller of a farm, whose workflow ID is
// given.
func (r Request) State(farmName, controllerID string) farm.Statement {
	bare := r
	// Until when it may be begun is limited by the age of its proof as well.
	bare.ID, bare.By, bare.Expires, bare.Proof, bare.Authorization = "", "", time.Time{}, nil, nil
	return farm.Statement{Farm: farmName, Workflow: controllerID, Action: string(r.Kind), Content: farm.MarshalContent(bare), Needs: r.Needs()}
}
