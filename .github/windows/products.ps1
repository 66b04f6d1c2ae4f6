<#
.SYNOPSIS
Puts stand-ins of the two products onto this machine.
.DESCRIPTION
The modules OfficeWebApps and SharePointServer, and the part of SharePoint's
object model that the scripts use, where SharePoint keeps it; their state is
one JSON file. Everything else is Windows' own.
Source: none; they are ours, and follow facts that the tests hold them to.
.PARAMETER Folder
Where to keep them; the account of the remote sessions may write there.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [string] $Folder)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$standIns = "$Folder\standins"
Copy-Item -Path "$PSScriptRoot\..\..\internal\powershell\testdata\standins" -Destination $standIns -Recurse

$isapi = "$env:CommonProgramFiles\microsoft shared\Web Server Extensions\16\ISAPI"
$null = New-Item -Path $isapi -ItemType Directory -Force
Add-Type -Path "$standIns\Microsoft.SharePoint.cs" -ReferencedAssemblies System.Runtime.Serialization, System.Xml `
    -OutputAssembly "$isapi\Microsoft.SharePoint.dll" -OutputType Library
Add-Content -Path "$standIns\modules\SharePointServer\SharePointServer.psm1" -Value "Add-Type -Path '$isapi\Microsoft.SharePoint.dll'"

$world = @{
    office = @{
        joined = $true; forgets = $false; refusesNoName = $false; fails = $false; master = $env:COMPUTERNAME; health = 'Healthy'; machines = @($env:COMPUTERNAME)
        farm = @{
            s2sCertificateName = ''; certificateName = ''; allowHttp = $false; sslOffloaded = $false
            allowOutboundHttp = $false; allowHttpSecureStoreConnections = $false
        }
    }
    sharePoint = @{
        version = '16.0.18526.20508'; reachable = $true; conflict = $false; forgets = $false; withoutPrincipals = $false
        issuers = @(); authorities = @(); permissions = @(); sites = @('https://portal.contoso.com')
        serviceApplications = @('Microsoft.Office.Server.Administration.UserProfileApplication')
        servers = @(@{ name = $env:COMPUTERNAME; role = 'WebFrontEnd' })
    }
}
[System.IO.File]::WriteAllText("$Folder\world.json", (ConvertTo-Json -InputObject $world -Depth 5))

$machine = [EnvironmentVariableTarget]::Machine
$modules = [Environment]::GetEnvironmentVariable('PSModulePath', $machine)
[Environment]::SetEnvironmentVariable('PSModulePath', "$modules;$standIns\modules", $machine)
[Environment]::SetEnvironmentVariable('FARMTRUST_WORLD', "$Folder\world.json", $machine)
