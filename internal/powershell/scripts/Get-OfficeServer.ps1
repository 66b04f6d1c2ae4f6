<#
.SYNOPSIS
Observes an office server: its certificates, its farm and what runs on it.
.DESCRIPTION
Changes nothing. For an account without administrator rights it returns only the
machine. Of the Personal store it returns, archived or not, the target, the
certificates that share its friendly name or subject, those that the farm names and
the one before; of those that share the subject also what else names them. Where the
farm's S2S name selects none, it returns all that have a friendly name. A machine
that is in no farm is a result, not an error.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016"; the output of Get-OfficeWebAppsFarm
and Get-OfficeWebAppsMachine.
.PARAMETER Thumbprint
The target's thumbprint, empty while there is no target.
.PARAMETER FriendlyName
The target's friendly name.
.PARAMETER Subject
The target's subject.
.PARAMETER Chain
The thumbprints of the target's issuers.
.PARAMETER Previous
The thumbprint of the certificate that a rollback would restore, empty for none.
#>
[CmdletBinding()]
param(
    [ValidatePattern('^([0-9A-F]{40})?$')] [string] $Thumbprint = '',
    [string] $FriendlyName = '',
    [string] $Subject = '',
    [ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Chain = @(),
    [ValidatePattern('^([0-9A-F]{40})?$')] [string] $Previous = ''
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# Without administrator rights neither the product nor the services can be read.
if (-not (Test-Elevated)) { return [pscustomobject] @{ machine = Get-Machine } }

Import-OfficeModule
# The cmdlets fail while the service is stopped, and a server that is starting must
# be observable.
# Source: sharepointpain.com, 2025: Get-OfficeWebAppsFarm fails without WACSM.
$service = Get-ServiceRecord -Name WACSM
$webServer = Get-ServiceRecord -Name W3SVC
$activation = Get-ServiceRecord -Name WAS
$machine = $null
if ($service.running) { $machine = Get-OfficeMachine }
$master = ''
$health = ''
$machines = @()
$farm = $null
$settings = @{ S2S = ''; Certificate = ''; OutboundHttp = $false; SecureStoreHttp = $false }
$discovery = [pscustomobject] @{ url = ''; status = 0; problem = 'NotJoined' }
$names = @($FriendlyName)

if ($null -ne $machine) {
    $master = [string] $machine.MasterMachineName
    $health = [string] $machine.HealthStatus
    $farm = Get-OfficeWebAppsFarm
    $settings = @{
        S2S = [string] $farm.S2SCertificateName
        Certificate = [string] $farm.CertificateName
        OutboundHttp = [bool] $farm.AllowOutboundHttp
        SecureStoreHttp = [bool] $farm.AllowHttpSecureStoreConnections
    }
    $names = @($FriendlyName, $settings.S2S, $settings.Certificate)
    if (Test-SameMachine -Name $master -ComputerName (Get-ComputerName)) {
        $machines = @(foreach ($member in $farm.Machines) { [string] $member.MachineName })
    }
    $discovery = Get-OwnResponse -Url (Get-DiscoveryUrl -Farm $farm)
}

$personal = @(Get-PersonalCertificate)
# Where the S2S name selects nothing, what there is to select from tells why.
$selected = @($personal | Where-Object { -not $_.Archived -and $_.FriendlyName -ne '' -and $_.FriendlyName -eq $settings.S2S })
$selectsNothing = $null -ne $machine -and $selected.Count -eq 0
$certificates = @(foreach ($certificate in $personal) {
    $target = $certificate.Thumbprint -eq $Thumbprint
    $shares = -not $target -and $Subject -ne '' -and $certificate.Subject -eq $Subject
    $named = $certificate.FriendlyName -ne '' -and $certificate.FriendlyName -in $names
    $signs = $target -or $certificate.Thumbprint -eq $Previous -or ($named -and $certificate.FriendlyName -eq $settings.S2S)
    $choice = $selectsNothing -and $certificate.FriendlyName -ne '' -and -not $certificate.Archived
    if (-not ($signs -or $shares -or $named -or $choice)) { continue }
    $uses = @()
    if ($shares) { $uses = @(Find-CertificateUse -Thumbprint $certificate.Thumbprint -FriendlyName '') }
    ConvertTo-CertificateRecord -Certificate $certificate -Sign:$signs -Uses $uses
})
$roots = @(foreach ($certificate in Get-StoreCertificate -Store Root) {
    $named = $FriendlyName -ne '' -and $certificate.FriendlyName -eq $FriendlyName
    if ($named -or $certificate.Thumbprint -eq $Thumbprint -or $certificate.Thumbprint -in $Chain) {
        ConvertTo-CertificateRecord -Certificate $certificate
    }
})
$intermediates = @(foreach ($certificate in Get-StoreCertificate -Store CA) {
    if ($certificate.Thumbprint -in $Chain) { [string] $certificate.Thumbprint }
})

[pscustomobject] @{
    certificates = $certificates
    roots = $roots
    intermediates = $intermediates
    orphanedKey = $Thumbprint -ne '' -and (Test-OrphanedKey -Thumbprint $Thumbprint)
    joined = $null -ne $machine
    master = $master
    machines = $machines
    health = $health
    s2sCertificateName = $settings.S2S
    certificateName = $settings.Certificate
    allowOutboundHttp = $settings.OutboundHttp
    allowHttpSecureStoreConnections = $settings.SecureStoreHttp
    discovery = $discovery
    service = $service
    webServer = $webServer
    activation = $activation
    lastErrors = @(Get-ServiceError -Service $service, $webServer, $activation -Response $discovery)
    loaded = Get-LoadedNote
    workersSince = Get-WorkerStart
    settingsSince = Get-SettingsTime
    machine = Get-Machine
}
