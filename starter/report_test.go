package main

import (
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestReport(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{noWorker: true})
	t.Run("none has ended", func(t *testing.T) {
		runProgram(t, "report", "contoso").assertExit(t, exitFailed, "contoso: no rotation has ended, or none within Temporal's retention")
		f.addRotation("fabrikam")
		runProgram(t, "report", "fabrikam").assertExit(t, exitFailed, "fabrikam: no rotation has ended")
	})
	f.endRun(f.addRotation("contoso"), verified)
	f.endRun(f.addRotation("contoso"), refused("contoso"))
	t.Run("the last that ended", func(t *testing.T) {
		runProgram(t, "report", "contoso").assertExit(t, exitOK, "out:contoso: refused\n", "out:refused for a reason")
	})
	f.addRotation("contoso")
	t.Run("the last that ended, while another runs", func(t *testing.T) {
		runProgram(t, "report", "contoso").assertExit(t, exitOK, "out:contoso: refused\n")
	})
	t.Run("json", func(t *testing.T) {
		got := runProgram(t, "report", "contoso", "-o", "json")
		got.assertExit(t, exitOK)
		var shown farm.Report
		got.readJSON(t, &shown)
		assertEqual(t, shown, testReport("contoso", farm.Refused))
	})
	t.Run("what Temporal has deleted, the controller has", func(t *testing.T) {
		f.noWorker = false
		defer func() { f.noWorker = true }()
		kept, retired := testReport("northwind", farm.Verified), testReport("northwind", farm.Verified)
		f.addController(controller.State{Farm: "northwind", Reports: controller.Reports{Rotation: &kept, Retirement: &retired}})
		f.addController(controller.State{Farm: "tailspin"})
		runProgram(t, "report", "northwind").assertExit(t, exitOK, "out:northwind: verified\n")
		runProgram(t, "report", "northwind", "--retirement").assertExit(t, exitOK, "out:northwind: retired\n")
		runProgram(t, "report", "tailspin").assertExit(t, exitFailed, "no rotation has ended, or none within Temporal's retention, and the controller has kept none")
	})
	t.Run("html", func(t *testing.T) {
		runProgram(t, "report", "contoso", "-o", "html").assertExit(t, exitOK, "out:<!DOCTYPE html>", "out:<h1>contoso: refused")
	})
	t.Run("html is of reports only", func(t *testing.T) {
		runProgram(t, "status", "contoso", "-o", "html").assertExit(t, exitUsage, `unknown output "html": use -o table or -o json`)
	})
	t.Run("of a retirement", func(t *testing.T) {
		runProgram(t, "report", "contoso", "--retirement").assertExit(t, exitFailed, "contoso: no retirement has ended")
		f.endRun(f.addRunOf("RetireCertificate", "retire/contoso"), verified)
		runProgram(t, "report", "contoso", "--retirement").assertExit(t, exitOK, "out:contoso: retired")
	})
}
