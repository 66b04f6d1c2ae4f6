# Stand-in for SharePoint's cmdlets. The two cmdlets whose interface changed
# with Subscription Edition are in a file for each.

. (Join-Path -Path $PSScriptRoot -ChildPath '../../world.ps1')

function New-StandInCertificate {
    param([string] $Der)
    if (-not $Der) { return $null }
    return [System.Security.Cryptography.X509Certificates.X509Certificate2]::new([Convert]::FromBase64String($Der))
}

function Assert-Reachable {
    if (-not (Get-World).sharePoint.reachable -and -not $env:FARMTRUST_TASK) {
        Stop-Product -Id 'Microsoft.SharePoint.PowerShell.SPCmdletGetFarm' -Exception (New-Object System.InvalidOperationException (
            'Cannot access the local farm. Verify that the local farm is properly configured, currently available, and that ' +
            'you have the appropriate permissions to access the database before trying again.'))
    }
}

function Get-SPFarm {
    [CmdletBinding()]
    param([Parameter(Position = 0, ValueFromPipeline = $true)] [object] $AssignmentCollection)

    Assert-Reachable
    return [pscustomobject] @{ BuildVersion = [version] (Get-World).sharePoint.version }
}

function Get-SPTrustedSecurityTokenIssuer {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true)] [object] $Identity,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )

    Assert-Reachable
    foreach ($issuer in (Get-World).sharePoint.issuers) {
        if ($PSBoundParameters.ContainsKey('Identity') -and $issuer.name -ne $Identity) { continue }
        [pscustomobject] @{
            Name = $issuer.name; RegisteredIssuerName = $issuer.registeredName; NameId = $issuer.registeredName
            Description = $issuer.description; IsSelfIssuer = -not $issuer.trustBroker
            SigningCertificate = New-StandInCertificate $issuer.certificate
        }
    }
}

# What New- and Set- of both editions end in.
function Save-Issuer {
    param([string] $Name, [string] $RegisteredName, [object] $Certificate, [string] $Description, [bool] $TrustBroker, [bool] $Create)

    $world = Get-World
    $found = @($world.sharePoint.issuers | Where-Object { $_.name -eq $Name })
    if ($world.sharePoint.conflict) {
        Stop-Product -Id 'Microsoft.SharePoint.PowerShell.SPCmdletSetTrustedSecurityTokenIssuer' -Exception (
            New-Object System.InvalidOperationException 'An update conflict has occurred, and you must re-try this action.')
    }
    if ($Create -and $found.Count -gt 0) { throw "An object named `"$Name`" already exists." }
    if (-not $Create -and $found.Count -eq 0) { throw 'A valid object could not be read from the provided pipebind parameter.' }
    if ($Create) {
        $issuer = [pscustomobject] @{ name = $Name; registeredName = $RegisteredName; certificate = ''; description = ''; trustBroker = $false }
        $world.sharePoint.issuers = @($world.sharePoint.issuers) + $issuer
    }
    else { $issuer = $found[0] }
    $issuer.registeredName = $RegisteredName
    $issuer.certificate = [Convert]::ToBase64String($Certificate.RawData)
    $issuer.description = $Description
    $issuer.trustBroker = $TrustBroker
    if (-not $world.sharePoint.forgets) { Set-World $world }
}

function Get-SPTrustedRootAuthority {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $Identity,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )

    Assert-Reachable
    foreach ($authority in (Get-World).sharePoint.authorities) {
        [pscustomobject] @{ Name = $authority.name; Certificate = New-StandInCertificate $authority.certificate }
    }
}

function New-SPTrustedRootAuthority {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNullOrEmpty()] [string] $Name,
        [Parameter(Mandatory = $true, ParameterSetName = 'ManualUpdateCertificateParameterSet')] [ValidateNotNull()] [object] $Certificate,
        [Parameter(Mandatory = $true, ParameterSetName = 'MetadataEndPointParameterSet')] [ValidateNotNull()] [uri] $MetadataEndPoint,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )

    if (-not $PSCmdlet.ShouldProcess($Name)) { return }
    if ($Certificate.HasPrivateKey) { throw 'The certificate must not have a private key.' }
    $world = Get-World
    if ($Name -in @($world.sharePoint.authorities | ForEach-Object { $_.name })) { throw "An object named `"$Name`" already exists." }
    $world.sharePoint.authorities = @($world.sharePoint.authorities) + [pscustomobject] @{
        name = $Name; certificate = [Convert]::ToBase64String($Certificate.RawData)
    }
    Set-World $world
}

function Get-SPSite {
    [CmdletBinding(DefaultParameterSetName = 'AllSitesInIdentity')]
    param([Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true, ParameterSetName = 'AllSitesInIdentity')] [object] $Identity)

    if ($Identity -notin (Get-World).sharePoint.sites) {
        Stop-Product -Id 'Microsoft.SharePoint.PowerShell.SPCmdletGetSite' -Exception (
            New-Object System.IO.FileNotFoundException "Cannot find an SPSite object with Id or Url: $Identity.")
    }
    $site = [pscustomobject] @{ Url = $Identity; RootWeb = [pscustomobject] @{ Url = $Identity } }
    Add-Member -InputObject $site -MemberType ScriptMethod -Name Dispose -Value { }
    return $site
}

