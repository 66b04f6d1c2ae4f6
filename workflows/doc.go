// Package workflows is the order of the steps, the waits, the decisions and the
// rollback of a rotation, and the loop of each farm's controller.
//
// Four workflows:
//
//	ManageFarm         farm/<name>     the controller of a farm; endless; starts the others
//	RotateTrust        rotate/<name>   one rotation, or one rollback
//	RetireCertificate  retire/<name>   deletes the old certificate after its retention
//	InspectTrust       inspect/<name>  observes and compares; changes nothing
//
// Start reading at RotateTrust in rotate.go, which is the runbook, and go on with
// rollback.go, its mirror. What a controller knows, and what leads from one
// phase of a farm to the next, is package controller.
//
// Workflows are replayed: nothing here reads a clock, a file, the environment or
// a map in an order that matters, and nothing touches a server. Decisions that
// may improve, such as farm.Compare and farm.Decide, run in activities, so that
// improving them never breaks a replay.
package workflows
