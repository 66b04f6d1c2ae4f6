<#
.SYNOPSIS
Installs stubs of the two products on this machine.
.DESCRIPTION
The modules OfficeWebApps and SharePointServer, and the part of SharePoint's
object model that the scripts use, in the folder where SharePoint keeps it. They
act on a simulated farm, in a process that runs until the job ends. Everything
else on the machine is Windows' own.
Source: none; they are the stubs of package internal/farmsim/pwsh, whose
interfaces tests compare with those recorded on real servers.
.PARAMETER Folder
Where to keep them.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [string] $Folder)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$stubs = "$Folder\stubs"
$null = New-Item -Path $stubs -ItemType Directory -Force
& go build -o "$Folder\stubs.exe" "$PSScriptRoot\..\..\internal\farmsim\cmd\stubs"
if ($LASTEXITCODE -ne 0) { throw "go build ended with exit code $LASTEXITCODE" }
$null = Start-Process -FilePath "$Folder\stubs.exe" -ArgumentList '-folder', $stubs, '-name', $env:COMPUTERNAME -WindowStyle Hidden `
    -RedirectStandardOutput "$Folder\stubs.out" -RedirectStandardError "$Folder\stubs.err"

# An empty line follows the last variable.
$machine = [EnvironmentVariableTarget]::Machine
$deadline = (Get-Date).AddMinutes(1)
do {
    if ((Get-Date) -gt $deadline) { throw "the stubs are not served: $(Get-Content -Path "$Folder\stubs.err" -Raw)" }
    Start-Sleep -Milliseconds 200
    $lines = @(Get-Content -Path "$Folder\stubs.out")
} until ($lines.Count -gt 0 -and $lines[-1] -eq '')
foreach ($line in $lines) {
    $name, $value = $line -split '=', 2
    if ($name -ne '') { [Environment]::SetEnvironmentVariable($name, $value, $machine) }
}

$isapi = "$env:CommonProgramFiles\microsoft shared\Web Server Extensions\16\ISAPI"
$null = New-Item -Path $isapi -ItemType Directory -Force
Add-Type -Path "$stubs\Microsoft.SharePoint.cs" -OutputAssembly "$isapi\Microsoft.SharePoint.dll" -OutputType Library
Add-Content -Path "$stubs\subscription\SharePointServer\SharePointServer.psm1" -Value "Add-Type -Path '$isapi\Microsoft.SharePoint.dll'"

$modules = [Environment]::GetEnvironmentVariable('PSModulePath', $machine)
[Environment]::SetEnvironmentVariable('PSModulePath', "$modules;$stubs\office;$stubs\subscription", $machine)