function Get-SPAppPrincipal {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNull()] [object] $Site,
        [Parameter(Mandatory = $true, Position = 1)] [ValidateNotNullOrEmpty()] [string] $NameIdentifier,
        [Parameter(Position = 2, ValueFromPipeline = $true)] [object] $AssignmentCollection
    )

    $world = Get-World
    if ($world.sharePoint.withoutPrincipals) { return $null }
    if ($NameIdentifier -notin @($world.sharePoint.issuers | ForEach-Object { $_.registeredName })) {
        Stop-Product -Id 'Microsoft.SharePoint.PowerShell.SPCmdletGetAppPrincipal' -Exception (
            New-Object System.InvalidOperationException 'The app principal could not be found.')
    }
    return [pscustomobject] @{ NameIdentifier = $NameIdentifier }
}

function Set-SPAppPrincipalPermission {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNull()] [object] $Site,
        [Parameter(Mandatory = $true, Position = 1, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $AppPrincipal,
        [Parameter(Mandatory = $true, Position = 2)] [ValidateSet('Site', 'SiteCollection', 'SiteSubscription')] [object] $Scope,
        [Parameter(Mandatory = $true, Position = 3)] [ValidateSet('Read', 'Write', 'Manage', 'FullControl')] [object] $Right,
        [switch] $EnableAppOnlyPolicy,
        [Parameter(Position = 4)] [object] $AssignmentCollection
    )

    # Without the switch the policy stays as it is.
    $policy = (Get-AppPermissionEntry -Site $Site.Url -RegisteredName $AppPrincipal.NameIdentifier).appOnly
    $world = Get-World
    $kept = @($world.sharePoint.permissions | Where-Object { $_.site -ne $Site.Url -or $_.registeredName -ne $AppPrincipal.NameIdentifier })
    $world.sharePoint.permissions = $kept + [pscustomobject] @{
        site = $Site.Url; registeredName = $AppPrincipal.NameIdentifier; right = [string] $Right; appOnly = $policy -or $EnableAppOnlyPolicy
    }
    Set-World $world
}

function Get-SPServiceApplication {
    [CmdletBinding()]
    param([Parameter(Position = 0, ValueFromPipeline = $true)] [object] $Identity, [string] $Name)

    foreach ($type in (Get-World).sharePoint.serviceApplications) {
        $service = [pscustomobject] @{ Name = 'service'; Type = $type }
        Add-Member -InputObject $service -MemberType ScriptMethod -Name GetType -Value { [pscustomobject] @{ FullName = $this.Type } } -Force
        $service
    }
}

function Get-SPServer {
    [CmdletBinding()]
    param([Parameter(Position = 0, ValueFromPipeline = $true)] [Alias('Address')] [object] $Identity)

    foreach ($server in (Get-World).sharePoint.servers) { [pscustomobject] @{ Name = $server.name; Role = $server.role } }
}

$edition = 'issuer-2016.ps1'
if (([version] (Get-World).sharePoint.version).Build -ge 13000) { $edition = 'issuer-subscription.ps1' }
. (Join-Path -Path $PSScriptRoot -ChildPath $edition)
. (Join-Path -Path $PSScriptRoot -ChildPath 'removal.ps1')

Export-ModuleMember -Function Get-SP*, New-SP*, Set-SP*, Remove-SP*
