# Stand-in for Office Online Server's module.

. (Join-Path -Path $PSScriptRoot -ChildPath '../../world.ps1')

function Assert-Joined {
    if (-not (Get-World).office.joined) {
        Stop-Product -Id 'lokalisiert' -Exception (New-Object System.IO.FileNotFoundException (
            'It does not appear that this machine is part of an Office Online Server farm.'))
    }
}

function Get-OfficeWebAppsMachine {
    [CmdletBinding()]
    param()

    Assert-Joined
    $office = (Get-World).office
    return [pscustomobject] @{
        MachineName = [Environment]::MachineName; MasterMachineName = $office.master; Roles = @('All'); HealthStatus = $office.health
    }
}

function Get-OfficeWebAppsFarm {
    [CmdletBinding()]
    param()

    Assert-Joined
    $office = (Get-World).office
    $farm = $office.farm
    return [pscustomobject] @{
        InternalURL = 'https://office.contoso.com/'; AllowHTTP = $farm.allowHttp; SSLOffloaded = $farm.sslOffloaded
        CertificateName = $farm.certificateName; S2SCertificateName = $farm.s2sCertificateName
        AllowOutboundHttp = $farm.allowOutboundHttp; AllowHttpSecureStoreConnections = $farm.allowHttpSecureStoreConnections
        Machines = @(foreach ($name in $office.machines) { [pscustomobject] @{ MachineName = $name; Roles = @('All'); HealthStatus = 'Healthy' } })
    }
}

function Set-OfficeWebAppsFarm {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
    param(
        [switch] $Force,
        [switch] $AllowOutboundHttp,
        [Parameter(Position = 4)] [string] $S2SCertificateName,
        [switch] $AllowHttpSecureStoreConnections
    )

    Assert-Joined
    if (-not $Force) { throw 'Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.' }
    $world = Get-World
    if ($PSBoundParameters.ContainsKey('S2SCertificateName') -and ($world.office.fails -or ($S2SCertificateName -eq '' -and $world.office.refusesNoName))) {
        Stop-Product -Id 'lokalisiert' -Exception (New-Object System.ArgumentException 'Der Name fehlt.')
    }
    if (-not $world.office.forgets) {
        if ($PSBoundParameters.ContainsKey('S2SCertificateName')) { $world.office.farm.s2sCertificateName = $S2SCertificateName }
        if ($PSBoundParameters.ContainsKey('AllowOutboundHttp')) { $world.office.farm.allowOutboundHttp = [bool] $AllowOutboundHttp }
        if ($PSBoundParameters.ContainsKey('AllowHttpSecureStoreConnections')) {
            $world.office.farm.allowHttpSecureStoreConnections = [bool] $AllowHttpSecureStoreConnections
        }
        Set-World $world
    }
    Write-Warning 'The following settings have been changed. For this to take effect, every machine in the farm must be restarted.'
}

Export-ModuleMember -Function Get-OfficeWebAppsMachine, Get-OfficeWebAppsFarm, Set-OfficeWebAppsFarm
